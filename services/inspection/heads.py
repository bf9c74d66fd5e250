"""Signed heads: how far the log reached, for somebody who keeps them elsewhere.

    chain … n ──> head (day, n, hash of n, the head before) ──signed──> heads.jsonl, the process's log

Whoever has a head and the public key sees when what it covers was changed or cut off, even by somebody who
can write to the whole data folder.
"""

import json
from dataclasses import asdict, astuple, fields, replace
from datetime import UTC, datetime
from typing import Any, Final

from services import audit
from services.audit import Entry
from services.domain.errors import RefusedError
from services.inspection import seals
from services.inspection.signing import PublicKeys, SigningKey, is_signed
from services.store import audit as audit_rows
from services.store import audit_heads as rows
from services.store.audit_heads import HeadRow
from services.store.connection import Connection, to_micros

SIGNED_FORM: Final = "stadsnav-log-head-1"

_NUMBERS: Final = frozenset({"entry", "number", "at"})


class HeadsUnreadableError(RefusedError):
    """A file of heads holds a line that is none."""

    code = "heads_unreadable"

    def __init__(self, line: int) -> None:
        self.line = line
        super().__init__(
            f"Line {line} of the heads is not one that Stadsnav has written; compare the file with its copies"
        )


def sign_head(connection: Connection, key: SigningKey, *, now: datetime) -> HeadRow:
    """Sign all that is in the log up to now."""
    number, hash_ = audit_rows.last(connection)
    head = _signed(connection, key, kind=rows.HEAD, number=number, hash_=hash_, now=now)
    rows.add_head(connection, head)
    details = seals.details(astuple(head))
    audit.note(
        connection, Entry(actor="hub", action="head_signed", subject=head.day, details=details), at=now
    )
    return head


def sign_anchor(connection: Connection, key: SigningKey, *, number: int, now: datetime) -> HeadRow | None:
    """Let the chain begin behind an entry: all up to it may be deleted; None: it is not there."""
    row = audit_rows.get(connection, number)
    if row is None:
        return None
    head = _signed(connection, key, kind=rows.ANCHOR, number=number, hash_=row.hash, now=now)
    rows.add_head(connection, head)
    details = seals.details(astuple(head))
    audit.note(connection, Entry(actor="hub", action="log_pruned", subject=head.day, details=details), at=now)
    return head


def day_of(moment: datetime) -> str:
    """The day of a head that is signed at a moment: UTC."""
    return moment.astimezone(UTC).date().isoformat()


def is_signed_by(head: HeadRow, keys: PublicKeys) -> bool:
    """Whether the signature is that of one of the keys."""
    key = keys.get(head.key_id)
    return key is not None and is_signed(key, _message(head), head.signature)


def is_well_formed(head: HeadRow) -> bool:
    """Whether every member is of its type, wherever the row comes from."""
    return all(
        type(value) is (int if field.name in _NUMBERS else str)
        for field, value in zip(fields(HeadRow), astuple(head), strict=True)
    )


def line_of(head: HeadRow) -> str:
    """A head as a line of ``heads.jsonl``, without its end."""
    return json.dumps(asdict(head), ensure_ascii=False, separators=(",", ":"))


def heads_in(text: str) -> list[HeadRow]:
    """The heads of a file, in its order. A last line without its end was not written to its end: left out.

    Raises:
        HeadsUnreadableError: Another line is no head.
    """
    lines = text.split("\n")[:-1]
    return [_head_in(line, number) for number, line in enumerate(lines, start=1) if line.strip()]


def _head_in(line: str, number: int) -> HeadRow:
    try:
        found: Any = json.loads(line)
        head = HeadRow(*(found[field.name] for field in fields(HeadRow)))
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise HeadsUnreadableError(number) from error
    if not is_well_formed(head):
        raise HeadsUnreadableError(number)
    return head


def _signed(
    connection: Connection, key: SigningKey, *, kind: str, number: int, hash_: str, now: datetime
) -> HeadRow:
    before = rows.newest_head(connection)
    unsigned = HeadRow(
        entry=seals.next_entry(connection),
        kind=kind,
        day=day_of(now),
        number=number,
        hash=hash_,
        at=to_micros(now),
        previous="" if before is None else seals.digest(astuple(before)),
        key_id=key.id,
        signature="",
    )
    return replace(unsigned, signature=key.sign(_message(unsigned)))


def _message(head: HeadRow) -> bytes:
    """What is signed: every member but the signature, in this order."""
    members = [SIGNED_FORM, *astuple(head)[:-1]]
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()
