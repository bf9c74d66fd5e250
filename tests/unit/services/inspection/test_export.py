"""The log for other programs: every member, the oldest first, and nothing that a spreadsheet would run."""

import csv
import io
import json

import pytest

from services.domain.cells import cell
from services.inspection import export
from services.inspection.export import BLOCK_BYTES, COLUMNS, Form
from services.store import audit as rows
from services.store.audit import Wanted
from services.store.sqlite import SqliteConnection
from tests.support.clock import START
from tests.support.log import looked


def exported(database: SqliteConnection, form: Form, wanted: Wanted | None = None) -> str:
    return b"".join(export.pieces(database, wanted or Wanted(), form)).decode()


def test_json_lines_have_every_member_and_the_hash(database: SqliteConnection) -> None:
    looked(database, details='"å"\n', resident_id="r-1")
    looked(database, "h-2")

    first, second = map(json.loads, exported(database, Form.JSONL).splitlines())

    row = rows.get(database, 1)
    assert row is not None
    assert list(first) == list(COLUMNS)
    assert (first["details"], first["hash"], first["at"]) == ('"å"\n', row.hash, "2026-11-23T08:15:02.120Z")
    assert (second["home_id"], second["resident_id"]) == ("h-2", None)


def test_a_spreadsheet_gets_text_and_no_formula(database: SqliteConnection) -> None:
    looked(database, details='=HYPERLINK("x")', purpose='a "b", c\nd', actor="+46")

    [headings, line] = csv.reader(io.StringIO(exported(database, Form.CSV), newline=""))

    found = dict(zip(headings, line, strict=True))
    assert headings == list(COLUMNS)
    assert (found["details"], found["actor"]) == ('\'=HYPERLINK("x")', "'+46")
    assert (found["purpose"], found["resident_id"]) == ('a "b", c\nd', "")


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", " =1", "\t=1", "\tx", "\rx", "\n=1", "\xa0=1"])
def test_what_would_be_a_formula_becomes_text(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["x", "a=b", "h-1", "", 0, -5])
def test_what_is_none_stays_as_it_is(value: str | int) -> None:
    assert cell(value) == value


def test_an_export_comes_in_pieces_of_whole_lines(database: SqliteConnection) -> None:
    for _ in range(300):
        looked(database, details="x" * 500)

    pieces = list(export.pieces(database, Wanted(), Form.JSONL))

    assert len(pieces) > 4
    assert all(piece.endswith(b"\n") and len(piece) < BLOCK_BYTES + 1_000 for piece in pieces)


def test_only_what_is_wanted_is_exported(database: SqliteConnection) -> None:
    looked(database)
    looked(database, "h-2")

    assert exported(database, Form.JSONL, Wanted(home_id="h-2")).count("\n") == 1


def test_an_export_is_logged(database: SqliteConnection) -> None:
    wanted = Wanted(home_id="h-1", organisation_id="acme")

    export.note(database, wanted, actor="auditor", asked="audit export", now=START)

    row = rows.get(database, 1)
    assert row is not None
    assert (row.action, row.home_id, row.organisation_id) == ("log_exported", "h-1", "acme")
