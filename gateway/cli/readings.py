"""``stadsnav reading``: measured values, as a table, a file or a plot.

home, position, name ──> series ──> now      the last value of each
                                ──> list     the newest values
                                ──> export   all of them or a few hundred buckets, as a file
                                ──> plot     one series, in the terminal or as a picture
home, position       ──> all of their series ──> erase       everything of them, for good
the whole hub                                ──> counts      what became of all that arrived
"""

import shutil
import sys
from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import typer

from devices.profiles import load_profiles
from gateway.cli import printing
from gateway.cli.desk import Desk, desk
from gateway.cli.files import write_pieces
from gateway.cli.options import LIMIT, AsJson, Data, Limit, OfHome, commands
from gateway.cli.series import Asked, asked_series, position_id_of
from gateway.erasing import erase_readings
from gateway.plots.plot import LimitLine, Plot, duration_text, plot_of
from gateway.times import ZONE
from services import audit, home_rules
from services.domain.clock import SystemClock
from services.domain.errors import RefusedError, UnknownError
from services.domain.readings import Sample, Series
from services.quarantine import Outcome
from services.readings.batch import LANE, VALUES
from services.readings.formats import (
    BUCKET,
    READING,
    WRITERS,
    Block,
    Format,
    Label,
    bucket_block,
    reading_blocks,
)
from services.readings.history import counts_from, downsample, newest
from services.store import events, registry
from services.store.connection import Connection, from_micros

PLOTTED: Final = "7d"
POINTS: Final = 500
MOST_POINTS: Final = 100_000
PICTURES: Final = (".png", ".svg")
ELSEWHERE: Final = (
    "What was exported, shared or backed up is not here: erase it there too. "
    "Devices that still send are stored again; see `stadsnav device retire`."
)
WITHOUT_A_TERMINAL: Final = (100, 30)
"""Columns and lines of a plot that goes into a pipe."""

app = commands("Measured values.")

Home = Annotated[str, typer.Option("--home", metavar="ID", help="The home.")]
Position = Annotated[str | None, typer.Option("--position", metavar="NAME", help="Only at this position.")]
Name = Annotated[str | None, typer.Option("--name", metavar="NAME", help="Only this kind, as `humidity`.")]
Since = Annotated[
    str | None, typer.Option("--since", metavar="T", help="From when: 7d, 12h, a date or RFC 3339.")
]
Until = Annotated[
    str | None, typer.Option("--until", metavar="T", help="Up to when, not included; now when not given.")
]


class SeveralPositionsError(RefusedError):
    """A plot shows one series, and what was asked for are several."""

    def __init__(self, home_id: str, name: str, positions: list[str]) -> None:
        self.positions = positions
        named = ", ".join(repr(position) for position in positions)
        super().__init__(f"Home {home_id!r} has {name} at {named}; name one of them with --position")


class NotConfirmedError(RefusedError):
    """Somebody was asked whether to erase, and did not say so."""

    def __init__(self, home_id: str) -> None:
        super().__init__(f"Nothing is erased; to erase, type the home's id, {home_id!r}, or use --yes")


