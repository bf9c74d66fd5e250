"""What nobody confirmed is told again, when somebody asks for it: the right is judged anew."""

from datetime import datetime

from services import audit
from services.domain.actors import Actor, Permission
from services.domain.alarms import Delivery, DeliveryState
from services.domain.errors import RefusedError, UnknownError
from services.store import alarms, deliveries
from services.store.connection import Connection


class NotDeadError(RefusedError):
    """A delivery has arrived, or is still being tried."""

    code = "not_dead"

    def __init__(self, delivery_id: str, state: DeliveryState) -> None:
        self.state = state
        super().__init__(f"Delivery {delivery_id} is {state}; only expired ones are told again")


def replay(connection: Connection, delivery_id: str, *, actor: Actor, now: datetime) -> Delivery:
    """Make a delivery that expired due now, for as long as a fresh one about a closed alarm is tried.

    Raises:
        NotPermittedError: The actor may not.
        UnknownError: There is none, or it is another organisation's.
        NotDeadError: It did not expire.
    """
    actor.demand(Permission.DELIVERIES_REPLAY)
    delivery = deliveries.get(connection, delivery_id)
    if delivery is None or not (actor.governs or delivery.organisation_id == actor.organisation_id):
        raise UnknownError("delivery", delivery_id, mend="see `stadsnav delivery list`")
    if delivery.state is not DeliveryState.EXPIRED:
        raise NotDeadError(delivery_id, delivery.state)
    deliveries.tell_again(connection, delivery_id, now=now)
    alarm = alarms.get(connection, delivery.alarm_id)
    entry = audit.Entry(
        actor=actor.id,
        action="delivery_replayed",
        organisation_id=delivery.organisation_id,
        home_id=alarm.home_id if alarm else None,
        subject=delivery.id,
    )
    audit.note(connection, entry, at=now)
    found = deliveries.get(connection, delivery_id)
    assert found is not None  # noqa: S101 - it was there
    return found
