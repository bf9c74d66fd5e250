"""What becomes of the values that one message says of one device.

    value ──name──> measure ──unit──> converted ──range──> series ──newer than all before?──> certain
                                                                └─────────────────────────> doubtful
    what the profile does not have, another unit, out of range  ──> set aside, with the reason

A value that cannot be right is set aside alone; what else its message says is taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from devices.codecs.senml import Measured
from devices.kinds import HomeId
from devices.messages import AlarmSignal
from devices.profiles.units import in_primary
from services.readings.batch import Batch, Doubtful, SetAside
from services.readings.clocks import ClockChange, ClockPhase, Clocks
from services.readings.conditions import is_sign_of_life_due
from services.readings.handover import Heard, Said
from services.readings.register import Known, Measure, Register
from services.readings.rulings import Rulings
from services.readings.states import SeriesStates
from services.store.readings.columns import CLOCK_TOLERANCE_MICROS

CLOCK_KIND: Final = "technical.clock"
"""Not a kind of the contract, so it opens ``technical.fault``, and ends without ending other faults."""

REASONS_NAMED: Final = 3


class Taking:
    """Decides about values, one message at a time."""

    def __init__(self, *, register: Register, states: SeriesStates, rulings: Rulings, clocks: Clocks) -> None:
        self._register = register
        self._states = states
        self._rulings = rulings
        self._clocks = clocks

    def take(
        self,
        batch: Batch,
        known: Known,
        values: Sequence[Measured],
        *,
        received_us: int,
        topic: str,
        payload: bytes,
    ) -> None:
        """Put the values of one message into the batch.

        Args:
            batch: What the next commit will hold.
            known: The device that they are said of.
            values: At least one, in order of time.
            received_us: Our clock, microseconds since 1970.
            topic: Where the message came, and
            payload: what it was: kept when some of it is set aside.
        """
        newest_us = values[-1].at_us
        pack = _Pack(
            number=batch.packs,
            certain=len(batch.series),
            newest_us=newest_us,
            received_us=received_us,
            silent_us=known.silent_us,
            is_clock_wrong=self._judge_clock(batch, known, newest_us, received_us),
        )
        for item in values:
            measure = known.measure(item.name)
            value = _fitting(item, measure)
            if value is None or measure is None:
                pack.refused.append(_why_not(known, item, measure))
                continue
            series_id = known.series_ids[measure.index] or self._new_series(batch, known, measure)
            is_certain = self._put(batch, pack, series_id, item.at_us, value)
            if known.ruling is not None and (is_certain or pack.is_clock_wrong):
                self._rulings.heard(
                    known.ruling, measure.name, value, pack.counted_us(item.at_us), received_us
                )
                pack.judged.append(measure.name)
        batch.packs += 1
        self._conclude(batch, known, pack, topic=topic, payload=payload)

    def _put(self, batch: Batch, pack: "_Pack", series_id: int, at: int, value: float) -> bool:
        """Put one value among the certain or the doubtful ones; returns whether it is certain."""
        states, received_us = self._states, pack.received_us
        if received_us - states.last_received_at[series_id] > pack.silent_us:
            pack.was_silent = True
        is_new = at > states.newest_at[series_id]
        if is_new and at > received_us + CLOCK_TOLERANCE_MICROS:
            is_new = states.is_ahead_of_all(series_id, at)
        if is_new:
            states.note(series_id, at, received_us, value)
            batch.series.append(series_id)
            batch.at.append(at)
            batch.received_at.append(received_us)
            batch.value.append(value)
        else:
            pack.has_doubtful = True
            batch.doubtful.append(
                Doubtful(pack=pack.number, series=series_id, at=at, received_at=received_us, value=value)
            )
        return is_new

    def _new_series(self, batch: Batch, known: Known, measure: Measure) -> int:
        series = self._register.new_series(known, measure)
        batch.new_series.append(series)
        return series.id

    def _judge_clock(self, batch: Batch, known: Known, newest_us: int, received_us: int) -> bool:
        """See whether the device's clock can be believed; returns whether it cannot."""
        device_id = known.device.id
        change = self._clocks.after_pack(device_id, newest_at_us=newest_us, received_us=received_us)
        if change is None:
            return self._clocks.is_wrong(device_id)
        batch.clocks[device_id] = change.after.as_text()
        is_wrong, was_wrong = (state.phase is ClockPhase.WRONG for state in (change.after, change.before))
        if is_wrong != was_wrong:
            ahead_us = newest_us - received_us
            batch.handovers.append(_clock_said(device_id, change, ahead_us=ahead_us, at_us=received_us))
        return is_wrong

    def _conclude(self, batch: Batch, known: Known, pack: "_Pack", *, topic: str, payload: bytes) -> None:
        """Do what follows from a whole message."""
        if pack.judged and known.ruling is not None:
            self._rulings.judge(known.ruling, pack.judged)
        if pack.has_doubtful:
            has_others = len(batch.series) > pack.certain or bool(pack.refused)
            batch.packs_in_doubt[pack.number] = has_others
        if pack.refused:
            _set_aside(batch, known, pack, topic=topic, payload=payload)
        if self._is_news(known, pack):
            batch.handovers.append(Heard(device_id=known.device.id))

    def _is_news(self, known: Known, pack: "_Pack") -> bool:
        """Whether the alarm path should hear that the device lives.

        It looks at the last readings itself before it calls a device silent, so after a time in which
        the hub was away it need not be told of everybody. It cannot see a device whose clock is behind:
        what that says now is older than its last reading.
        """
        if pack.is_clock_wrong and pack.newest_us < pack.received_us:
            return is_sign_of_life_due(known, received_us=pack.received_us)
        return pack.was_silent and self._register.is_missed(known)