@app.command("now")
def now(
    context: typer.Context,
    *,
    home: OfHome = None,
    position: Position = None,
    name: Name = None,
    limit: Limit = LIMIT,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show the last value of each series, and how old it is."""
    if position is not None and home is None:
        raise typer.BadParameter(
            "a position is one of a home: name that with --home", param_hint="--position"
        )
    with asked_series(context, data, home=home, position=position, name=name, limit=limit) as asked:
        last = asked.last()
        found = [
            _row(asked.labels[one.id], last[one.id]) | _age(asked.at.now - counts_from(last[one.id]))
            for one in asked.series
            if one.id in last
        ]
    columns = ("home", "position", "name", "value", "unit", "at", "age")
    printing.show(found, columns, as_json=as_json)


@app.command("list")
def list_readings(
    context: typer.Context,
    *,
    home: Home,
    position: Position = None,
    name: Name = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = LIMIT,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List values, the newest first."""
    with asked_series(context, data, home=home, position=position, name=name) as asked:
        since_us, until_us = asked.span(since, until)
        found = newest(asked.source, asked.series, since_us=since_us, until_us=until_us, limit=limit)
    rows = [_row(asked.labels[one.id], sample) for one, sample in found]
    printing.show(rows, ("at", "position", "name", "value", "unit", "received_at"), as_json=as_json)


@app.command("export")
def export(
    context: typer.Context,
    *,
    home: Home,
    form: Annotated[Format, typer.Option("--format", help="How it is written.")],
    position: Position = None,
    name: Name = None,
    since: Since = None,
    until: Until = None,
    points: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=MOST_POINTS, help="In at most so many buckets of each series."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where to; else stdout.")] = None,
    data: Data = None,
) -> None:
    """Write values, the oldest first, series after series."""
    if form is Format.PARQUET and out is None:
        raise typer.BadParameter("parquet is no text: name a file", param_hint="--out")
    if points is not None and since is None:
        raise typer.BadParameter("buckets divide a time: say from when with --since", param_hint="--points")
    with asked_series(context, data, home=home, position=position, name=name) as asked:
        span = asked.span(since, until)
        if points is None:
            pieces = WRITERS[form](READING, _readings(asked, span))
        else:
            pieces = WRITERS[form](BUCKET, _buckets(asked, span, points))
        _write(pieces, out)


@app.command("plot")
def plot(
    context: typer.Context,
    *,
    home: Home,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What was measured, as `humidity`.")],
    position: Position = None,
    since: Annotated[
        str, typer.Option("--since", metavar="T", help="From when: 7d, 12h, a date or RFC 3339.")
    ] = PLOTTED,
    until: Until = None,
    points: Annotated[
        int, typer.Option(metavar="N", min=1, max=MOST_POINTS, help="In at most so many buckets.")
    ] = POINTS,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="A .png or .svg; else the terminal.")
    ] = None,
    data: Data = None,
) -> None:
    """Plot one series: mean, lowest and highest of each bucket; gaps stay gaps."""
    if out is not None and out.suffix not in PICTURES:
        raise typer.BadParameter(f"a picture ends in {' or '.join(PICTURES)}", param_hint="--out")
    with asked_series(context, data, home=home, position=position, name=name) as asked:
        if not asked.series:
            printing.note("Nothing found.")
            return
        if len(asked.series) > 1:
            positions = [asked.labels[one.id].position for one in asked.series]
            raise SeveralPositionsError(home, name, positions)
        drawn = _plot(asked, asked.span(since, until), points)
    _show_plot(drawn, out)


