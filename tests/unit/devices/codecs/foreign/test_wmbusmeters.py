"""wmbusmeters: fields by name and unit, and the words of a status text."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from devices.codecs.errors import PayloadError
from devices.codecs.foreign.values import ForeignMessage
from devices.codecs.foreign.wmbusmeters import Wmbusmeters
from devices.kinds import AlarmKind
from tests.support.foreign import values

AT = datetime(2026, 11, 23, 8, 15, 2, tzinfo=UTC)

Hear = Callable[..., ForeignMessage]


@pytest.fixture
def hear(heard: Hear) -> Hear:
    return lambda what, **changes: heard(Wmbusmeters(), "wmbusmeters", what, **changes)


def alarms(message: ForeignMessage) -> dict[AlarmKind, bool]:
    return {alarm.kind: alarm.is_active for alarm in message.alarms}


def test_a_water_meter_tells_volume_and_the_temperature_of_its_water(hear: Hear) -> None:
    message = hear("cold water")

    assert message.external_id == "90000001"
    assert message.model == "multical21"
    assert message.sent_at == AT
    assert values(message) == {
        "volume": (106.408, "m3"),
        "temperature": (8, "Cel"),
        "external-temperature": (21, "Cel"),
    }
    assert message.ignored == ("target_m3", "max_flow_m3h", "time_leaking")
    assert message.status is not None
    assert message.status.signal_dbm == -74


@pytest.mark.parametrize(
    ("status", "is_leaking"),
    [("LEAK", True), ("DRY BURST", True), ("OK", False), ("", False), ("leakage_previously", False)],
)
def test_a_leak_stands_in_the_status_text(hear: Hear, status: str, *, is_leaking: bool) -> None:
    assert alarms(hear("cold water", status=status))[AlarmKind.PROPERTY_LEAK] is is_leaking


def test_a_meter_of_something_else_is_not_said_to_have_no_leak(hear: Hear) -> None:
    assert AlarmKind.PROPERTY_LEAK not in alarms(hear("heat"))


def test_smoke_of_a_smoke_detector_stands_in_the_status_text(hear: Hear) -> None:
    smoke = hear("room", media="smoke detector", status="SMOKE")
    clear = hear("room", media="smoke detector", status="OK")

    assert alarms(smoke)[AlarmKind.FIRE_SMOKE] is True
    assert alarms(clear)[AlarmKind.FIRE_SMOKE] is False


def test_a_home_that_feeds_the_grid_has_negative_power(hear: Hear) -> None:
    message = hear("electricity that feeds the grid")

    assert values(message) == {
        "energy": (15694.05 * 3_600_000, "J"),
        "power": (-1500, "W"),
        "energy-fed": (27_000_000, "J"),
        "voltage-1": (236, "V"),
    }


def test_a_heat_meter_has_a_temperature_on_each_side(hear: Hear) -> None:
    heat = values(hear("heat"))

    assert heat["flow-temperature"] == (51.7, "Cel")
    assert heat["return-temperature"] == (27.6, "Cel")
    assert heat["flow"] == (0.0001, "m3/s")
    assert heat["power"] == (111, "W")


def test_a_signal_that_cannot_be_is_ignored(hear: Hear) -> None:
    message = hear("heat")

    assert message.status is None
    assert "rssi_dbm" in message.ignored


def test_a_time_before_all_clocks_is_no_time(hear: Hear) -> None:
    assert hear("room").sent_at is None


def test_an_opened_case_is_tampering(hear: Hear) -> None:
    assert alarms(hear("room"))[AlarmKind.TECHNICAL_TAMPER] is True


def test_a_message_without_the_id_of_a_meter_is_refused() -> None:
    with pytest.raises(PayloadError, match="id is missing"):
        Wmbusmeters().decode("wm", b'{"total_m3": 1}', received_at=AT)
