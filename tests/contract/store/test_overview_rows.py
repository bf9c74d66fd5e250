"""What people look at: lists newest first, and counts that an operator acts on."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from devices.kinds import AlarmKind, DataClass
from services.domain.alarm_states import AlarmState
from services.domain.alarms import DeliveryState
from services.domain.homes import DeviceState
from services.domain.ids import new_id
from services.store import deliveries, events, overview, registry
from services.store.events import Quarantined
from tests.support.clock import START
from tests.support.rows import BETA, DEVICE, HOME, add_alarm, add_delivery, add_notice, grant_of
from tests.support.stores import Database

SECOND = timedelta(seconds=1)


def test_deliveries_can_be_asked_for_newest_first_by_what_they_are_about(settled: Database) -> None:
    with settled.transaction():
        alarm = add_alarm(settled)
        notice = add_notice(settled, alarm)
        acme, beta = add_delivery(settled, notice), add_delivery(settled, notice, BETA)

    def asked(*, limit: int = 9, **which: str) -> list[str]:
        return [record.id for record in overview.deliveries(settled, limit=limit, **which)]

    assert asked() == [beta.id, acme.id]
    assert asked(limit=1) == [beta.id]
    assert asked(organisation_id="acme", home_id="h-1", device_id="p-1", alarm_id=alarm.id) == [acme.id]
    assert asked(home_id="h-9") == asked(device_id="p-9") == asked(alarm_id="x") == []


def test_a_delivery_says_what_it_was_about_and_how_it_went(settled: Database) -> None:
    with settled.transaction():
        alarm = add_alarm(settled)
        notice = add_notice(settled, alarm)
        delivery = add_delivery(settled, notice, step=2)
        deliveries.settle(settled, delivery.id, DeliveryState.WITHHELD, now=START + SECOND, reason="no grant")

    [record] = overview.deliveries(settled, limit=9)
    assert (record.notice_id, record.type, record.alarm_id, record.home_id) == (
        notice.id,
        notice.type,
        alarm.id,
        HOME.id,
    )
    assert (record.organisation_id, record.channel, record.step) == ("acme", "mqtt", 2)
    assert (record.state, record.reason, record.settled_at) == (
        DeliveryState.WITHHELD,
        "no grant",
        START + SECOND,
    )
    assert (record.sequence, record.attempts, record.first_sent_at) == (None, 0, None)


def test_a_delivery_waits_from_its_first_attempt_or_from_when_it_was_due(settled: Database) -> None:
    with settled.transaction():
        alarm = add_alarm(settled)
        add_delivery(settled, add_notice(settled, alarm))
        sent = add_delivery(settled, add_notice(settled, alarm))
        leased = replace(sent, state=DeliveryState.SENT, sequence=1, next_attempt_at=START + 15 * SECOND)
        deliveries.lease(settled, leased, now=START)
        ended = add_delivery(settled, add_notice(settled, alarm))
        deliveries.settle(settled, ended.id, DeliveryState.CONFIRMED, now=START)

    assert overview.waiting_deliveries(settled, since=START) == 0
    assert overview.waiting_deliveries(settled, since=START + SECOND) == 2


def test_the_unanswered_alarms_are_counted_and_the_oldest_is_known(settled: Database) -> None:
    none = overview.unanswered_alarms(settled)
    kinds = iter(AlarmKind)
    with settled.transaction():
        for seconds, state in enumerate(AlarmState):
            add_alarm(settled, state=state, kind=next(kinds), received_at=START + seconds * SECOND)

    assert none == (0, None)
    assert overview.unanswered_alarms(settled) == (2, START)


def test_quarantine_is_counted_from_a_moment_on(db: Database) -> None:
    def keep(at: datetime) -> None:
        item = Quarantined(
            id=new_id(),
            received_at=at,
            lane="alarm",
            topic="t",
            client_id="c",
            device_id="d",
            home_id=None,
            external_id=None,
            reason="r",
            payload=b"",
        )
        events.quarantine(db, item)

    with db.transaction():
        keep(START - SECOND)
        keep(START)

    assert overview.quarantined(db, since=START) == 1


@pytest.mark.parametrize(
    ("changed", "is_covered"),
    [
        ({}, True),
        ({"valid_from": START + SECOND}, False),
        ({"valid_until": START}, False),
        ({"valid_until": START + SECOND}, True),
        ({"revoked_at": START}, False),
        ({"data_class": DataClass.FIRE}, False),
    ],
    ids=["in force", "not yet", "just ended", "ends later", "revoked", "another class"],
)
def test_a_home_lacks_a_grant_when_none_of_the_class_is_in_force(
    settled: Database,
    changed: dict[str, Any],
    is_covered: bool,  # noqa: FBT001 - a case
) -> None:
    with settled.transaction():
        registry.add_grant(settled, grant_of(**changed))

    found = overview.homes_without_grant(settled, DataClass.SAFETY, at=START)

    assert found == ([] if is_covered else [HOME.id])


def test_a_home_without_a_device_in_service_needs_no_grant(settled: Database) -> None:
    with settled.transaction():
        registry.set_device_state(settled, DEVICE.id, DeviceState.RETIRED)

    assert overview.homes_without_grant(settled, DataClass.SAFETY, at=START) == []
