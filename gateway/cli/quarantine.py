"""``stadsnav quarantine``: what arrived and could not be taken, as the bytes that came, with the reason.

alarm, status, partner lane: stadsnav.db ──┐
reading lane: readings.db ─────────────────┴──> the newest of both
"""

import base64
from typing import Any

import typer

from gateway.cli import printing
from gateway.cli.desk import Desk, desk
from gateway.cli.options import LIMIT, AsJson, Data, Limit, OfDevice, OfHome, commands
from services.store import events as rows
from services.store.events import Quarantined

app = commands("What could not be taken.")


@app.command("list")
def list_quarantined(
    context: typer.Context,
    *,
    home: OfHome = None,
    device: OfDevice = None,
    limit: Limit = LIMIT,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List what was refused and why, the newest first."""
    with desk(context, data) as at:
        kept = _kept(at, home=home, device=device, limit=limit)
        at.note_look((item.home_id for item in kept), asked_for=home)
    columns = ("received_at", "lane", "client", "device", "reason", "bytes")
    printing.show([_row(item) for item in kept], columns, as_json=as_json)


def _kept(at: Desk, *, home: str | None, device: str | None, limit: int) -> list[Quarantined]:
    """The newest of both databases; ids are made in the order of time."""
    found = rows.quarantined(at.store, home_id=home, device_id=device, limit=limit)
    if at.folder.readings.exists():
        with at.readings() as readings:
            found += rows.quarantined(readings, home_id=home, device_id=device, limit=limit)
    return sorted(found, key=lambda item: item.id, reverse=True)[:limit]


def _row(item: Quarantined) -> dict[str, Any]:
    payload, encoding = payload_text(item.payload)
    return {
        "id": item.id,
        "received_at": item.received_at,
        "lane": item.lane,
        "topic": item.topic,
        "client": item.client_id,
        "device": item.device_id,
        "home": item.home_id,
        "external_id": item.external_id,
        "reason": item.reason,
        "bytes": payload,
        "encoding": encoding,
    }


def payload_text(payload: bytes) -> tuple[str, str]:
    """Bytes as text, and how: ``utf-8`` when they are that, else ``base64``."""
    try:
        return payload.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(payload).decode("ascii"), "base64"
