"""What we answer: receipts still to be sent home, and replies already given to partners."""

from dataclasses import dataclass
from datetime import datetime

from services.store.connection import Connection, to_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeReceipt:
    """A receipt on its way to a home."""

    id: str
    client_id: str
    device_id: str
    payload: bytes


def add_receipt(connection: Connection, receipt: HomeReceipt, *, at: datetime) -> None:
    """Keep a receipt until the broker has it."""
    connection.run(
        "INSERT INTO home_receipts (id, client_id, device_id, payload, created_at) VALUES (?, ?, ?, ?, ?)",
        receipt.id,
        receipt.client_id,
        receipt.device_id,
        receipt.payload,
        to_micros(at),
    )


def unsent_receipts(connection: Connection, *, limit: int) -> list[HomeReceipt]:
    """Receipts that the broker has not confirmed, oldest first."""
    rows = connection.rows(
        """SELECT id, client_id, device_id, payload FROM home_receipts
           WHERE sent_at IS NULL ORDER BY id LIMIT ?""",
        limit,
    )
    return [HomeReceipt(id=row[0], client_id=row[1], device_id=row[2], payload=row[3]) for row in rows]


def mark_sent(connection: Connection, receipt_id: str, *, at: datetime) -> None:
    """The broker has it."""
    connection.run("UPDATE home_receipts SET sent_at = ? WHERE id = ?", to_micros(at), receipt_id)


def reply_to(connection: Connection, organisation_id: str, request: str) -> bytes | None:
    """What was answered to this request before."""
    row = connection.row(
        "SELECT reply FROM actions WHERE organisation_id = ? AND request = ?", organisation_id, request
    )
    return None if row is None else bytes(row[0])


def keep_reply(
    connection: Connection, organisation_id: str, request: str, reply: bytes, *, at: datetime
) -> None:
    """Remember an answer, so that the same request again gets it and has no second effect."""
    connection.run(
        "INSERT INTO actions (organisation_id, request, reply, at) VALUES (?, ?, ?, ?)",
        organisation_id,
        request,
        reply,
        to_micros(at),
    )
