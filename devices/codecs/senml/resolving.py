"""Resolves a pack: what its base fields say is applied to each record (RFC 8428 section 4).

    [{"bn": "a:", "bt": 1.7e9, "n": "x", "v": 1},     a:x at 1.7e9 = 1
     {"n": "y", "t": -5, "v": 2}]                     a:y at 1.7e9 - 5 = 2, and so comes first

A base field holds until another record has the same one. A record of base fields alone measures nothing.
Times are counted in whole microseconds from the start, so that ``bt`` and ``t`` lose nothing in their sum.
"""

import re
from math import isfinite
from operator import itemgetter
from typing import Final

from msgspec import UNSET

from devices.codecs.errors import PayloadError
from devices.codecs.senml.measured import Measured
from devices.codecs.senml.records import MAX_RECORDS, Record

NAME_MAX_LENGTH: Final = 255
SECOND: Final = 1_000_000
"""In microseconds."""

RELATIVE_BELOW_US: Final = 2**28 * SECOND
"""Times below it count from now (RFC 8428 section 4.5.3); as a date that is 4 July 1978."""

LATEST_US: Final = 7_258_118_400 * SECOND
"""The start of 2200: nothing from there on is a clock."""

VERSION: Final = 10
SECONDARY_UNITS_FEATURE: Final = 1 << 4
"""RFC 9100 section 4; with it the version is 26."""

is_name: Final = re.compile(rf"[A-Za-z0-9][-A-Za-z0-9:./_]{{0,{NAME_MAX_LENGTH - 1}}}").fullmatch
"""RFC 8428 section 4.5.1."""

_LONGEST_TIME_SECONDS: Final = 1e10
_at_us: Final = itemgetter(Measured._fields.index("at_us"))


def resolve(records: list[Record], received_us: int) -> list[Measured]:
    """Apply base fields, count relative times from ``received_us``, and put in order of time.

    Raises:
        PayloadError: A record breaks a rule, or none measures anything.
    """
    if len(records) > MAX_RECORDS:
        reason = f"{len(records)} records; right would be at most {MAX_RECORDS}"
        raise PayloadError(reason)
    base = _Base()
    resolved: list[Measured] = []
    number = 0
    try:
        for number, record in enumerate(records, 1):
            if not (record.bn is record.bt is record.bu is record.bv is record.bs is record.bver is UNSET):
                base.take(record, is_first=number == 1)
                if _is_base_alone(record):
                    continue
            resolved.append(_resolved(record, base, received_us))
    except PayloadError as error:
        reason = f"record {number}: {error.reason}"
        raise PayloadError(reason) from None
    if not resolved:
        reason = "nothing is measured; right would be at least one record with a value"
        raise PayloadError(reason)
    resolved.sort(key=_at_us)
    return resolved


class _Base:
    """What holds for the records to come."""

    __slots__ = ("name", "time_us", "unit", "value", "version")

    def __init__(self) -> None:
        self.name = ""
        self.time_us = 0
        self.unit = ""
        self.value = 0.0
        self.version = VERSION

    def take(self, record: Record, *, is_first: bool) -> None:
        """Base sums are not kept: nothing here asks for a sum."""
        if record.bn is not UNSET:
            self.name = record.bn
        if record.bt is not UNSET:
            self.time_us = _microseconds(record.bt)
        if record.bu is not UNSET:
            self.unit = record.bu
        if record.bv is not UNSET:
            self.value = record.bv
        if record.bver is not UNSET:
            self._take_version(record.bver, is_first=is_first)

    def _take_version(self, version: int, *, is_first: bool) -> None:
        if not (0 < version <= VERSION or version == VERSION | SECONDARY_UNITS_FEATURE):
            reason = f"bver is {version!s:.40}; right would be at most 10, or 26 (10 with secondary units)"
            raise PayloadError(reason)
        if not is_first and version != self.version:
            reason = (
                f"bver is {version} in a pack of version {self.version}; right would be one version per pack"
            )
            raise PayloadError(reason)
        self.version = version


def _is_base_alone(record: Record) -> bool:
    has_value = not (record.v is record.vs is record.vb is record.vd is record.s is UNSET)
    return not (has_value or record.n or record.u or record.t or record.ut is not UNSET)


def _resolved(record: Record, base: _Base, received_us: int) -> Measured:
    name = base.name + record.n
    if not is_name(name):
        raise _bad_name(name)
    unit = record.u or base.unit
    if not unit.isprintable():
        reason = f"the unit is {unit!a}; right would be printable characters"
        raise PayloadError(reason)
    value: float | None
    if record.v is not UNSET and record.vs is record.vb is record.vd is UNSET:
        value, note = base.value + record.v, ""
        if not isfinite(value):
            reason = f"bv + v is {value}; right would be a finite number"
            raise PayloadError(reason)
    else:
        value, note = _other_value(record)
    update_seconds = None if record.ut is UNSET else _update_seconds(record.ut)
    return Measured(name, unit, _time_us(record, base, received_us), value, update_seconds, note)


def _other_value(record: Record) -> tuple[float | None, str]:
    match [label for label in ("v", "vs", "vb", "vd") if getattr(record, label) is not UNSET]:
        case ["vb"]:
            return float(record.vb is True), ""
        case ["vs"]:
            return None, "text"
        case ["vd"]:
            return None, "data"
        case [] if record.s is not UNSET:
            return None, "only a sum"
        case given:
            what = f"{' and '.join(given)} stand together" if given else "no value and no sum (s)"
            reason = f"{what}; right would be exactly one of v, vs, vb and vd"
            raise PayloadError(reason)


def _time_us(record: Record, base: _Base, received_us: int) -> int:
    at_us = base.time_us
    if record.t:
        at_us += _microseconds(record.t)
    if at_us < RELATIVE_BELOW_US:
        at_us += received_us
    if RELATIVE_BELOW_US <= at_us < LATEST_US:
        return at_us
    reason = f"the time is {at_us / SECOND:.17g} s after 1970; right would be from 1978-07-04 to 2199"
    raise PayloadError(reason)


def _microseconds(seconds: float) -> int:
    if -_LONGEST_TIME_SECONDS < seconds < _LONGEST_TIME_SECONDS:
        return round(seconds * SECOND)
    reason = f"a time of {seconds:g} s; right would be seconds after 1970, or less than 2^28 from now"
    raise PayloadError(reason)


def _update_seconds(seconds: float) -> float:
    if seconds >= 0:
        return seconds
    reason = f"ut is {seconds:g}; right would be seconds until the next value at the latest"
    raise PayloadError(reason)


def _bad_name(name: str) -> PayloadError:
    if not name:
        return PayloadError("no name; right would be bn, n or both")
    return PayloadError(
        f"the name is {name[:80]!a}; right would be at most {NAME_MAX_LENGTH} characters "
        "out of A-Z a-z 0-9 - : . / _ and a letter or digit first"
    )
