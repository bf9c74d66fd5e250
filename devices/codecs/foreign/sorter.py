"""Sorts the members of one message into what we have a place for, and names the rest."""

import re
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any, Final

from devices.codecs.foreign.values import ForeignAlarm, ForeignMessage, ForeignValue, checked_id
from devices.codecs.foreign.vocabulary import Condition, Place, Press, Reading, State, StatusPart
from devices.codecs.members import clean_text, number_within
from devices.codecs.rfc3339 import parse_time
from devices.messages import StatusMessage

IGNORED_MAX: Final = 50
"""Names of ignored members that are kept, so that a strange message does not fill a list."""

_NAME_MAX_LENGTH: Final = 64
_STATUS_READERS: Final = {
    StatusPart.BATTERY: number_within(0, 100),
    StatusPart.SIGNAL: number_within(-200, 100),
}
_NUMBER: Final = re.compile(r"[+-]?\d{1,18}(?:\.\d{1,18})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_YES: Final = re.compile(
    "1|on|true|yes|active|alarm|detected|leak|leaking|occupied|open|opened|trigger|triggered|wet"
)
_NO: Final = re.compile("0|off|false|no|clear|close|closed|dry|idle|inactive|installed|normal|ok|vacant")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS: Final = range(7_258_118_400_000)
"""1970 up to 2200, like the times of ``rfc3339``."""


class Sorter:
    """Collects what one message says about one device; ``message`` makes the value of it."""

    def __init__(self, *, is_test: bool = False) -> None:
        self._is_test = is_test
        self._values: dict[str, ForeignValue] = {}
        self._alarms: dict[str, ForeignAlarm] = {}
        self._status: dict[StatusPart, float] = {}
        self._ignored: list[str] = []

    def put(self, member: str, place: Place | None, raw: Any, *, sent_at: datetime | None = None) -> None:
        """Take ``raw`` to its place; without one, or when it makes no sense there, ``member`` is ignored."""
        taken = False
        match place:
            case Reading():
                taken = self._put_number(place, raw, sent_at)
            case State():
                taken = self._put_state(place, raw, sent_at)
            case Condition() | Press():
                taken = self._put_alarm(place, raw, sent_at)
            case StatusPart():
                taken = self._put_status(place, raw)
        if not taken:
            self.ignore(member)

    def ignore(self, member: str) -> None:
        """Name a member that has no place."""
        if len(self._ignored) < IGNORED_MAX:
            self._ignored.append(clean_text(member)[:_NAME_MAX_LENGTH])

    def message(
        self,
        external_id: str,
        *,
        model: Any = None,
        sent_at: datetime | None = None,
        message_id: str | None = None,
        has_mains: bool | None = None,
    ) -> ForeignMessage:
        """Everything that was put.

        Raises:
            PayloadError: The external id cannot be one.
        """
        has_status = bool(self._status) or has_mains is not None
        status = StatusMessage(
            sent_at=sent_at,
            battery_percent=self._status.get(StatusPart.BATTERY),
            signal_dbm=self._status.get(StatusPart.SIGNAL),
            has_mains=has_mains,
        )
        return ForeignMessage(
            external_id=checked_id(external_id),
            model=short_text(model),
            values=tuple(self._values.values()),
            alarms=tuple(self._alarms.values()),
            status=status if has_status else None,
            sent_at=sent_at,
            message_id=message_id,
            ignored=tuple(self._ignored),
        )

    def _put_number(self, place: Reading, raw: Any, sent_at: datetime | None) -> bool:
        value = number(raw)
        if value is None:
            return False
        return self._add(place.name, place.unit, value * place.scale + place.offset, sent_at)

    def _put_state(self, place: State, raw: Any, sent_at: datetime | None) -> bool:
        is_true = truth(raw)
        if is_true is None:
            return False
        return self._add(place.name, "/", float(is_true != place.is_inverted), sent_at)

    def _put_alarm(self, place: Condition | Press, raw: Any, sent_at: datetime | None) -> bool:
        is_true = truth(raw)
        if is_true is None:
            return False
        is_press = isinstance(place, Press)
        if is_true or not is_press:
            self._raise(
                ForeignAlarm(kind=place.kind, is_active=is_true, is_press=is_press, is_test=self._is_test)
            )
        if isinstance(place, Condition) and place.reading:
            self._add(place.reading, "/", float(is_true), sent_at)
        return True

    def _raise(self, alarm: ForeignAlarm) -> None:
        """Two members may say the same condition; one that is active wins."""
        known = self._alarms.get(alarm.kind)
        if known is None or alarm.is_active:
            self._alarms[alarm.kind] = alarm

    def _put_status(self, place: StatusPart, raw: Any) -> bool:
        value, note = _STATUS_READERS[place](number(raw))
        if value is None or note or place in self._status:
            return False
        self._status[place] = value
        return True

    def _add(self, name: str, unit: str, value: float, sent_at: datetime | None) -> bool:
        """The first of two members that mean the same reading is taken."""
        if name in self._values or not isfinite(value):
            return False
        self._values[name] = ForeignValue(name=name, unit=unit, value=value, sent_at=sent_at)
        return True


def number(raw: Any) -> float | None:
    """A finite number, also one that is written as text; None for anything else."""
    match raw:
        case bool():
            return None
        case int() | float():
            value = float(raw)
        case str() if _NUMBER.fullmatch(raw.strip()):
            value = float(raw)
        case _:
            return None
    return value if isfinite(value) else None


def truth(raw: Any) -> bool | None:
    """Yes or no in the words that devices use; None for anything else."""
    match raw:
        case bool():
            return raw
        case int() | float() if raw in (0, 1):
            return bool(raw)
        case str():
            word = raw.strip().lower()
            return True if _YES.fullmatch(word) else False if _NO.fullmatch(word) else None
    return None


def moment(raw: Any) -> datetime | None:
    """An RFC 3339 time, or milliseconds since 1970; None for anything else."""
    match raw:
        case str():
            return parse_time(raw)
        case bool():
            return None
        case int() if raw in _MILLISECONDS:
            return _EPOCH + timedelta(milliseconds=raw)
    return None


def short_text(raw: Any) -> str | None:
    """Text for people, on one line and cut; None when there is none."""
    return clean_text(raw)[:_NAME_MAX_LENGTH] if isinstance(raw, str) and raw else None
