"""``stadsnav resident``: who lives in a home, and what they may ask for.

Names and phones are not options only: where they are left out they are asked for, or read as two lines from
stdin, so that they need not stand in a shell's history.
"""

import json
import sys
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from gateway.cli import printing
from gateway.cli.desk import Desk, desk
from gateway.cli.files import write_pieces
from gateway.cli.operator import operator
from gateway.cli.options import LIMIT, AsJson, Data, Limit, OfHome, commands
from gateway.erasing import erase_readings
from gateway.sealing import ResidentSealer
from gateway.small_steps import write_in_steps
from gateway.times import moment
from services import audit, residents, rights
from services.domain.clock import SystemClock
from services.domain.errors import RefusedError
from services.domain.residents import Contact, How, Resident
from services.residents import NewResident, ResidentChange, Settled
from services.store import residents as rows
from services.store.connection import Connection

app = commands("People in homes, under pseudonyms.")

COLUMNS: Final = ("id", "home", "permanent", "moved_in_at", "moved_out_at", "erased_at")

Id = Annotated[str, typer.Argument(metavar="ID")]
Name = Annotated[str | None, typer.Option(metavar="TEXT", help="Asked for when not given.")]
Phone = Annotated[str | None, typer.Option(metavar="TEXT")]
EndGrants = Annotated[
    bool, typer.Option("--end-grants", help="Let grants end that lack somebody's consent by this.")
]


class OthersLiveThereError(RefusedError):
    """Measured values of a home are everybody's who lives there."""

    def __init__(self, home_id: str) -> None:
        self.home_id = home_id
        super().__init__(
            f"Others live in home {home_id!r}, whose readings these are too; erase without --readings"
        )


@app.command("add")
def add(
    context: typer.Context,
    *,
    home: Annotated[str, typer.Option(metavar="ID", help="Where they live.")],
    resident_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="A pseudonym; made when not given.")
    ] = None,
    name: Name = None,
    phone: Phone = None,
    temporary: Annotated[bool, typer.Option("--temporary", help="Does not live there permanently.")] = False,
    moved_in: Annotated[
        str | None, typer.Option("--moved-in", metavar="TIME", help="Now when not given.")
    ] = None,
    consent: Annotated[
        How | None, typer.Option(help="They consent, in this form, to what grants of the home need it for.")
    ] = None,
    reference: Annotated[str, typer.Option(metavar="TEXT", help="Where that consent is found.")] = "",
    end_grants: EndGrants = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Register somebody who has moved in. The pseudonym must not say who they are."""
    who = _contact(name, phone)
    new = NewResident(
        home_id=home,
        id=resident_id,
        name=who.name,
        phone=who.phone,
        is_permanent=not temporary,
        moved_in_at=None if moved_in is None else moment("moved in", moved_in),
        consent=consent,
        reference=reference,
        ends_grants=end_grants,
    )
    with desk(context, data) as at:
        sealer = ResidentSealer(at.folder)
        settled = at.write(
            lambda connection: residents.add(connection, new, sealer=sealer, actor=operator(at), now=at.now)
        )
    _show(settled, as_json=as_json)


@app.command("list")
def list_residents(
    context: typer.Context,
    *,
    home: OfHome = None,
    limit: Limit = LIMIT,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List residents by id, those who have moved out included; never their names."""
    with desk(context, data) as at:
        found = [_row(one) for one in rows.residents(at.store, home_id=home, limit=limit)]
        at.note_look([row["home"] for row in found], asked_for=home)
    printing.show(found, COLUMNS, as_json=as_json)


@app.command("show")
def show(context: typer.Context, *, resident_id: Id, data: Data = None, as_json: AsJson = False) -> None:
    """Show who a resident is. That you looked is in the log."""
    with desk(context, data) as at:
        resident = residents.get(at.store, resident_id)
        entry = residents.look(resident, at.asked, actor=operator(at))
        at.write(lambda connection: audit.note(connection, entry, at=at.now))
        who = residents.contact(at.store, resident, sealer=ResidentSealer(at.folder))
    found = {"name": who.name if who else None, "phone": who.phone if who else None}
    printing.show(_row(resident) | found, as_json=as_json)


@app.command("change")
def change(
    context: typer.Context,
    *,
    resident_id: Id,
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="- : asked for.")] = None,
    phone: Phone = None,
    permanent: Annotated[bool | None, typer.Option("--permanent/--temporary")] = None,
    moved_in: Annotated[str | None, typer.Option("--moved-in", metavar="TIME")] = None,
    moved_out: Annotated[str | None, typer.Option("--moved-out", metavar="TIME")] = None,
    end_grants: EndGrants = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Correct what is known of a resident; what is not given stays."""
    wanted = ResidentChange(
        name=_asked_for("Name") if name == "-" else name,
        phone=phone,
        is_permanent=permanent,
        moved_in_at=_moment("moved in", moved_in),
        moved_out_at=_moment("moved out", moved_out),
        ends_grants=end_grants,
    )
    with desk(context, data) as at:
        sealer, actor = ResidentSealer(at.folder), operator(at)
        settled = at.write(
            lambda connection: residents.change(
                connection, resident_id, wanted, sealer=sealer, actor=actor, now=at.now
            )
        )
    _show(settled, as_json=as_json)


@app.command("move-out")
def move_out(
    context: typer.Context,
    *,
    resident_id: Id,
    when: Annotated[str | None, typer.Option("--at", metavar="TIME", help="Now when not given.")] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Note that somebody does not live there any more; grants that rested on their consent alone end."""
    moved_out_at = _moment("moved out", when)
    with desk(context, data) as at:
        settled = at.write(
            lambda connection: residents.move_out(
                connection, resident_id, at=moved_out_at, actor=operator(at), now=at.now
            )
        )
    _show(settled, as_json=as_json)


