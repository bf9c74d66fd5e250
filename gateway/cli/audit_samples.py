"""``stadsnav audit sample``, ``samples``, ``sampled``, ``review``: the checks that the law asks for."""

from functools import partial
from typing import Annotated, Any, Final

import typer

from gateway.cli import printing
from gateway.cli.desk import desk, user_name
from gateway.cli.options import LIMIT, AsJson, Data, Limit
from gateway.times import moment_or_ago
from services import audit
from services.domain.errors import UnknownError
from services.inspection import samples
from services.inspection.samples import Criteria, Kind, Outcome
from services.store import audit_heads as rows
from services.store.audit import AuditRow
from services.store.audit_heads import SampleRow
from services.store.connection import Connection, from_micros

SIZE: Final = 50
COLUMNS: Final = ("number", "at", "actor", "action", "org", "home", "subject", "purpose", "details")

Number = Annotated[int, typer.Argument(metavar="NUMBER", help="Of the sample.")]


def sample(
    context: typer.Context,
    *,
    kind: Annotated[Kind, typer.Option("--kind", help="What it is drawn from.")] = Kind.RANDOM,
    size: Annotated[int, typer.Option(metavar="N", help="At most so many entries.")] = SIZE,
    since: Annotated[str, typer.Option(metavar="TIME", help="From when; also as 30d.")] = "30d",
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Up to when; now when not given.")] = None,
    home: Annotated[str | None, typer.Option("--home", metavar="ID", help="With kind home.")] = None,
    actor: Annotated[
        str | None, typer.Option("--actor", metavar="NAME", help="With kind person; as the log names it.")
    ] = None,
    seed: Annotated[
        str | None, typer.Option(metavar="TEXT", help="To draw the same again; a new one when not given.")
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Draw entries to be looked at; the draw is kept in the log."""
    with desk(context, data) as at:
        criteria = Criteria(
            kind=kind,
            since=moment_or_ago("since", since, now=at.now),
            until=at.now if until is None else moment_or_ago("until", until, now=at.now),
            size=size,
            home_id=home,
            actor=actor,
        )
        picked = samples.pick(at.store, criteria, seed=seed)
        drawn = at.write(partial(samples.record, picked=picked, actor=at.actor, now=at.now))
        found = [entry_row(entry) for entry in samples.entries_of(at.store, drawn)]
    _show(sample_row(drawn), found, as_json=as_json)


def list_samples(
    context: typer.Context, *, limit: Limit = LIMIT, data: Data = None, as_json: AsJson = False
) -> None:
    """List samples, the newest first, with what their reviews came to."""
    with desk(context, data) as at:
        found = [
            sample_row(drawn) | {"reviews": _reviews(at.store, drawn)}
            for drawn in rows.samples(at.store, limit=limit)
        ]
    columns = ("number", "at", "actor", "kind", "criteria", "size", "population", "reviews")
    printing.show(found, columns, as_json=as_json)


def show(context: typer.Context, *, number: Number, data: Data = None, as_json: AsJson = False) -> None:
    """Show the entries of a sample; that is logged too."""
    with desk(context, data) as at:
        drawn = rows.sample(at.store, number)
        if drawn is None:
            raise UnknownError("sample", str(number), mend="see `stadsnav audit samples`")
        found = [entry_row(entry) for entry in samples.entries_of(at.store, drawn)]
        head = sample_row(drawn) | {"reviews": _reviews(at.store, drawn)}
        entry = audit.Entry(actor=at.actor, action="log_read", subject=str(number), details=at.asked)
        at.write(partial(audit.note, entry=entry, at=at.now))
    _show(head, found, as_json=as_json)


def review(
    context: typer.Context,
    *,
    number: Number,
    outcome: Annotated[Outcome, typer.Option("--outcome", help="What it came to.")],
    note: Annotated[str, typer.Option(metavar="TEXT", help="What was found.")] = "",
    by: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who reviewed it; you when not given.")
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Keep what came of looking at a sample."""
    with desk(context, data) as at:
        reviewer = at.actor if by in {None, user_name()} else f"{by} ({at.actor})"
        kept = at.write(
            partial(samples.review, sample=number, outcome=outcome, note=note, reviewer=reviewer, now=at.now)
        )
    printing.show(
        {"sample": number, "outcome": kept.outcome, "note": kept.note, "by": kept.reviewer}, as_json=as_json
    )


def entry_row(entry: AuditRow) -> dict[str, Any]:
    """An entry as it is printed."""
    return {
        "number": entry.number,
        "at": from_micros(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "org": entry.organisation_id,
        "home": entry.home_id,
        "resident": entry.resident_id,
        "subject": entry.subject,
        "purpose": entry.purpose,
        "details": entry.details,
    }


def sample_row(drawn: SampleRow) -> dict[str, Any]:
    """A sample as it is printed."""
    return {
        "number": drawn.entry,
        "at": from_micros(drawn.at),
        "actor": drawn.actor,
        "kind": drawn.kind,
        "criteria": samples.criteria_of(drawn),
        "seed": drawn.seed,
        "size": drawn.size,
        "population": drawn.population,
    }


def _reviews(connection: Connection, drawn: SampleRow) -> list[dict[str, Any]]:
    return [
        {"at": from_micros(row.at), "by": row.reviewer, "outcome": row.outcome, "note": row.note}
        for row in rows.reviews(connection, drawn.entry)
    ]


def _show(drawn: dict[str, Any], found: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        printing.print_json(drawn | {"entries": found})
        return
    printing.show(drawn, as_json=False)
    printing.print_heading("entries")
    printing.show(found, COLUMNS, as_json=False)
