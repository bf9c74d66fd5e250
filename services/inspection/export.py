"""The log, or a part of it, for other programs: a line for each entry, the oldest first, as it is read.

jsonl    every member with its type; also the hash, so that a part can be compared with the log
csv      the same for a spreadsheet; what would be a formula there is text
"""

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from devices.codecs.rfc3339 import time_text
from services import audit
from services.audit import Entry
from services.domain.cells import cell
from services.store import audit as rows
from services.store.audit import AuditRow, Wanted
from services.store.connection import Connection, from_micros


class Form(StrEnum):
    """How an export is written."""

    JSONL = "jsonl"
    CSV = "csv"


MEDIA_TYPES: Final = {Form.JSONL: "application/jsonl", Form.CSV: "text/csv; charset=utf-8"}

BLOCK_BYTES: Final = 32_768

COLUMNS: Final = tuple(field.name for field in fields(AuditRow))


def pieces(connection: Connection, wanted: Wanted, form: Form) -> Iterator[bytes]:
    """An export, some whole lines at a time."""
    block = bytearray(_csv_line(COLUMNS) if form is Form.CSV else b"")
    write = _WRITERS[form]
    for row in rows.in_order(connection, wanted):
        block += write(row)
        if len(block) >= BLOCK_BYTES:
            yield bytes(block)
            block.clear()
    yield bytes(block)


def note(
    connection: Connection,
    wanted: Wanted,
    *,
    actor: str,
    organisation_id: str | None = None,
    asked: str,
    now: datetime,
) -> None:
    """Log an export, before anything of it leaves.

    Args:
        connection: In a transaction.
        wanted: What is exported.
        actor: Who does.
        organisation_id: For whom; that whose entries are exported, when nothing is said.
        asked: In the words of the question.
        now: The moment.
    """
    entry = Entry(
        actor=actor,
        action="log_exported",
        organisation_id=organisation_id or wanted.organisation_id,
        home_id=wanted.home_id,
        resident_id=wanted.resident_id,
        details=asked,
    )
    audit.note(connection, entry, at=now)


def _values(row: AuditRow) -> dict[str, Any]:
    return asdict(row) | {"at": time_text(from_micros(row.at))}


def _json_line(row: AuditRow) -> bytes:
    return json.dumps(_values(row), ensure_ascii=False).encode() + b"\n"


def _csv_of(row: AuditRow) -> bytes:
    return _csv_line(tuple(_values(row).values()))


def _csv_line(values: tuple[Any, ...]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerow([cell(value) for value in values])
    return out.getvalue().encode()


_WRITERS: Final[dict[Form, Callable[[AuditRow], bytes]]] = {Form.JSONL: _json_line, Form.CSV: _csv_of}
