"""Zigbee2MQTT: what its members become, what is about no device."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from devices.codecs.errors import PayloadError
from devices.codecs.foreign.values import ForeignAlarm, ForeignMessage
from devices.codecs.foreign.zigbee2mqtt import Zigbee2Mqtt
from devices.kinds import AlarmKind
from tests.support.foreign import values

AT = datetime(2026, 11, 23, 8, 15, 2, 120_000, tzinfo=UTC)

Hear = Callable[..., ForeignMessage]


@pytest.fixture
def hear(heard: Hear) -> Hear:
    return lambda what, **changes: heard(Zigbee2Mqtt(), "zigbee2mqtt", what, **changes)


def test_a_leak_is_an_alarm_and_a_reading_of_the_device_that_the_topic_names(hear: Hear) -> None:
    message = hear("leak sensor")

    assert message.external_id == "kitchen/under the sink"
    assert message.model == "SJCGQ11LM"
    assert message.sent_at == AT
    assert ForeignAlarm(kind=AlarmKind.PROPERTY_LEAK, is_active=True) in message.alarms
    assert ForeignAlarm(kind=AlarmKind.TECHNICAL_TAMPER, is_active=False) in message.alarms
    assert values(message) == {"battery-voltage": (3.015, "V"), "leak": (1, "/")}
    assert message.status is not None
    assert message.status.battery_percent == 87


def test_what_has_no_place_is_named(hear: Hear) -> None:
    message = hear("leak sensor")

    assert message.ignored == ("battery_low", "device_temperature", "linkquality", "power_outage_count")


def test_units_become_ours(hear: Hear) -> None:
    message = hear("climate sensor")

    assert values(message) == {
        "humidity": (71.42, "%RH"),
        "pressure": (100_840, "Pa"),
        "temperature": (22.83, "Cel"),
        "battery-voltage": (2.965, "V"),
    }


def test_last_seen_may_be_milliseconds(hear: Hear) -> None:
    assert hear("climate sensor").sent_at == AT


def test_voltage_is_volt_from_a_plug_and_millivolt_from_a_battery(hear: Hear) -> None:
    assert values(hear("plug"))["voltage"] == (231, "V")
    assert values(hear("plug", battery=50))["battery-voltage"] == (0.231, "V")


def test_a_plug_counts_joule(hear: Hear) -> None:
    plug = values(hear("plug"))

    assert plug["energy"] == (152.4 * 3_600_000, "J")
    assert plug["power"] == (988, "W")


def test_a_number_that_our_unit_cannot_hold_is_ignored(hear: Hear) -> None:
    message = hear("plug", energy=1e308)

    assert "energy" not in values(message)
    assert "energy" in message.ignored


@pytest.mark.parametrize(("contact", "is_open"), [(False, 1), (True, 0)])
def test_a_contact_that_is_apart_is_an_open_door(hear: Hear, *, contact: bool, is_open: int) -> None:
    assert values(hear("door sensor", contact=contact))["open"] == (is_open, "/")


def test_light_is_taken_in_lux_and_not_as_the_raw_number(hear: Hear) -> None:
    message = hear("motion sensor")

    assert values(message)["illuminance"] == (30, "lx")
    assert values(message)["presence"] == (1, "/")
    assert "illuminance" in message.ignored


def test_a_battery_that_only_says_low_is_an_alarm_and_one_with_a_percentage_is_not(hear: Hear) -> None:
    low = {alarm.kind: alarm.is_active for alarm in hear("smoke detector").alarms}
    both = hear("smoke detector", battery=3)

    assert low[AlarmKind.TECHNICAL_BATTERY_LOW]
    assert AlarmKind.TECHNICAL_BATTERY_LOW not in {alarm.kind for alarm in both.alarms}


@pytest.mark.parametrize(("test", "is_test"), [(True, True), (False, False), ("yes", False), (None, False)])
def test_only_a_plain_true_makes_smoke_a_test(hear: Hear, *, test: object, is_test: bool) -> None:
    alarms = hear("smoke detector", test=test).alarms

    assert ForeignAlarm(kind=AlarmKind.FIRE_SMOKE, is_active=True, is_test=is_test) in alarms


def test_gas_and_carbon_monoxide_are_told_apart(hear: Hear) -> None:
    alarms = {alarm.kind: alarm.is_active for alarm in hear("gas and carbon monoxide").alarms}

    assert alarms == {AlarmKind.FIRE_CARBON_MONOXIDE: False, AlarmKind.FIRE_GAS: True}


@pytest.mark.parametrize("action", ["emergency", "sos", "panic"])
def test_a_call_for_help_is_a_press(hear: Hear, action: str) -> None:
    call = ForeignAlarm(kind=AlarmKind.SAFETY_MANUAL, is_active=True, is_press=True)

    assert hear("panic button", action=action).alarms == (call,)


def test_an_ordinary_press_calls_nobody(hear: Hear) -> None:
    message = hear("ordinary button")

    assert message.alarms == ()
    assert "action" in message.ignored


def test_a_release_of_an_sos_button_clears_nothing(hear: Hear) -> None:
    assert hear("ordinary button", sos=False).alarms == ()


@pytest.mark.parametrize(
    "topic",
    ["bridge/state", "bridge/devices", "kitchen/leak/availability", "a/set", "a/set/state", "a/get"],
)
def test_what_is_about_no_device_says_nothing(topic: str) -> None:
    assert Zigbee2Mqtt().decode(topic, b"[online", received_at=AT) == []


def test_a_retained_message_that_is_taken_away_says_nothing() -> None:
    assert Zigbee2Mqtt().decode("kitchen", b"", received_at=AT) == []


def test_output_by_attribute_is_refused() -> None:
    with pytest.raises(PayloadError, match="number; right would be an object"):
        Zigbee2Mqtt().decode("kitchen/temperature", b"21.4", received_at=AT)
