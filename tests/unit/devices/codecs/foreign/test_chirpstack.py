"""ChirpStack: uplinks by their decoded object, the device's status, and events that are no data."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from devices.codecs.errors import PayloadError
from devices.codecs.foreign.chirpstack import PLACES, ChirpStack
from devices.codecs.foreign.values import ForeignAlarm, ForeignMessage
from devices.codecs.foreign.vocabulary import plain_name
from devices.kinds import AlarmKind
from tests.support.foreign import values

AT = datetime(2026, 11, 23, 8, 15, 2, tzinfo=UTC)

Hear = Callable[..., ForeignMessage]


@pytest.fixture
def hear(heard: Hear) -> Hear:
    return lambda what, **changes: heard(ChirpStack(), "chirpstack", what, **changes)


def test_an_uplink_says_what_its_codec_decoded(hear: Hear) -> None:
    message = hear("up")

    assert values(message) == {"temperature": (22.6, "Cel"), "humidity": (41, "%RH"), "co2": (0.000684, "/")}
    assert message.external_id == "a81758fffe000001"
    assert message.model == "Indoor climate"
    assert message.message_id == "5f0c1f5e-41a6-4c64-bb5c-000000000001"
    assert message.sent_at == datetime(2026, 11, 23, 8, 15, 2, 120_878, tzinfo=UTC)


def test_a_count_of_movements_is_no_presence_and_is_named(hear: Hear) -> None:
    assert hear("up").ignored == ("light", "motion", "vdd")


def test_the_strongest_gateway_is_the_signal(hear: Hear) -> None:
    status = hear("up").status

    assert status is not None
    assert status.signal_dbm == -91


def test_names_are_read_without_case_and_punctuation(hear: Hear) -> None:
    message = hear("leak")

    assert values(message) == {"leak": (1, "/"), "temperature": (19.5, "Cel")}
    assert message.alarms == (ForeignAlarm(kind=AlarmKind.PROPERTY_LEAK, is_active=True),)


def test_sos_is_a_press_and_no_fall_says_nothing(hear: Hear) -> None:
    call = ForeignAlarm(kind=AlarmKind.SAFETY_MANUAL, is_active=True, is_press=True)

    assert hear("pendant").alarms == (call,)


def test_the_first_of_two_members_that_mean_the_same_is_taken(hear: Hear) -> None:
    said = {"battery": 80, "battery_level": 3, "temperature": 21, "TempC_SHT": 99}
    message = hear("up", object=said, rxInfo=[])

    assert values(message) == {"temperature": (21, "Cel")}
    assert message.status is not None
    assert message.status.battery_percent == 80
    assert message.ignored == ("battery_level", "TempC_SHT")


def test_an_uplink_that_nobody_decoded_says_so(hear: Hear) -> None:
    message = hear("without codec")

    assert message.values == ()
    assert message.ignored == ("data: the device profile has no codec that fills object",)


def test_a_status_tells_battery_and_mains(hear: Hear) -> None:
    status = hear("status").status

    assert status is not None
    assert status.battery_percent == 75.59
    assert status.has_mains is False


def test_a_level_of_zero_on_mains_is_no_empty_battery(hear: Hear) -> None:
    status = hear("status on mains").status

    assert status is not None
    assert status.battery_percent is None
    assert status.has_mains is True


def test_a_battery_that_the_device_cannot_measure_is_not_empty(hear: Hear) -> None:
    status = hear("status", batteryLevelUnavailable=True, batteryLevel=0).status

    assert status is not None
    assert status.battery_percent is None


def test_a_join_is_a_sign_of_life(hear: Hear) -> None:
    message = hear("join")

    assert message.values == message.alarms == ()
    assert message.status is None


@pytest.mark.parametrize("event", ["ack", "txack", "log", "location", "integration"])
def test_events_of_the_network_say_nothing(event: str) -> None:
    topic = f"application/a/device/a81758fffe000001/event/{event}"

    assert ChirpStack().decode(topic, b"\xff", received_at=AT) == []


@pytest.mark.parametrize(
    "topic",
    [
        "application/a/device/a81758fffe000001/event/",
        "application/a/device/a8/event/up",
        "up",
        "a/b/event/up",
    ],
)
def test_a_topic_of_another_shape_is_refused(topic: str) -> None:
    with pytest.raises(PayloadError, match="right would be application/"):
        ChirpStack().decode(topic, b"{}", received_at=AT)


def test_an_event_that_names_another_device_than_its_topic_is_refused(hear: Hear) -> None:
    with pytest.raises(PayloadError, match="right would be that of the topic, 24e124ffff000003"):
        hear("pendant", deviceInfo={"devEui": "24e124ffff000004"})


def test_the_table_is_written_in_the_form_in_which_names_are_compared() -> None:
    assert [name for name in PLACES if plain_name(name) != name] == []
