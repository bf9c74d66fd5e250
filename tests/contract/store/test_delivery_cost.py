"""What a confirmation costs does not grow with what the receiver was ever sent."""

from dataclasses import replace

from services.domain.alarm_states import AlarmState
from services.domain.alarms import Delivery, DeliveryState
from services.domain.ids import AlarmId
from services.store import deliveries
from tests.support.clock import START
from tests.support.rows import ACME, add_alarm, add_delivery, add_notice
from tests.support.stores import SqliteUnderTest, StoreUnderTest


def test_finding_what_a_receiver_confirms_costs_the_same_after_a_thousand_others(
    store: StoreUnderTest, settled: object
) -> None:
    assert settled
    few = sent(store, 10)
    cost_of_few = cost(store, few)
    many = sent(store, 1_000, first=10)

    assert cost(store, few) <= 2 * cost_of_few
    assert cost(store, many) <= 2 * cost_of_few


def sent(store: StoreUnderTest, number: int, *, first: int = 0) -> Delivery:
    """Send so many notices of one alarm; returns the middle one."""
    database, made = store.database, []
    with database.transaction():
        alarm = add_alarm(database, id=AlarmId(f"alarm-{first}"), state=AlarmState.CLOSED)
        for sequence in range(first + 1, first + number + 1):
            notice = add_notice(database, alarm)
            leased = replace(
                add_delivery(database, notice), state=DeliveryState.SENT, sequence=sequence, attempts=1
            )
            deliveries.lease(database, leased, now=START)
            made.append(leased)
    return made[number // 2]


def cost(store: StoreUnderTest, delivery: Delivery) -> int:
    """Steps of SQLite's virtual machine."""
    assert isinstance(store, SqliteUnderTest)
    steps = 0

    def count() -> bool:
        nonlocal steps
        steps += 1
        return False

    connection = store.database._connection
    connection.set_progress_handler(count, 1)
    [found] = deliveries.sent_to(store.database, ACME.id, delivery.notice_id)
    connection.set_progress_handler(None)
    assert found.id == delivery.id
    return steps
