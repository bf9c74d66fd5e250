"""``stadsnav audit``: the log of every look and change, and whether its chain is whole."""

from typing import Any

import typer

from gateway.cli import printing
from gateway.cli.desk import desk
from gateway.cli.options import LIMIT, AsJson, Data, Limit, OfHome, OfOrganisation, commands
from services import audit
from services.domain.errors import RefusedError
from services.store import audit as rows
from services.store.audit import AuditRow
from services.store.connection import from_micros

app = commands("Who looked at or changed what.")


class ChainBrokenError(RefusedError):
    """An entry was altered, taken out or put in."""

    def __init__(self, first_bad: int) -> None:
        self.first_bad = first_bad
        super().__init__(
            f"The audit log does not fit together from entry {first_bad} on: somebody changed it outside "
            "of Stadsnav; keep the file, compare it with a backup, and find out who can write to it"
        )


@app.command("list")
def list_entries(
    context: typer.Context,
    *,
    home: OfHome = None,
    org: OfOrganisation = None,
    limit: Limit = LIMIT,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List entries, the newest first."""
    with desk(context, data) as at:
        found = rows.newest(at.store, home_id=home, organisation_id=org, limit=limit)
    columns = ("number", "at", "actor", "action", "org", "home", "subject", "purpose", "details")
    printing.show([_row(entry) for entry in found], columns, as_json=as_json)


@app.command("verify")
def verify(context: typer.Context, *, data: Data = None, as_json: AsJson = False) -> None:
    """Check the whole chain, from its first entry."""
    with desk(context, data) as at:
        verdict = audit.verify(rows.entries(at.store))
    found = {"ok": verdict.first_bad is None, "entries": verdict.entries, "first_bad": verdict.first_bad}
    printing.show(found, as_json=as_json)
    if verdict.first_bad is not None:
        raise ChainBrokenError(verdict.first_bad)


def _row(entry: AuditRow) -> dict[str, Any]:
    return {
        "number": entry.number,
        "at": from_micros(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "org": entry.organisation_id,
        "home": entry.home_id,
        "subject": entry.subject,
        "purpose": entry.purpose,
        "details": entry.details,
    }
