"""Notices and who gets them; what the home hears.

Rows only: a delivery is released by ``services.delivery.release``, in this transaction or a later one.
"""

from datetime import datetime, timedelta
from typing import Final

from devices.codecs.own_json import encode_receipt
from devices.messages import Receipt, ReceiptStatus
from services import routing
from services.access import subject_of
from services.domain.alarms import Alarm, Delivery, DeliveryState, Notice, NoticeType
from services.domain.ids import DeliveryId, EventId, NoticeId, new_id
from services.domain.subscriptions import ChannelName
from services.store import alarms as alarm_rows
from services.store import answers, deliveries, events, registry, subscriptions
from services.store.connection import Connection

UNHURRIED: Final = 3
"""Over MQTT a fresh delivery waits the full time between attempts; see ``services.delivery.retry``."""

SENDERS_TOLD: Final = 100
"""At most so many presses of one alarm hear that somebody is coming."""


def notice_of(alarm: Alarm, kind: NoticeType, *, at: datetime, by: str = "", note: str = "") -> Notice:
    """Something to tell that no event of the home stands behind."""
    return Notice(id=NoticeId(new_id()), alarm_id=alarm.id, event_id=None, type=kind, at=at, by=by, note=note)


def notice_of_event(alarm: Alarm, kind: NoticeType, event_id: EventId, *, at: datetime) -> Notice:
    """Something to tell that the home said; it carries the event's own id."""
    return Notice(id=NoticeId(event_id), alarm_id=alarm.id, event_id=event_id, type=kind, at=at)


def tell_audience(connection: Connection, alarm: Alarm, notice: Notice) -> None:
    """Tell everyone who knows of the alarm already and may still know."""
    routes = routing.audience(
        deliveries.told(connection, alarm.id),
        registry.cities(connection) if alarm.escalated_at else [],
        subject_of(alarm),
        grants=registry.grants_of_home(connection, alarm.home_id, alarm.data_class),
        step=alarm.step,
        at=notice.at,
    )
    alarm_rows.insert_notice(connection, notice)
    route(connection, notice, routes, at=notice.at)


def route(connection: Connection, notice: Notice, routes: tuple[routing.Route, ...], *, at: datetime) -> None:
    """Write a delivery for each receiver and each channel that it listens to.

    It is due at once; over a second channel later, in case the first is not confirmed by then.
    """
    for item in routes:
        for channel, after in _channels(connection, item.organisation_id).items():
            delivery = Delivery(
                id=DeliveryId(new_id()),
                notice_id=notice.id,
                alarm_id=notice.alarm_id,
                organisation_id=item.organisation_id,
                channel=channel,
                grant_id=item.grant_id,
                step=item.step,
                state=DeliveryState.PENDING,
                sequence=None,
                attempts=0,
                hurry=UNHURRIED if channel == ChannelName.MQTT else 0,
                next_attempt_at=at + after,
                is_second=bool(after),
            )
            deliveries.insert(connection, delivery, at=at)
        deliveries.keep_told(connection, notice.alarm_id, item.organisation_id, step=item.step)


def _channels(connection: Connection, organisation_id: str) -> dict[str, timedelta]:
    """Over which channels it is told; MQTT when it has switched off everything that tells at once."""
    live = subscriptions.live_channels(connection, organisation_id)
    at_once = dict.fromkeys((channel for channel, after in live if not after), timedelta(0))
    return dict(live) | (at_once or {ChannelName.MQTT: timedelta(0)})


def tell_home(
    connection: Connection, alarm: Alarm, status: ReceiptStatus, *, at: datetime, by: str | None = None
) -> None:
    """Let the senders of the alarm's presses hear what became of it."""
    for client_id, device_id, external_id in events.senders(connection, alarm.id, limit=SENDERS_TOLD):
        receipt = Receipt(id=external_id, status=status, at=at, alarm_id=alarm.id, by=by)
        answers.add_receipt(
            connection,
            answers.HomeReceipt(
                id=new_id(), client_id=client_id, device_id=device_id, payload=encode_receipt(receipt)
            ),
            at=at,
        )
