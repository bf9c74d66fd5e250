"""What becomes of the values that one message says of one device.

    value ──name──> measure ──unit──> converted ──range──> series ──newer than all before?──> certain
                                                                └─────────────────────────> doubtful
    what the profile does not have, another unit, out of range  ──> set aside, with the reason

A value that cannot be right is set aside alone; what else its message says is taken.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from devices.codecs.senml import Measured
from devices.kinds import HomeId
from devices.profiles.units import in_primary
from services.readings.batch import Batch, Doubtful, SetAside
from services.readings.clocks import ClockPhase, ClockState, after_pack
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

    def __init__(self, *, register: Register, states: SeriesStates, rulings: Rulings) -> None:
        self._register = register
        self._states = states
        self._rulings = rulings

    def take(
        self,
        batch: Batch,
        known: Known,
        values: Iterable[Measured],
        *,
        received_us: int,
        topic: str,
        payload: bytes,
    ) -> None:
        """Put the values of one message into the batch.

        Args:
            batch: What the next commit will hold.
            known: The device that they are said of.
            values: In order of time.
            received_us: Our clock, microseconds since 1970.
            topic: Where the message came, and
            payload: what it was: kept when some of it is set aside.
        """
        progress = _Progress(number=batch.packs, certain=len(batch.series))
        for item in values:
            measure = known.measure(item.name)
            value = _fitting(item, measure)
            if value is None or measure is None:
                progress.refused.append(_why_not(known, item, measure))
            else:
                series_id = known.series_ids[measure.index] or self._new_series(batch, known, measure)
                self._put(batch, known, progress, series_id, item.at_us, received_us, value)
                if progress.is_certain and known.ruling is not None:
                    self._rulings.heard(known.ruling, measure.name, value, item.at_us, received_us)
                    progress.judged.append(measure.name)
        batch.packs += 1
        if progress.judged and known.ruling is not None:
            self._rulings.judge(known.ruling, progress.judged)
        if progress.has_doubtful:
            has_others = len(batch.series) > progress.certain or bool(progress.refused)
            batch.packs_in_doubt[progress.number] = has_others
        if progress.refused:
            _set_aside(batch, known, progress, topic=topic, payload=payload)
        if progress.was_silent:
            batch.handovers.append(Heard(device_id=known.device.id))
        if progress.newest_at:
            _note_clock(batch, known, progress.newest_at, received_us)

    def _put(
        self,
        batch: Batch,
        known: Known,
        progress: "_Progress",
        series_id: int,
        at: int,
        received_us: int,
        value: float,
    ) -> None:
        """Put one value among the certain or the doubtful ones."""
        states = self._states
        progress.newest_at = at
        if received_us - states.last_received_at[series_id] > known.silent_us:
            progress.was_silent = True
        is_new = at > states.newest_at[series_id]
        if is_new and at > received_us + CLOCK_TOLERANCE_MICROS:
            is_new = states.is_ahead_of_all(series_id, at)
        progress.is_certain = is_new
        if is_new:
            states.note(series_id, at, received_us, value)
            batch.series.append(series_id)
            batch.at.append(at)
            batch.received_at.append(received_us)
            batch.value.append(value)
        else:
            progress.has_doubtful = True
            batch.doubtful.append(
                Doubtful(pack=progress.number, series=series_id, at=at, received_at=received_us, value=value)
            )

    def _new_series(self, batch: Batch, known: Known, measure: Measure) -> int:
        series = self._register.new_series(known, measure)
        batch.new_series.append(series)
        return series.id


def _note_clock(batch: Batch, known: Known, newest_at: int, received_us: int) -> None:
    """See whether the device's clock can be believed."""
    off_us = received_us - newest_at
    if -CLOCK_TOLERANCE_MICROS <= off_us <= CLOCK_TOLERANCE_MICROS and not known.clock.phase:
        return
    before = known.clock
    known.clock = after_pack(before, newest_at_us=newest_at, received_us=received_us)
    if known.clock != before:
        batch.clocks[known.device.id] = known.clock.as_text()
    is_wrong, was_wrong = (state.phase is ClockPhase.WRONG for state in (known.clock, before))
    if is_wrong != was_wrong:
        batch.handovers.append(_clock_said(known, before, off_us=off_us, received_us=received_us))


def refuse(batch: Batch, topic: str, payload: bytes, reason: str, *, home_id: HomeId | None = None) -> None:
    """Set a whole message aside."""
    batch.packs += 1
    batch.set_aside.append(
        SetAside(topic=topic, payload=payload, home_id=home_id, reason=reason, is_whole=True)
    )


@dataclass(slots=True, kw_only=True)
class _Progress:
    """How far one message has come."""

    number: int
    """Of the pack in its batch."""
    certain: int
    """Readings in the batch before it."""
    newest_at: int = 0
    is_certain: bool = False
    """Of the value that was put last."""
    has_doubtful: bool = False
    was_silent: bool = False
    refused: list[str] = field(default_factory=list)
    judged: list[str] = field(default_factory=list)


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


def _set_aside(batch: Batch, known: Known, progress: _Progress, *, topic: str, payload: bytes) -> None:
    batch.values_refused += len(progress.refused)
    is_whole = not progress.has_doubtful and len(batch.series) == progress.certain
    aside = SetAside(
        topic=topic,
        payload=payload,
        home_id=known.device.home_id,
        reason=_listed(progress.refused),
        is_whole=is_whole,
    )
    batch.set_aside.append(aside)


def _listed(reasons: list[str]) -> str:
    named = "; ".join(reasons[:REASONS_NAMED])
    more = len(reasons) - REASONS_NAMED
    return f"{named}; and {more} more" if more > 0 else named


def _clock_said(known: Known, before: ClockState, *, off_us: int, received_us: int) -> Said:
    is_wrong = known.clock.phase is ClockPhase.WRONG
    since_us = known.clock.since_us if is_wrong else before.since_us
    minutes = abs(off_us) // 60_000_000
    direction = "ahead" if off_us < 0 else "behind"
    return Said(
        device_id=known.device.id,
        id=f"clock:{since_us}:{'raised' if is_wrong else 'cleared'}",
        kind=CLOCK_KIND,
        signal="raised" if is_wrong else "cleared",
        at_us=received_us,
        text=f"its clock is {minutes} minutes {direction}" if is_wrong else "its clock is right again",
        data={"off_seconds": -off_us // 1_000_000},
    )