@app.command("export")
def export(
    context: typer.Context,
    *,
    resident_id: Id,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where to; else stdout.")] = None,
    data: Data = None,
) -> None:
    """Write all that is kept about a resident as JSON, for them. Readings: `stadsnav reading export`."""
    with desk(context, data) as at:
        sealer, actor = ResidentSealer(at.folder), operator(at)
        document = at.write(
            lambda connection: rights.export(connection, resident_id, sealer=sealer, actor=actor, now=at.now)
        )
    if out is None:
        printing.print_json(document)
        return
    text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    printing.note(f"{write_pieces(out, [text.encode()]):,} bytes in {out}")


@app.command("erase")
def erase(
    context: typer.Context,
    *,
    resident_id: Id,
    readings: Annotated[
        bool,
        typer.Option("--readings", help="Also the home's measured values, when nobody else lives there."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether to.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Erase a resident's name and phone for good, and say what must stay and why."""
    with desk(context, data) as at:
        resident = residents.get(at.store, resident_id)
        others = [one for one in rows.living_in(at.store, resident.home_id) if one.id != resident.id]
        if readings and others:
            raise OthersLiveThereError(resident.home_id)
        if not yes:
            _confirm(resident_id)
        erased = at.write(partial(rights.erase, resident_id=resident_id, actor=operator(at), now=at.now))
        count = _erase_readings(at, erased.resident) if readings else 0
    kept = [{"what": one.what, "count": one.count, "why": one.why} for one in erased.kept]
    found = {**_row(erased.resident), "readings_erased": count}
    if as_json:
        printing.print_json({**found, "kept": kept})
        return
    printing.show(found, as_json=False)
    printing.print_heading("Kept, without a name:")
    printing.show(kept, ("what", "count", "why"), as_json=False)


@app.command("rekey")
def rekey(context: typer.Context, *, data: Data = None, as_json: AsJson = False) -> None:
    """Make a new key for names and phones, and seal all of them with it. Old keys stay for backups."""
    with desk(context, data) as at:
        sealer = ResidentSealer(at.folder)
        key = sealer.renew()
        known = rows.residents(at.store, limit=rights.EVERYTHING)

        def write(connection: Connection, resident: Resident) -> None:
            residents.reseal(connection, resident, sealer=sealer)

        for _ in write_in_steps(at.store, known, write):
            pass
    printing.show({"key": key, "sealed": len(known)}, as_json=as_json)


def _erase_readings(at: Desk, resident: Resident) -> int:
    erased = erase_readings(
        at.folder,
        home_id=resident.home_id,
        position_id=None,
        actor=at.actor,
        clock=SystemClock(),
        tell=printing.note,
    )
    details = f"{erased.count} readings of home {resident.home_id}"
    entry = audit.Entry(
        actor=at.actor,
        action="readings_erased",
        home_id=resident.home_id,
        resident_id=resident.id,
        details=details,
    )
    at.write(lambda connection: audit.note(connection, entry, at=SystemClock().now()))
    return erased.count


def _confirm(resident_id: str) -> None:
    if not sys.stdin.isatty():
        raise typer.BadParameter("nobody can be asked here; say it with this option", param_hint="--yes")
    typer.confirm(f"Erase who {resident_id} is, for good?", abort=True, err=True)


def _contact(name: str | None, phone: str | None) -> Contact:
    return Contact(
        name=_asked_for("Name") if name is None else name,
        phone=_asked_for("Phone") if name is None and phone is None else phone or "",
    )


def _asked_for(what: str) -> str:
    if sys.stdin.isatty():
        return str(typer.prompt(what, default="", show_default=False, err=True))
    return sys.stdin.readline().strip()


def _moment(what: str, text: str | None) -> datetime | None:
    return None if text is None else moment(what, text)


def _show(settled: Settled, *, as_json: bool) -> None:
    for grant in settled.ended:
        printing.note(f"Ended: grant {grant.id}, {grant.data_class} for {grant.organisation_id}")
    ended = [grant.id for grant in settled.ended]
    printing.show({**_row(settled.resident), "grants_ended": ended}, as_json=as_json)


def _row(resident: Resident) -> dict[str, Any]:
    return {
        "id": resident.id,
        "home": resident.home_id,
        "permanent": resident.is_permanent,
        "moved_in_at": resident.moved_in_at,
        "moved_out_at": resident.moved_out_at,
        "erased_at": resident.erased_at,
    }
