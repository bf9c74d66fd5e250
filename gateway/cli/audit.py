"""``stadsnav audit``: who looked at or changed what, whether the log is whole, extracts and exports of it."""

import sys
from contextlib import closing
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway import log_key
from gateway.cli import audit_samples, printing
from gateway.cli.audit_samples import entry_row
from gateway.cli.desk import Desk, desk
from gateway.cli.files import write_pieces
from gateway.cli.options import LIMIT, AsJson, Data, Limit, OfHome, OfOrganisation, commands
from gateway.log_heads import publish
from gateway.times import moment
from services import audit
from services.domain.errors import InvalidError, RefusedError
from services.inspection import export, extract, heads, verification
from services.inspection.export import Form
from services.inspection.extract import About, Day
from services.inspection.sentences import Language
from services.inspection.signing import public_keys
from services.inspection.verification import Verdict
from services.store import audit as rows
from services.store.audit import Wanted
from services.store.connection import Connection, optional_micros
from services.store.migrations import NEWEST, schema_version
from services.store.sqlite import SqliteConnection

app = commands("Who looked at or changed what.")
app.command("sample")(audit_samples.sample)
app.command("samples")(audit_samples.list_samples)
app.command("sampled")(audit_samples.show)
app.command("review")(audit_samples.review)

Since = Annotated[str | None, typer.Option("--since", metavar="TIME", help="From when; all when not given.")]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Up to when, not included.")]
OfResident = Annotated[str | None, typer.Option("--resident", metavar="ID", help="Only of this resident.")]
OfActor = Annotated[
    str | None, typer.Option("--actor", metavar="NAME", help="Only by this one, as listed here.")
]


class ChainBrokenError(RefusedError):
    """An entry was altered, taken out or put in."""

    def __init__(self, first_bad: int) -> None:
        self.first_bad = first_bad
        super().__init__(
            f"The audit log does not fit together from entry {first_bad} on: somebody changed it outside "
            "of Stadsnav; keep the file, compare it with a backup, and find out who can write to it"
        )


class LogDamagedError(RefusedError):
    """What belongs to the log beside its entries is not as it was written."""

    def __init__(self, verdict: Verdict) -> None:
        first = verdict.problems[0]
        super().__init__(
            f"{first.table} row {first.row} {first.text}: somebody changed it outside of Stadsnav; keep the "
            "file, compare it with a backup, and find out who can write to it"
        )


class OtherSchemaError(RefusedError):
    """A copy of the store is of another version."""

    def __init__(self, found: int) -> None:
        super().__init__(
            f"This store has schema {found}, and this program knows {NEWEST}: use the program that wrote it"
        )


@app.command("list")
def list_entries(
    context: typer.Context,
    *,
    home: OfHome = None,
    org: OfOrganisation = None,
    resident: OfResident = None,
    actor: OfActor = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = LIMIT,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List entries, the newest first; that is logged too."""
    wanted = Wanted(
        home_id=home,
        organisation_id=org,
        resident_id=resident,
        actor=actor,
        since=optional_micros(_time("since", since)),
        until=optional_micros(_time("until", until)),
    )
    with desk(context, data) as at:
        found = rows.newest(at.store, wanted, limit=limit)
        _note_reading(at, wanted)
    columns = ("number", "at", "actor", "action", "org", "home", "subject", "purpose", "details")
    printing.show([entry_row(entry) for entry in found], columns, as_json=as_json)


@app.command("verify")
def verify(
    context: typer.Context,
    *,
    heads_file: Annotated[
        Path | None,
        typer.Option(
            "--heads", metavar="FILE", help="Heads that were kept; DIR/log/heads.jsonl when not given."
        ),
    ] = None,
    public_key: Annotated[
        Path | None,
        typer.Option("--public-key", metavar="FILE", help="Of the log; DIR/log/public.pem when not given."),
    ] = None,
    database: Annotated[
        Path | None,
        typer.Option("--database", metavar="FILE", help="A copy of stadsnav.db; needs no folder."),
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Check the whole log: its chain, its signed heads, its samples."""
    keys = None if public_key is None else public_keys(public_key.read_bytes(), where=str(public_key))
    kept = None if heads_file is None else heads.heads_in(heads_file.read_text("utf-8"))
    if database is not None:
        with closing(_copy(database)) as store:
            verdict = verification.verify(store, keys=keys or {}, kept=kept or [])
    else:
        with desk(context, data) as at:
            keys = log_key.known_keys(at.folder) if keys is None else keys
            kept = log_key.known_heads(at.folder) if kept is None else kept
            verdict = verification.verify(at.store, keys=keys, kept=kept)
    _tell(verdict, is_checked=bool(keys), as_json=as_json)


@app.command("sign")
def sign(context: typer.Context, *, data: Data = None, as_json: AsJson = False) -> None:
    """Sign all that is in the log now, besides the daily head."""
    with desk(context, data) as at:
        key = log_key.signing_key(at.folder)
        head = at.write(partial(heads.sign_head, key=key, now=at.now))
        publish(at.folder)
    printing.show(
        {"day": head.day, "number": head.number, "hash": head.hash, "key": head.key_id}, as_json=as_json
    )


@app.command("key")
def key(context: typer.Context, *, data: Data = None) -> None:
    """Print the public key of the log, to be kept where nobody of here can write."""
    with desk(context, data) as at:
        log_key.signing_key(at.folder)
        pem = log_key.public_file(at.folder).read_text("ascii")
    sys.stdout.write(pem)


@app.command("export")
def export_entries(
    context: typer.Context,
    *,
    form: Annotated[Form, typer.Option("--format", help="jsonl or csv.")] = Form.JSONL,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="stdout when not given.")] = None,
    home: OfHome = None,
    org: OfOrganisation = None,
    resident: OfResident = None,
    since: Since = None,
    until: Until = None,
    data: Data = None,
) -> None:
    """Write entries, the oldest first, as they are read; that is logged too."""
    with desk(context, data) as at:
        wanted = Wanted(
            home_id=home,
            organisation_id=org,
            resident_id=resident,
            since=optional_micros(_time("since", since)),
            until=optional_micros(_time("until", until) or at.now),
        )
        at.write(partial(export.note, wanted=wanted, actor=at.actor, asked=at.asked, now=at.now))
        pieces = export.pieces(at.store, wanted, form)
        if out is not None:
            write_pieces(out, pieces)
            return
        sys.stdout.flush()
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()


