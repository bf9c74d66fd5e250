"""Looks over the hub's own shoulder: has every open alarm a next step, is every timer on time?

It reads on a connection of its own, not through the writer that it watches. What it finds it logs,
opens as a fault that ``doctor`` shows, and mends: an alarm without a next step gets one at once.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from services.alarms import answering, chain, opening
from services.domain.alarms import Alarm
from services.domain.ids import AlarmId
from services.store import alarms, status
from services.store.alarms import TimerKind
from services.store.apart import apart
from services.store.connection import Connection

EVERY: Final = timedelta(seconds=10)
HEARD_WITHIN: Final = timedelta(seconds=60)
LATE_AFTER: Final = timedelta(seconds=5)
"""A timer that has been due for longer than this is not being worked on."""

ANSWER_WITHDRAWN: Final = "answer_withdrawn"
ABANDONED: Final = "alarm_nobody_may_answer"
UNHEARD: Final = "city_does_not_confirm"
NO_NEXT_STEP: Final = "alarm_without_next_step"
LATE_TIMER: Final = "late_timer"
BROKER_DROPPED: Final = "broker_dropped_messages"
AUDITED_AT: Final = "auditor_looked_at"

NEWS: Final = (opening.CONFLICT, BROKER_DROPPED)
"""Faults that tell of something that happened: there is no "well again" to wait for."""

NEWS_FOR: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What is wrong at one moment."""

    without_next_step: tuple[AlarmId, ...]
    """Open, unanswered, no timer, and the city was not told."""
    answered_without_right: tuple[AlarmId, ...]
    """The organisation that answered may no longer know of them."""
    late: tuple[AlarmId, ...]
    """Their timer is due and nobody takes it."""
    abandoned: tuple[AlarmId, ...] = ()
    """Unanswered, and everybody who was told has lost the right to know."""
    unheard: tuple[AlarmId, ...] = ()
    """The city was told, and has not confirmed that it heard."""


def look(connection: Connection, *, now: datetime) -> Findings:
    """Find open alarms without a next step, and timers that are late."""
    return Findings(
        without_next_step=tuple(alarms.without_next_step(connection)),
        answered_without_right=tuple(
            alarm.id for alarm in alarms.answered(connection) if not _may_still_know(connection, alarm, now)
        ),
        late=tuple(alarms.with_late_timer(connection, now - LATE_AFTER)),
        abandoned=tuple(
            alarm.id
            for alarm in alarms.unanswered(connection)
            if chain.nobody_knows(connection, alarm, now=now)
        ),
        unheard=tuple(alarms.unheard_by_city(connection, now - HEARD_WITHIN)),
    )


def report(connection: Connection, findings: Findings, *, now: datetime) -> list[str]:
    """Open and end the faults, mend what can be mended; returns the sentences that are new."""
    new = []
    for code, subjects, sentence in (
        (NO_NEXT_STEP, findings.without_next_step, "Alarm {} is open and had no next step; it gets one now"),
        (
            ANSWER_WITHDRAWN,
            findings.answered_without_right,
            "Who answered alarm {} may not any more",
        ),
        (
            ABANDONED,
            findings.abandoned,
            "Nobody who was told of alarm {} may know of it any more; it goes on",
        ),
        (
            UNHEARD,
            findings.unheard,
            "Nobody has answered alarm {} and the city does not confirm it: call somebody",
        ),
        (LATE_TIMER, findings.late, "The timer of alarm {} is late; look at the alarm process and the disk"),
    ):
        for subject in subjects:
            message = sentence.format(subject)
            if status.open_fault(connection, code, subject, message, at=now):
                new.append(message)
        status.end_faults(connection, code, still=set(subjects), at=now)
    for code in NEWS:
        status.end_news(connection, code, before=now - NEWS_FOR, at=now)
    _mend(connection, findings, now=now)
    return new


def _mend(connection: Connection, findings: Findings, *, now: datetime) -> None:
    for alarm_id in findings.without_next_step:
        alarms.set_timer(connection, alarm_id, TimerKind.ESCALATE, now)
    for alarm_id in (*findings.abandoned, *findings.answered_without_right):
        apart(connection, "finding", alarm_id, partial(_go_on, connection, alarm_id, now=now))


def _go_on(connection: Connection, alarm_id: AlarmId, *, now: datetime) -> None:
    """Whoever was told, or answered, may not any more: the chain goes on (judged again, here)."""
    alarm = alarms.get(connection, alarm_id)
    if alarm is None:
        return
    if alarm.state.is_acknowledged and not _may_still_know(connection, alarm, now):
        chain.withdraw_answer(connection, alarm, now=now)
    chain.hasten(connection, alarm, now=now)


def _may_still_know(connection: Connection, alarm: Alarm, now: datetime) -> bool:
    if alarm.acknowledgement is None or alarm.acknowledgement.organisation_id is None:
        return True  # the operator of the hub itself
    return answering.may_know(
        connection, alarm, organisation_id=alarm.acknowledgement.organisation_id, now=now
    )
