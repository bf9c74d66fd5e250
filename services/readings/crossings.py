"""A limit was crossed, one way or the other: the event that it makes, with a text for people.

    Crossing  ->  AlarmMessage  ->  the same way as a press

The id follows from the rule, the position and the moment at which it began, so that the same crossing
is the same event however often it is derived.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from devices.codecs.rfc3339 import time_text
from devices.kinds import AlarmKind
from devices.messages import AlarmMessage, AlarmSignal
from devices.profiles import ReadingRule
from devices.profiles.rules import Condition, Note, describe, time_span
from services.domain.ids import PositionId
from services.readings.mould import critical_humidity, mould_note
from services.store.connection import from_micros

_NAME_IN_ID: Final = 24
_DIGEST_IN_ID: Final = 32
"""With the name and ``rule:`` fewer than the 64 characters that an event's id may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A rule became broken at a position, or well again."""

    id: str
    """Printable ASCII, at most 64; the same when the same crossing is derived again."""
    rule: str
    position_id: PositionId
    kind: AlarmKind
    is_raised: bool
    at_us: int
    """When the rule was broken (after its duration) or well again, by the device's clock."""
    text: str
    data: Mapping[str, Any]
    """Members for programs, fit for JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a crossing rests on."""

    value: float
    """The last that was heard of the reading."""
    since_us: int
    """When it began."""
    at_us: int
    celsius: float | None = None
    """The temperature there, for a note about mould."""


def raised(rule: ReadingRule, unit: str, position_id: PositionId, evidence: Evidence) -> Crossing:
    """The crossing that opens an alarm."""
    value = f"{evidence.value:g} {unit}"
    if rule.condition is Condition.MISSING:
        said = f"no {rule.reading} heard for {time_span(int(rule.limit))}, last {value}"
    else:
        said = f"{rule.reading} {value}, {describe(rule, unit)}"
    text, data = f"{rule.text.en}: {said}", _data(rule, unit, evidence)
    if rule.note is Note.MOULD_RISK:
        text = f"{text}; {mould_note(evidence.value, evidence.celsius)}"
        data["mould"] = _mould(evidence.celsius)
    return Crossing(
        id=crossing_id(rule.name, position_id, evidence.since_us, AlarmSignal.RAISED),
        rule=rule.name,
        position_id=position_id,
        kind=rule.kind,
        is_raised=True,
        at_us=evidence.at_us,
        text=text,
        data=data,
    )


def cleared(
    rule: ReadingRule, unit: str, position_id: PositionId, evidence: Evidence, *, kind: AlarmKind
) -> Crossing:
    """The crossing that ends what ``raised`` began.

    Args:
        rule: What holds now.
        unit: Of the reading.
        position_id: Where.
        evidence: Its ``since_us`` is that of the alarm.
        kind: What the alarm was opened as, which the rule may have changed since.
    """
    return Crossing(
        id=crossing_id(rule.name, position_id, evidence.since_us, AlarmSignal.CLEARED),
        rule=rule.name,
        position_id=position_id,
        kind=kind,
        is_raised=False,
        at_us=evidence.at_us,
        text=f"{rule.text.en}: over, {rule.reading} {evidence.value:g} {unit}",
        data=_data(rule, unit, evidence),
    )


def withdrawn(
    rule_name: str, position_id: PositionId, *, kind: AlarmKind, since_us: int, at_us: int
) -> Crossing:
    """The crossing that ends an alarm whose rule somebody has switched off."""
    return Crossing(
        id=crossing_id(rule_name, position_id, since_us, AlarmSignal.CLEARED),
        rule=rule_name,
        position_id=position_id,
        kind=kind,
        is_raised=False,
        at_us=at_us,
        text=f"The rule {rule_name} no longer holds here",
        data={"rule": rule_name, "since": _time(since_us)},
    )


def alarm_message(crossing: Crossing) -> AlarmMessage:
    """A crossing as the message of the position's device."""
    return AlarmMessage(
        id=crossing.id,
        kind=crossing.kind,
        signal=AlarmSignal.RAISED if crossing.is_raised else AlarmSignal.CLEARED,
        sent_at=from_micros(crossing.at_us),
        text=crossing.text,
        data=crossing.data,
    )


def crossing_id(rule_name: str, position_id: PositionId, since_us: int, signal: AlarmSignal) -> str:
    """``rule:damp:…``, the same for the same rule, position, beginning and signal."""
    whole = f"{rule_name} {position_id} {since_us} {signal}"
    digest = hashlib.sha256(whole.encode()).hexdigest()[:_DIGEST_IN_ID]
    return f"rule:{rule_name[:_NAME_IN_ID]}:{digest}"


def _data(rule: ReadingRule, unit: str, evidence: Evidence) -> dict[str, Any]:
    return {
        "rule": rule.name,
        "reading": rule.reading,
        "value": evidence.value,
        "unit": unit,
        "condition": rule.condition.value,
        "limit": rule.limit,
        "since": _time(evidence.since_us),
        "title": {"sv": rule.text.sv, "en": rule.text.en},
    }


def _mould(celsius: float | None) -> dict[str, float | None]:
    critical = None if celsius is None else critical_humidity(celsius)
    return {"celsius": celsius, "critical_percent": None if critical is None else round(critical, 1)}


def _time(micros: int) -> str:
    return time_text(from_micros(micros))