@app.command("erase")
def erase(
    context: typer.Context,
    *,
    home: Home,
    position: Position = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether to.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Erase all readings of a home, or of one position, for good. Done when this returns."""
    with desk(context, data) as at:
        if registry.home(at.store, home) is None:
            raise UnknownError("home", home, mend="see `stadsnav home list`")
        position_id = position_id_of(at, home, position)
        what = f"home {home}" if position is None else f"{position!r} in home {home}"
        if not yes:
            _confirm(home, what)
        at.write(partial(_note, at=at, action="readings_erasure_asked", home=home, details=what))
        erased = erase_readings(
            at.folder,
            home_id=home,
            position_id=position_id,
            actor=at.actor,
            clock=SystemClock(),
            tell=printing.note,
        )
        details = f"{erased.count} readings of {what}"
        at.write(partial(_note, at=at, action="readings_erased", home=home, details=details))
    if not as_json:
        printing.note(ELSEWHERE)
    printing.show({"home": home, "position": position, "readings_erased": erased.count}, as_json=as_json)


@app.command("counts")
def counts(context: typer.Context, *, data: Data = None, as_json: AsJson = False) -> None:
    """Show what became of all that arrived: received = stored + duplicate + quarantined."""
    with desk(context, data) as at, at.readings() as readings:
        counted = events.counters(readings)
    outcomes = ("received", *Outcome)
    rows = [
        {"of": of} | {str(outcome): counted.get(f"{prefix}_{outcome}", 0) for outcome in outcomes}
        for of, prefix in (("messages", LANE), ("values", VALUES))
    ]
    printing.show(rows, ("of", *map(str, outcomes)), as_json=as_json)


def _confirm(home: str, what: str) -> None:
    if not sys.stdin.isatty():
        raise typer.BadParameter("nobody can be asked here; say it with this option", param_hint="--yes")
    if typer.prompt(f"Type {home} to erase all readings of {what}", err=True) != home:
        raise NotConfirmedError(home)


def _note(connection: Connection, at: Desk, action: str, home: str, details: str) -> None:
    entry = audit.Entry(actor=at.actor, action=action, home_id=home, details=details)
    audit.note(connection, entry, at=SystemClock().now())


def _readings(asked: Asked, span: tuple[int, int]) -> Iterator[Block]:
    for one in asked.series:
        chunks = asked.source.points(one.id, since_us=span[0], until_us=span[1])
        yield from reading_blocks(asked.labels[one.id], chunks)


def _buckets(asked: Asked, span: tuple[int, int], points: int) -> Iterator[Block]:
    for one in asked.series:
        chunks = asked.source.points(one.id, since_us=span[0], until_us=span[1])
        buckets = downsample(chunks, since_us=span[0], until_us=span[1], buckets=points)
        yield bucket_block(asked.labels[one.id], buckets)


def _plot(asked: Asked, span: tuple[int, int], points: int) -> Plot:
    (one,) = asked.series
    chunks = asked.source.points(one.id, since_us=span[0], until_us=span[1])
    return plot_of(
        one,
        position=asked.labels[one.id].position,
        buckets=downsample(chunks, since_us=span[0], until_us=span[1], buckets=points),
        span=(from_micros(span[0]), from_micros(span[1])),
        last=asked.last().get(one.id),
        now=asked.at.now,
        zone=ZoneInfo(ZONE),
        limits=_limits(asked.at, one),
    )


def _limits(at: Desk, series: Series) -> list[LimitLine]:
    """The values that the rules of the position watch, as they are now."""
    device_id = registry.in_service_at(at.store, series.position_id)
    device = registry.device(at.store, device_id) if device_id else None
    if device is None:
        return []
    rules = home_rules.rules_for(
        load_profiles()[device.profile], home_rules.of_home(at.store, series.home_id), series.position_id
    )
    watched = [
        (f"{rule.name} {side}", value)
        for rule in rules
        if rule.reading == series.name
        for side, value in (("above", rule.above), ("below", rule.below))
    ]
    return [LimitLine(label=label, value=value) for label, value in watched if value is not None]


def _show_plot(drawn: Plot, out: Path | None) -> None:
    if out is not None:
        from gateway.plots import pictures  # noqa: PLC0415 - a terminal needs none

        _write([pictures.svg(drawn) if out.suffix == ".svg" else pictures.png(drawn)], out)
        return
    from gateway.plots.terminal import terminal_text  # noqa: PLC0415 - a picture needs no terminal

    columns, lines = shutil.get_terminal_size(WITHOUT_A_TERMINAL)
    sys.stdout.write(terminal_text(drawn, columns=columns, lines=lines, is_colour=sys.stdout.isatty()))
    sys.stdout.flush()


def _write(pieces: Iterable[bytes], out: Path | None) -> None:
    if out is not None:
        printing.note(f"{write_pieces(out, pieces):,} bytes in {out}")
        return
    sys.stdout.flush()
    for piece in pieces:
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def _row(label: Label, sample: Sample) -> dict[str, Any]:
    return {
        "home": label.home,
        "position": label.position,
        "name": label.name,
        "unit": label.unit,
        "at": sample.at,
        "received_at": sample.received_at,
        "value": sample.value,
    }


def _age(age: timedelta) -> dict[str, Any]:
    return {"age_seconds": max(0.0, age.total_seconds()), "age": duration_text(age)}
