"""What leaves by MQTT: events that the broker must not keep, receipts that it must have."""

import json
from datetime import timedelta

from gateway.outgoing import MqttChannel, MqttHomes
from services.store.answers import HomeReceipt
from tests.support.sessions import Published, RecordingSession
from tests.support.town import Town

RECEIPT = HomeReceipt(id="r-1", client_id="hub-1", device_id="p-1", payload=b"{}")
OTHER = HomeReceipt(id="r-2", client_id="p-2", device_id="p-2", payload=b"{}")


def topics(session: RecordingSession) -> list[str]:
    return [item.topic for item in session.published]


def test_an_event_goes_to_its_organisation_alone_unkept_and_only_until_the_next_attempt(
    town: Town,
) -> None:
    session = RecordingSession()
    town.grant("acme")
    town.press()
    [told] = town.channel.told("acme")

    MqttChannel(session).hand_over(told)

    [sent] = session.published
    assert (sent.topic, sent.qos, sent.expiry) == ("care/acme/event", 0, timedelta(seconds=15))
    assert json.loads(sent.payload)["id"] == told.notice.id


def test_the_channel_is_available_while_the_session_is() -> None:
    session = RecordingSession()
    channel = MqttChannel(session)

    session.is_up = False
    away = channel.is_available()
    session.is_up = True

    assert (away, channel.is_available()) == (False, True)


def test_a_receipt_is_published_with_qos_1_once_while_it_is_under_way() -> None:
    session = RecordingSession()
    homes = MqttHomes(session)

    for _ in range(3):
        homes.hand_over_receipt(RECEIPT)

    assert session.published == [Published(topic="down/hub-1/p-1/receipt", payload=b"{}", qos=1, expiry=None)]


def test_a_confirmed_packet_names_its_receipt_once() -> None:
    homes = MqttHomes(RecordingSession())
    homes.hand_over_receipt(RECEIPT)
    homes.hand_over_receipt(OTHER)

    assert [homes.published(packet_id) for packet_id in (2, 2, 1, 99)] == ["r-2", None, "r-1", None]


def test_a_confirmed_receipt_is_not_published_again_before_it_is_noted_nor_after() -> None:
    session = RecordingSession()
    homes = MqttHomes(session)
    homes.hand_over_receipt(RECEIPT)
    homes.published(1)

    homes.hand_over_receipt(RECEIPT)  # the store has not noted it yet
    homes.lost()
    homes.hand_over_receipt(RECEIPT)
    before_noted = len(session.published)
    homes.noted(["r-1"])

    assert before_noted == 1


def test_what_was_under_way_on_a_lost_connection_is_published_again() -> None:
    session = RecordingSession()
    homes = MqttHomes(session)
    homes.hand_over_receipt(RECEIPT)
    homes.hand_over_receipt(OTHER)
    homes.published(1)

    homes.lost()
    for receipt in (RECEIPT, OTHER):
        homes.hand_over_receipt(receipt)

    assert topics(session) == [
        "down/hub-1/p-1/receipt",
        "down/p-2/p-2/receipt",
        "down/p-2/p-2/receipt",
    ]


def test_a_packet_of_an_earlier_connection_confirms_nothing() -> None:
    homes = MqttHomes(RecordingSession())
    homes.hand_over_receipt(RECEIPT)

    homes.lost()

    assert homes.published(1) is None


def test_a_receipt_that_could_not_leave_is_tried_again() -> None:
    session = RecordingSession()
    homes = MqttHomes(session)
    session.is_up = False
    homes.hand_over_receipt(RECEIPT)

    session.is_up = True
    homes.hand_over_receipt(RECEIPT)

    assert topics(session) == ["down/hub-1/p-1/receipt"]
