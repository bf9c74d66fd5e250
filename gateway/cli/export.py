"""``stadsnav export``: databases elsewhere that get every reading, and how far each is."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from typing import Annotated, Any

import typer

from gateway import settings
from gateway.cli import printing
from gateway.cli.desk import Desk, desk
from gateway.cli.options import AsJson, Data, commands
from gateway.data_folder import EXPORT_LOCK, DataFolder, holder
from gateway.export import cursors
from gateway.export.again import Span, history, send_again
from gateway.export.cursors import Mended
from gateway.export.lag import TargetStatus, status_of
from gateway.export.lines import Lines
from gateway.export.pseudonyms import pseudonyms
from gateway.settings import ExportSettings
from gateway.times import moment_or_ago
from services import audit
from services.audit import Entry
from services.domain.errors import InvalidError, UnknownError
from services.store import registry
from services.store.connection import from_micros, to_micros
from services.store.sqlite import SqliteConnection

app = commands("Databases elsewhere that get every reading (docs/export.md).")


@app.command("status")
def status(context: typer.Context, *, data: Data = None, as_json: AsJson = False) -> None:
    """Show how far behind each target is, and what it could not take."""
    with desk(context, data) as at, at.readings() as readings:
        targets = settings.load(at.folder.path).export
        is_running = holder(at.folder, EXPORT_LOCK) is not None
        found = [
            _row(status_of(at.folder, name, readings, now=at.now), is_running=is_running) for name in targets
        ]
    columns = ("target", "lag_seconds", "readings_behind", "sent", "set_aside", "lost", "problem")
    printing.show(found, columns, as_json=as_json)


@app.command("again")
def again(
    context: typer.Context,
    *,
    target: Annotated[str, typer.Argument(metavar="TARGET", help="Its name in the settings.")],
    since: Annotated[
        str, typer.Option("--since", metavar="T", help="From when: 7d, 12h, a date or RFC 3339.")
    ],
    until: Annotated[
        str | None, typer.Option("--until", metavar="T", help="Up to when, not included; now when not given.")
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Send what was measured or received in a time once more; what the target has stays as it is."""
    with desk(context, data) as at, at.readings() as readings:
        chosen = _chosen(at.folder, target)
        span = _span(at, since, until)
        entry = Entry(actor=at.actor, action="exported_again", subject=target, details=at.asked)
        at.write(lambda connection: audit.note(connection, entry, at=at.now))
        lines = Lines(readings, pseudonyms(at.folder), chosen.classes)
        sent, set_aside = asyncio.run(_send(chosen, readings, span, lines))
        mended = Mended(since_us=span.since_us, until_us=span.until_us)
        cursors.write_mended(at.folder, target, mended)
    printing.show({"target": target, "sent": sent, "set_aside": set_aside}, as_json=as_json)


@app.command("position")
def position(
    context: typer.Context,
    *,
    home: Annotated[str, typer.Argument(metavar="HOME")],
    name: Annotated[str, typer.Argument(metavar="POSITION", help="The position's name at that home.")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show the tag under which a position's readings are elsewhere, as an erasure there needs it."""
    with desk(context, data) as at:
        at.note_look([home])
        found = registry.position(at.store, home, name)
        if found is None:
            raise UnknownError("position", name, mend=f"see `stadsnav device list --home {home}`")
        tag = pseudonyms(at.folder).tag(found.id)
    printing.show({"home": home, "position": name, "tag": tag}, as_json=as_json)


def _chosen(folder: DataFolder, target: str) -> ExportSettings:
    targets = settings.load(folder.path).export
    if target not in targets:
        named = ", ".join(targets) or "none is configured"
        raise UnknownError("export target", target, mend=f"see [export.NAME] in stadsnav.toml: {named}")
    return targets[target]


def _span(at: Desk, since: str, until: str | None) -> Span:
    since_us = to_micros(moment_or_ago("since", since, now=at.now))
    until_us = to_micros(at.now if until is None else moment_or_ago("until", until, now=at.now))
    if until_us <= since_us:
        raise InvalidError("until", until or "now", expected=f"a time after {since}")
    return Span(since_us=since_us, until_us=until_us)


async def _send(
    chosen: ExportSettings, readings: SqliteConnection, span: Span, lines: Lines
) -> tuple[int, int]:
    from gateway.export.influx import InfluxTarget  # noqa: PLC0415 - half a second that only this needs

    with closing(InfluxTarget(chosen)) as target:
        return await send_again(
            target,
            history(readings, span),
            lines,
            at_once=chosen.batch_points,
            on_progress=_every_million(lambda sent: printing.note(f"{sent:,} sent")),
        )


def _every_million(tell: Callable[[int], None]) -> Callable[[int], None]:
    told = 0

    def on_progress(sent: int) -> None:
        nonlocal told
        if sent // 1_000_000 > told:
            told = sent // 1_000_000
            tell(sent)

    return on_progress


def _row(status: TargetStatus, *, is_running: bool) -> dict[str, Any]:
    cursor, lost = status.cursor, status.lost
    return {
        "target": status.name,
        "is_running": is_running,
        "has_begun": cursor is not None,
        "lag_seconds": round(status.lag_seconds, 3),
        "readings_behind": status.readings_behind,
        "sent": cursor.sent if cursor else 0,
        "set_aside": cursor.set_aside if cursor else 0,
        "lost": lost.rows if lost else 0,
        "lost_since": from_micros(lost.since_us) if lost else None,
        "lost_until": from_micros(lost.until_us) if lost else None,
        "problem": cursor.problem if cursor else "",
        "problem_since": from_micros(cursor.problem_since_us) if cursor and cursor.problem else None,
    }