def refuse(batch: Batch, topic: str, payload: bytes, reason: str, *, home_id: HomeId | None = None) -> None:
    """Set a whole message aside."""
    batch.packs += 1
    batch.set_aside.append(
        SetAside(topic=topic, payload=payload, home_id=home_id, reason=reason, is_whole=True)
    )


@dataclass(slots=True, kw_only=True)
class _Pack:
    """One message, and how far it has come."""

    number: int
    """In its batch."""
    certain: int
    """Readings in the batch before it."""
    newest_us: int
    """By the device's clock."""
    received_us: int
    silent_us: int
    is_clock_wrong: bool
    has_doubtful: bool = False
    was_silent: bool = False
    refused: list[str] = field(default_factory=list)
    judged: list[str] = field(default_factory=list)

    def counted_us(self, at_us: int) -> int:
        """When a value counts from for the rules: its own time, or ours where the clock is wrong."""
        if not self.is_clock_wrong or abs(self.received_us - at_us) <= CLOCK_TOLERANCE_MICROS:
            return at_us
        return self.received_us - (self.newest_us - at_us)


def _fitting(item: Measured, measure: Measure | None) -> float | None:
    """The value in the measure's unit, if it can be one of its readings."""
    value = item.value
    if measure is None or value is None:
        return None
    if item.unit != measure.unit and item.unit:
        value = in_primary(value, item.unit, wanted=measure.unit)
    return value if value is not None and measure.low <= value <= measure.high else None


def _why_not(known: Known, item: Measured, measure: Measure | None) -> str:
    if measure is None:
        measures = ", ".join(known.measures) or "nothing"
        return f"{item.name[:80]!r}: a {known.profile.name} measures {measures}"
    if item.value is None:
        return f"{item.name}: {item.note}; right would be a number"
    value = in_primary(item.value, item.unit or measure.unit, wanted=measure.unit)
    if value is None:
        return f"{item.name}: unit {item.unit!r:.20}; right would be {measure.unit}"
    return f"{item.name}: {value:g} {measure.unit}; right would be {measure.low:g} to {measure.high:g}"


def _set_aside(batch: Batch, known: Known, pack: _Pack, *, topic: str, payload: bytes) -> None:
    batch.values_refused += len(pack.refused)
    is_whole = not pack.has_doubtful and len(batch.series) == pack.certain
    aside = SetAside(
        topic=topic,
        payload=payload,
        home_id=known.device.home_id,
        reason=_listed(pack.refused),
        is_whole=is_whole,
    )
    batch.set_aside.append(aside)


def _listed(reasons: list[str]) -> str:
    named = "; ".join(reasons[:REASONS_NAMED])
    more = len(reasons) - REASONS_NAMED
    return f"{named}; and {more} more" if more > 0 else named


def _clock_said(device_id: str, change: ClockChange, *, ahead_us: int, at_us: int) -> Said:
    is_wrong = change.after.phase is ClockPhase.WRONG
    since_us = change.after.since_us if is_wrong else change.before.since_us
    signal = AlarmSignal.RAISED if is_wrong else AlarmSignal.CLEARED
    minutes, direction = abs(ahead_us) // 60_000_000, "ahead" if ahead_us > 0 else "behind"
    return Said(
        device_id=device_id,
        id=f"clock:{since_us}:{signal}",
        kind=CLOCK_KIND,
        signal=signal,
        at_us=at_us,
        text=f"its clock is {minutes} minutes {direction}" if is_wrong else "its clock is right again",
        data={"off_seconds": round(ahead_us / 1_000_000)},
    )
