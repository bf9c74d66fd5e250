"""Whatever is altered, taken out, put in or cut off anywhere in the log's tables is found and named."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import apsw
import pytest

from services.inspection import heads
from services.inspection.signing import SigningKey
from services.inspection.verification import LOG, TABLES
from services.store import audit_heads
from services.store.sqlite import SqliteConnection
from tests.support.clock import START
from tests.support.log import (
    DAY,
    EVER,
    KEY,
    WHOLE,
    Found,
    cells,
    fill,
    found,
    key_of,
    looked,
    put_in,
    set_cell,
    take_out,
    unlock,
    verify,
)
from tests.support.stores import memory_database

SCHEMA = memory_database()
CELLS = [(table, str(column[1])) for table in TABLES for column in SCHEMA.rows(f"PRAGMA table_info({table})")]
SCHEMA.close()


@pytest.fixture
def log(database: SqliteConnection) -> SqliteConnection:
    """A log with a row of every kind, open to somebody who can write to the file."""
    fill(database)
    unlock(database)
    return database


def another(value: Any) -> list[Any]:
    """Values beside one: a little larger, one byte off, nothing, and what is not even text."""
    match value:
        case None:
            return ["x", ""]
        case int():
            return [value + 1, value - 1, value ^ (1 << 20), f"{value}x"]
        case "":
            return ["x"]
        case str():
            first, last = (chr(ord(character) ^ 1) for character in (value[0], value[-1]))
            return [f"{value[:-1]}{last}", f"{first}{value[1:]}", "", f"{value} ", value.encode(), b"\xff"]
        case _:
            raise AssertionError(value)


def test_a_log_as_it_was_written_is_whole(log: SqliteConnection) -> None:
    verdict = verify(log)

    assert verdict.is_whole
    assert (verdict.entries, verdict.heads, verdict.signed_to) == (9, 2, 7)
    assert (verdict.since, verdict.until) == (START, START)


def test_an_empty_log_is_whole(database: SqliteConnection) -> None:
    verdict = verify(database)

    assert (verdict.is_whole, verdict.entries, verdict.since) == (True, 0, None)


@pytest.mark.parametrize(("table", "column"), CELLS, ids=str)
@pytest.mark.parametrize("with_key", [True, False], ids=["key at hand", "no key"])
def test_any_change_of_any_column_of_any_row_is_found(
    log: SqliteConnection, table: str, column: str, *, with_key: bool
) -> None:
    tried = 0
    for number, value in cells(log, table, column):
        for changed in another(value):
            log.run_script("SAVEPOINT before")
            with suppress(apsw.ConstraintError, apsw.MismatchError):  # nobody can put such a value there
                set_cell(log, table, column, number, changed)
                tried += 1
                assert found(log, **({} if with_key else {"keys": {}})) != WHOLE, (number, changed)
            log.run_script("ROLLBACK TO before; RELEASE before")
    assert tried > 0
    assert found(log) == WHOLE


@pytest.mark.parametrize("table", TABLES)
def test_any_row_that_is_taken_out_is_missed(log: SqliteConnection, table: str) -> None:
    numbers = [number for number, _ in cells(log, table, key_of(table))]
    for number in numbers[:-1] if table == LOG else numbers:  # the last entry is behind every head: see below
        log.run_script("SAVEPOINT before")
        take_out(log, table, number)
        assert found(log) != WHOLE, number
        log.run_script("ROLLBACK TO before; RELEASE before")


@pytest.mark.parametrize("table", [table for table in TABLES if table != LOG])
def test_a_row_that_is_put_in_is_found(log: SqliteConnection, table: str) -> None:
    put_in(log, table, 3)

    assert table in found(log).tables


def test_an_entry_that_is_put_in_before_the_first_is_found(log: SqliteConnection) -> None:
    put_in(log, LOG, -1)

    assert found(log).tables == {LOG}


def test_the_first_bad_entry_is_named(log: SqliteConnection) -> None:
    log.run("UPDATE audit SET actor = 'nobody' WHERE number >= 5")

    verdict = verify(log)

    assert (verdict.first_bad, verdict.entries) == (5, 5)
    assert verdict.until == START


def test_entries_that_were_cut_off_are_missed_as_far_as_a_head_reaches(log: SqliteConnection) -> None:
    take_out(log, LOG, 6, up_to=EVER)

    assert verify(log).first_bad == 6


def test_entries_and_heads_that_were_cut_off_together_are_missed_by_the_heads_that_were_kept(
    log: SqliteConnection,
) -> None:
    kept = audit_heads.heads(log)
    for table in TABLES:
        take_out(log, table, 6, up_to=EVER)

    assert found(log) == WHOLE
    assert found(log, kept=kept) == Found(6, frozenset({LOG, audit_heads.HEADS}))


def test_a_log_that_was_written_anew_does_not_fit_the_heads_that_were_kept(log: SqliteConnection) -> None:
    kept = audit_heads.heads(log)
    for table in (*TABLES[1:], LOG):
        take_out(log, table, 1, up_to=EVER)
    looked(log, actor="somebody else")
    fill(log)

    assert found(log) == WHOLE  # whoever has the key can do that
    assert verify(log, kept=kept).first_bad == 3


def test_a_head_of_another_key_is_found(log: SqliteConnection) -> None:
    heads.sign_head(log, SigningKey.new(), now=START + 2 * DAY)

    assert found(log).tables == {audit_heads.HEADS}


def test_a_kept_head_of_another_key_is_found(log: SqliteConnection) -> None:
    [first, second] = audit_heads.heads(log)

    assert found(log, kept=[replace(first, hash=second.hash), second]).tables == {"kept heads"}


def test_kept_heads_that_fit_are_well(log: SqliteConnection) -> None:
    assert found(log, kept=audit_heads.heads(log)) == WHOLE
    assert found(log, kept=audit_heads.heads(log)[:1]) == WHOLE


def test_an_index_that_hides_an_entry_is_found(log: SqliteConnection) -> None:
    [index] = log.rows("SELECT * FROM sqlite_schema WHERE name = 'audit_of_home'")
    log.run_script("PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE name = 'audit_of_home'")
    log.run_script("PRAGMA writable_schema=RESET")
    looked(log)
    log.run_script("PRAGMA writable_schema=ON")
    log.run("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", *index)
    log.run_script("PRAGMA writable_schema=RESET")

    assert found(log) == Found(None, frozenset({LOG}))


def test_a_head_covers_what_is_there_when_it_is_signed(database: SqliteConnection) -> None:
    looked(database)
    looked(database)

    head = heads.sign_head(database, KEY, now=START)

    assert (head.number, head.entry, head.day) == (2, 3, "2026-11-23")
    assert verify(database).signed_to == 2


def test_heads_survive_their_file(log: SqliteConnection) -> None:
    text = "".join(f"{heads.line_of(head)}\n" for head in audit_heads.heads(log))

    assert heads.heads_in(text) == audit_heads.heads(log)
    assert heads.heads_in(text[:-5]) == audit_heads.heads(log)[:1]


@pytest.mark.parametrize(
    "line", ["", "{}", "[]", "nonsense", '{"entry": "1"}', "[" * 100_000], ids=lambda text: text[:9]
)
def test_a_line_that_is_no_head_is_refused_by_its_number(log: SqliteConnection, line: str) -> None:
    good = heads.line_of(audit_heads.heads(log)[0])

    if line:
        with pytest.raises(heads.HeadsUnreadableError, match="Line 2"):
            heads.heads_in(f"{good}\n{line}\n")
    else:
        assert len(heads.heads_in(f"{good}\n{line}\n")) == 1
