"""``stadsnav event``: everything that homes said on their alarm lane, as it came."""

from typing import Any

import typer

from gateway.cli import printing
from gateway.cli.desk import desk
from gateway.cli.options import LIMIT, AsJson, Data, Limit, OfDevice, OfHome, commands
from services.domain.alarms import Event
from services.store import events as rows

app = commands("What homes said.")


@app.command("list")
def list_events(
    context: typer.Context,
    *,
    home: OfHome = None,
    device: OfDevice = None,
    limit: Limit = LIMIT,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List events, the newest first. ``event`` is our id, ``id`` the home's."""
    with desk(context, data) as at:
        events = rows.events(at.store, home_id=home, device_id=device, limit=limit)
        at.note_look((event.home_id for event in events), asked_for=home)
    columns = ("event", "received_at", "home", "device", "id", "kind", "state", "alarm")
    printing.show([event_row(event) for event in events], columns, as_json=as_json)


def event_row(event: Event) -> dict[str, Any]:
    """An event as the contract names its members."""
    return {
        "event": event.id,
        "id": event.external_id,
        "device": event.device_id,
        "home": event.home_id,
        "kind": event.kind,
        "state": event.signal,
        "alarm": event.alarm_id,
        "test": event.is_test,
        "at": event.sent_at,
        "received_at": event.received_at,
        "conflict": event.is_conflict,
        "text": event.text,
    }