@app.command("extract")
def extract_entries(
    context: typer.Context,
    *,
    home: Annotated[str, typer.Option("--home", metavar="ID", help="Of which home.")],
    resident: Annotated[
        str | None, typer.Option("--resident", metavar="ID", help="Without what is about others there.")
    ] = None,
    language: Annotated[Language, typer.Option("--language", help="sv or en.")] = Language.SV,
    since: Since = None,
    until: Until = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Say in plain words who saw what about a home, when and why; that is logged too."""
    with desk(context, data) as at:
        about = About(
            home_id=home,
            resident_id=resident,
            since=_time("since", since),
            until=_time("until", until) or at.now,
        )
        about = extract.checked(at.store, about)
        at.write(partial(extract.note, about=about, actor=at.actor, organisation_id=None, now=at.now))
        found = extract.days(at.store, about, language)
        if as_json:
            printing.print_json([_day(day) for day in found])
            return
        for line in extract.text(found, home_id=home, language=language):
            sys.stdout.write(f"{line}\n")


def _note_reading(at: Desk, wanted: Wanted) -> None:
    def work(connection: Connection) -> int:
        entry = audit.Entry(
            actor=at.actor,
            action="log_read",
            organisation_id=wanted.organisation_id,
            home_id=wanted.home_id,
            resident_id=wanted.resident_id,
            details=at.asked,
        )
        return audit.note(connection, entry, at=at.now)

    at.write(work)


def _copy(path: Path) -> SqliteConnection:
    """A store that is only looked at."""
    if not path.is_file():
        raise InvalidError("database", path, expected="a file")
    store = SqliteConnection(path)
    if schema_version(store) != NEWEST:
        found = schema_version(store)
        store.close()
        raise OtherSchemaError(found)
    return store


def _tell(verdict: Verdict, *, is_checked: bool, as_json: bool) -> None:
    found = {
        "ok": verdict.is_whole,
        "entries": verdict.entries,
        "first_bad": verdict.first_bad,
        "since": verdict.since,
        "until": verdict.until,
        "heads": verdict.heads,
        "signed_to": verdict.signed_to,
        "problems": [
            {"table": problem.table, "row": problem.row, "problem": problem.text}
            for problem in verdict.problems
        ],
    }
    printing.show(found, as_json=as_json)
    if verdict.is_whole and verdict.heads and not is_checked:
        printing.note("Signatures were not checked: there is no public key; name one with --public-key")
    if verdict.first_bad is not None:
        raise ChainBrokenError(verdict.first_bad)
    if not verdict.is_whole:
        raise LogDamagedError(verdict)


def _day(day: Day) -> dict[str, Any]:
    return {
        "day": day.day.isoformat(),
        "lines": [
            {
                "at": line.at,
                "sentence": line.sentence,
                "organisation": line.organisation,
                "purpose": line.purpose,
                "action": line.action,
                "number": line.number,
            }
            for line in day.lines
        ],
    }


def _time(what: str, text: str | None) -> datetime | None:
    return None if text is None else moment(what, text)
