"""Home Assistant: units and classes on topics of their own, discovery, and what is remembered."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from devices.codecs.errors import PayloadError
from devices.codecs.foreign import home_assistant
from devices.codecs.foreign.home_assistant import HomeAssistant
from devices.codecs.foreign.memory import Memory
from devices.codecs.foreign.values import ForeignAlarm, ForeignMessage
from devices.kinds import AlarmKind
from tests.support.foreign import values

AT = datetime(2026, 11, 23, 8, 15, 3, tzinfo=UTC)
PRESSED_AT = datetime(2026, 11, 23, 8, 15, 2, 120_000, tzinfo=UTC)

Captured = Callable[[str], dict[str, Any]]


class Home:
    """A dialect that hears one message a second."""

    def __init__(self) -> None:
        self.dialect = HomeAssistant()
        self.now = AT

    def say(self, topic: str, payload: str) -> list[ForeignMessage]:
        messages = self.dialect.decode(topic, payload.encode(), received_at=self.now)
        self.now += timedelta(seconds=1)
        return messages

    def play(self, captured: Captured, what: str) -> list[ForeignMessage]:
        shapes = captured("home-assistant")[what]
        return [message for shape in shapes for message in self.say(shape["topic"], shape["payload"])]


@pytest.fixture
def home() -> Home:
    return Home()


def test_the_first_state_waits_until_its_unit_and_class_are_known(home: Home, captured: Captured) -> None:
    first, later = home.play(captured, "a temperature is said for the first time")

    assert first.values == ()
    assert "no place" in first.ignored[0]
    assert later.external_id == "sensor.bath_temperature"
    assert values(later) == {"temperature": (21.5, "Cel")}
    assert later.sent_at == AT


def test_every_later_state_is_taken_at_once_and_only_once(home: Home, captured: Captured) -> None:
    home.play(captured, "a temperature is said for the first time")

    (message, *others) = home.play(captured, "a temperature is said for the first time")

    assert values(message) == {"temperature": (21.5, "Cel")}
    assert others == []


def test_smoke_is_an_alarm_also_when_its_class_is_said_after_it(home: Home, captured: Captured) -> None:
    _, message = home.play(captured, "smoke")

    assert message.alarms == (ForeignAlarm(kind=AlarmKind.FIRE_SMOKE, is_active=True),)


def test_a_state_that_has_passed_meanwhile_is_not_told_later(home: Home) -> None:
    home.say("binary_sensor/hall_smoke/state", "on")
    home.say("binary_sensor/hall_smoke/state", "unavailable")

    assert home.say("binary_sensor/hall_smoke/device_class", '"smoke"') == []


def test_an_sos_has_the_time_of_the_press_as_its_id(home: Home, captured: Captured) -> None:
    first = home.play(captured, "an sos button")[-1]
    again = home.play(captured, "an sos button")[-1]

    assert first.alarms == (ForeignAlarm(kind=AlarmKind.SAFETY_MANUAL, is_active=True, is_press=True),)
    assert first.sent_at == PRESSED_AT
    assert first.message_id == again.message_id == "2026-11-23T08:15:02.120+00:00"


def test_a_battery_in_percent_is_status_and_not_a_reading(home: Home) -> None:
    home.say("sensor/lock_battery/unit_of_measurement", '"%"')
    home.say("sensor/lock_battery/device_class", '"battery"')

    (message,) = home.say("sensor/lock_battery/state", "81")

    assert message.values == ()
    assert message.status is not None
    assert message.status.battery_percent == 81


def test_other_domains_say_nothing(home: Home) -> None:
    assert home.say("light/kitchen/state", "on") == []


def test_a_device_that_announces_itself_is_read_as_its_configuration_says(
    home: Home, captured: Captured
) -> None:
    temperature, leak = home.play(captured, "discovery")

    assert temperature.external_id == "esp42_t"
    assert temperature.model == "climate board"
    assert values(temperature) == {"temperature": (21.44, "Cel")}
    assert leak.external_id == "esp42_l"
    assert leak.alarms == (ForeignAlarm(kind=AlarmKind.PROPERTY_LEAK, is_active=True),)


def test_a_configuration_that_is_taken_away_is_forgotten(home: Home, captured: Captured) -> None:
    home.play(captured, "discovery")

    home.say("homeassistant/binary_sensor/esp-42/leak/config", "")

    (message,) = home.say("tele/esp-42/state", '{"temperature": 20, "leak": "WET"}')
    assert message.external_id == "esp42_t"


@pytest.mark.parametrize("raw", ["false", '"false"'])
def test_on_may_be_a_word_of_the_device(home: Home, raw: str) -> None:
    config = {
        "state_topic": "z/door",
        "value_template": "{{ value_json.contact }}",
        "device_class": "door",
        "payload_on": False,
        "payload_off": True,
        "unique_id": "door",
    }
    home.say("homeassistant/binary_sensor/door/config", json.dumps(config))

    (message,) = home.say("z/door", f'{{"contact": {raw}}}')

    assert values(message) == {"open": (1, "/")}


@pytest.mark.parametrize(
    "template",
    [
        "{{ value_json.t * 10 }}",
        "{{ value_json.a.b }}",
        "{% if value %}1{% endif %}",
        "{{ value | int + 1 }}",
    ],
)
def test_a_template_that_calculates_is_not_guessed(home: Home, template: str) -> None:
    config = {"stat_t": "x", "val_tpl": template, "dev_cla": "power", "unit_of_meas": "W", "uniq_id": "x"}
    home.say("homeassistant/sensor/x/config", json.dumps(config))

    (message,) = home.say("x", "21")

    assert message.values == ()
    assert message.ignored == ("state",)


def test_a_topic_that_nobody_announced_is_refused(home: Home) -> None:
    with pytest.raises(PayloadError, match="discovery configuration that was heard before"):
        home.say("tele/esp-42/state", "21")


def test_what_was_unheard_for_longest_is_forgotten_at_the_bound() -> None:
    memory: Memory[str, str] = Memory(2, size_of=lambda _: 1)

    memory.put("a", "1")
    memory.put("b", "2")
    assert memory.get("a") == "1"
    memory.put("c", "3")

    assert sorted(memory) == ["a", "c"]
    assert memory.get("b") is None


def test_a_value_that_is_too_large_alone_is_not_kept() -> None:
    memory: Memory[str, str] = Memory(2, size_of=len)

    memory.put("a", "123")

    assert len(memory) == 0


def test_the_bound_holds_however_many_entities_speak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home_assistant, "MAX_ENTITIES", 3)
    home = Home()

    for number in range(10):
        home.say(f"sensor/s{number}/state", "1")

    assert len(home.dialect._entities) == 3
