"""Writes resolved records as one SenML pack in JSON, short: what records share stands once.

a:x at 1.7e9 = 1, a:y at 1.7e9 + 5 = 2  ->  [{"bn":"a:","bt":1700000000,"n":"x","v":1.0},
                                             {"n":"y","t":5,"v":2.0}]
"""

from collections.abc import Iterable
from math import inf, isfinite
from typing import Any, Final

import msgspec

from devices.codecs.senml.measured import Measured
from devices.codecs.senml.records import UNIT_MAX_LENGTH
from devices.codecs.senml.resolving import (
    LATEST_US,
    RELATIVE_BELOW_US,
    SECOND,
    SECONDARY_UNITS_FEATURE,
    VERSION,
    is_name,
)
from devices.profiles.units import SECONDARY_UNITS

_SEPARATORS: Final = ":/."
_OFFSET_LIMIT_US: Final = 86_400 * SECOND
"""Above it another base time is written, so that offsets stay exact to the microsecond."""


class UnwritableRecordError(ValueError):
    """A record cannot be said in SenML."""

    def __init__(self, record: Measured, problem: str) -> None:
        self.record = record
        self.problem = problem
        super().__init__(f"Cannot write {record.name[:80]!r} as SenML: {problem}")


def encode_json(records: Iterable[Measured]) -> bytes:
    """Write one pack; what ``decode`` makes of it are the same records, in order of time.

    A pack with a secondary unit in it says so by its version (RFC 9100 section 4). How many records a
    reader takes in one pack is the caller's to know (``records.MAX_RECORDS`` here).

    Raises:
        UnwritableRecordError: A record holds no finite number, or its name, unit, time or update time
            has no place in SenML.
    """
    ordered = sorted(records, key=lambda record: record.at_us)
    for record in ordered:
        if problem := _problem(record):
            raise UnwritableRecordError(record, problem)
    base_name = _base_name([record.name for record in ordered])
    pack: list[dict[str, Any]] = []
    base_us = 0
    for record in ordered:
        fields: dict[str, Any] = {}
        if record.at_us - base_us >= _OFFSET_LIMIT_US:
            base_us = record.at_us - record.at_us % SECOND
            fields["bt"] = base_us // SECOND
        pack.append(fields | _own_fields(record, base_name, base_us))
    if pack:
        pack[0] = _base_fields(ordered, base_name) | pack[0]
    return msgspec.json.encode(pack)


def _base_fields(records: list[Measured], base_name: str) -> dict[str, Any]:
    has_secondary = any(record.unit in SECONDARY_UNITS for record in records)
    base = {"bver": VERSION | SECONDARY_UNITS_FEATURE if has_secondary else None, "bn": base_name or None}
    return {label: value for label, value in base.items() if value is not None}


def _own_fields(record: Measured, base_name: str, base_us: int) -> dict[str, Any]:
    fields = {
        "n": record.name.removeprefix(base_name) or None,
        "u": record.unit or None,
        "t": (record.at_us - base_us) / SECOND or None,
        "v": record.value,
        "ut": record.update_seconds,
    }
    return {label: value for label, value in fields.items() if value is not None}


def _base_name(names: list[str]) -> str:
    """What all names start with, up to a separator; the whole name when there is but one."""
    first, last = min(names, default=""), max(names, default="")
    if first == last:
        return first
    pairs = enumerate(zip(first, last, strict=False))
    shared = first[: next((place for place, (one, other) in pairs if one != other), len(first))]
    return shared[: 1 + max(shared.rfind(separator) for separator in _SEPARATORS)]


def _problem(record: Measured) -> str:
    """Why ``record`` cannot be written; "" when it can."""
    if record.value is None or not isfinite(record.value):
        return f"it holds {record.note or record.value}; right would be a finite number"
    if not is_name(record.name):
        return "right would be letters, digits and - : . / _ and a letter or digit first"
    if len(record.unit) > UNIT_MAX_LENGTH or not record.unit.isprintable():
        return f"its unit is {record.unit[:40]!a}; right would be {UNIT_MAX_LENGTH} printable characters"
    if not RELATIVE_BELOW_US <= record.at_us < LATEST_US:
        return f"its time is {record.at_us} us after 1970; right would be from 1978-07-04 to 2199"
    if record.update_seconds is not None and not 0 <= record.update_seconds < inf:
        return f"its update time is {record.update_seconds} s; right would be 0 s or more"
    return ""
