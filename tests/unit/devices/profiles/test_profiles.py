"""The profiles that ship, and what a mistake in one says."""

from io import BytesIO
from zipfile import Path as ZipPath
from zipfile import ZipFile

import pytest

from devices.kinds import AlarmKind
from devices.profiles import ProfilesError, UnknownProfileError, load_profiles
from devices.profiles.loader import lookup_name, read_profiles
from devices.profiles.units import PRIMARY_UNITS, SECONDARY_UNITS

GOOD = """
name = "thing"
position = "thing"
kinds = ["safety.manual"]
title = {sv = "Sak", en = "Thing"}
heartbeat = {interval_seconds = 60, missed_before_silent = 3}
power = {has_mains = true}
"""


def read(**texts: str) -> None:
    with ZipFile(BytesIO(), "w") as archive:
        for name, text in texts.items():
            archive.writestr(f"{name}.toml", text)
        read_profiles(ZipPath(archive))


def test_every_model_of_the_first_version_has_a_profile() -> None:
    assert load_profiles().names == (
        "bed-sensor",
        "door-sensor",
        "energy-meter",
        "fall-detector",
        "home-hub",
        "humidity-meter",
        "night-camera",
        "safety-alarm",
        "smart-plug",
        "smoke-detector",
        "stove-guard",
        "temperature-sensor",
        "water-leak-sensor",
        "water-meter",
    )


@pytest.mark.parametrize("name", ["safety-alarm", "Safety Alarm", "safety_alarm", " PENDANT "])
def test_a_profile_is_found_by_the_names_people_type(name: str) -> None:
    assert load_profiles()[name].name == "safety-alarm"


@pytest.mark.parametrize(
    ("typed", "name"),
    [("humidity-sensor", "humidity-meter"), ("night-camera-events", "night-camera"), ("hub", "home-hub")],
)
def test_lenient_names_reach_the_profile_that_is_meant(typed: str, name: str) -> None:
    assert load_profiles()[typed].name == name


def test_an_unknown_name_is_none_or_an_error_that_names_the_known_ones() -> None:
    profiles = load_profiles()

    assert profiles.get("toaster") is None
    assert "toaster" not in profiles
    with pytest.raises(UnknownProfileError, match="'toaster'; known are: bed-sensor, door-sensor"):
        profiles["toaster"]


def test_only_the_home_hub_carries_others() -> None:
    assert [profile.name for profile in load_profiles().values() if profile.carries_others] == ["home-hub"]


def test_a_device_with_a_battery_can_say_that_it_is_low_and_that_it_has_failed() -> None:
    for profile in load_profiles().values():
        says = {AlarmKind.TECHNICAL_BATTERY_LOW, AlarmKind.TECHNICAL_BATTERY_FAILED} & set(profile.kinds)
        assert len(says) == (2 if profile.power.battery else 0), profile.name


def test_the_camera_measures_nothing() -> None:
    assert load_profiles()["night-camera"].readings == ()


def test_every_secondary_unit_becomes_a_primary_one() -> None:
    assert {conversion.unit for conversion in SECONDARY_UNITS.values()} <= PRIMARY_UNITS
    assert not PRIMARY_UNITS & set(SECONDARY_UNITS)


def test_silence_is_as_many_heartbeats_as_the_profile_says() -> None:
    heartbeat = load_profiles()["safety-alarm"].heartbeat

    assert (
        heartbeat.silent_after.total_seconds() == heartbeat.interval_seconds * heartbeat.missed_before_silent
    )


def test_names_are_compared_in_one_form() -> None:
    assert lookup_name("  Safety__Alarm -") == "safety-alarm"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('position = "thing"', "", "thing.toml: position: is missing"),
        (
            "interval_seconds = 60",
            "interval_seconds = 0",
            "heartbeat.interval_seconds: 0: input should be greater",
        ),
        ("missed_before_silent = 3", "missed_before_silent = 1", "greater than or equal to 2"),
        ("safety.manual", "safety.shout", "kinds.1: 'safety.shout': input should be 'safety.manual'"),
        ("has_mains = true", "has_mains = false", "power: a device without mains needs a"),
        (
            "has_mains",
            "mains",
            "power.mains: is not a key of a profile; right would be one of has_mains, battery",
        ),
        (
            '"thing"\nposition',
            '"other"\nposition',
            "name: is 'other'; right would be the file's own name, 'thing'",
        ),
        ("name =", "name", "is not a TOML file"),
        ('["safety.manual"]', '["safety.manual", "safety.manual"]', "kind safety.manual stands there twice"),
        (
            "has_mains = true",
            "has_mains = true, battery = {failed_percent = 30, low_percent = 20, recovered_percent = 40}",
            "battery: failed_percent 30, low_percent 20 and recovered_percent 40 must rise in that order",
        ),
    ],
)
def test_a_mistake_names_file_key_and_what_would_be_right(old: str, new: str, sentence: str) -> None:
    assert old in GOOD

    with pytest.raises(ProfilesError) as caught:
        read(thing=GOOD.replace(old, new))

    assert sentence in str(caught.value)
    assert len(caught.value.mistakes) <= 2


@pytest.mark.parametrize(
    ("reading", "sentence"),
    [
        (
            'unit = "kWh", low = 0, high = 1',
            "is a secondary unit, which a SenML pack may not carry; write 'J'",
        ),
        ('unit = "celsius", low = 0, high = 1', "'celsius': is not a SenML unit; right would be one of"),
        ('unit = "Cel", low = 2, high = 1', "low 2 must be below high 1"),
        ('unit = "Cel", low = nan, high = 1', "finite"),
    ],
)
def test_a_reading_has_a_unit_of_the_registry_and_a_range(reading: str, sentence: str) -> None:
    row = f'readings = [{{name = "r", data_class = "climate", {reading}}}]\n'

    with pytest.raises(ProfilesError) as caught:
        read(thing=row + GOOD)

    assert sentence in str(caught.value)


def test_all_mistakes_of_all_files_are_told_at_once() -> None:
    with pytest.raises(ProfilesError) as caught:
        read(
            broken="name = ",
            empty='name = "empty"\n',
            thing=GOOD + "colour = 1\nshape = 2\n",
        )

    files = [mistake.file for mistake in caught.value.mistakes]
    assert files == ["broken.toml", *["empty.toml"] * 5, *["thing.toml"] * 2]


def test_two_profiles_may_not_share_a_name() -> None:
    other = GOOD.replace('name = "thing"', 'name = "other"\naliases = ["thing"]')

    with pytest.raises(ProfilesError, match=r"thing\.toml: aliases: 'thing' already names other"):
        read(thing=GOOD, other=other)
