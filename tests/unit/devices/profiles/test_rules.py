"""Rules of profiles: what can be one, and what a mistake in one says."""

from typing import Any

import pytest
from pydantic import ValidationError

from devices.kinds import AlarmKind
from devices.profiles import Profile, ReadingRule, load_profiles
from devices.profiles.rules import Condition, describe, misfit, time_span

METER = load_profiles()["humidity-meter"]
STOVE = load_profiles()["stove-guard"]


def rule(**members: Any) -> ReadingRule:
    """A rule of the humidity meter, over 75 %RH unless something else is said."""
    whole = {
        "name": "damp",
        "reading": "humidity",
        "kind": "property.damp",
        "text": {"sv": "Fuktigt", "en": "Damp"},
    }
    condition = {} if members.keys() & {*Condition} else {"above": 75}
    return ReadingRule.model_validate(whole | condition | members)


def rules_of(profile: Profile) -> dict[str, ReadingRule]:
    return {one.name: one for one in profile.rules}


def test_damp_is_three_quarters_for_a_day_and_over_at_seventy() -> None:
    damp = rules_of(METER)["damp"]

    assert (damp.kind, damp.above, damp.for_seconds) == (AlarmKind.PROPERTY_DAMP, 75, 24 * 3600)
    assert damp.limit - damp.hysteresis == 70
    assert damp.note == "mould-risk"


def test_a_stove_is_watched_for_power_without_presence() -> None:
    stove = rules_of(STOVE)["stove"]

    assert (stove.kind, stove.above, stove.for_seconds) == (AlarmKind.FIRE_STOVE, 50, 15 * 60)
    assert stove.unless is not None
    assert str(stove.unless) == "presence is at least 0.5"


def test_every_rule_that_ships_fits_its_profile_and_speaks_both_languages() -> None:
    for profile in load_profiles().values():
        for one in profile.rules:
            assert misfit(one, profile) is None
            assert one.text.sv != one.text.en


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"above": None}, "has no condition; right would be exactly one of above, below, rises_by"),
        ({"above": 1, "below": 2}, "has above and below; right would be exactly one of"),
        ({"rises_by": 3}, "within_seconds goes with rises_by and falls_by, which need it"),
        ({"within_seconds": 60}, "within_seconds goes with rises_by and falls_by, which need it"),
        ({"falls_by": 3, "within_seconds": 60, "for_seconds": 9}, "falls_by goes with no for_seconds"),
        ({"falls_by": 3, "within_seconds": 60, "hysteresis": 3}, "a hysteresis below 3"),
        ({"missing_for_seconds": 9000, "hysteresis": 1}, "missing_for_seconds goes with no hysteresis"),
        (
            {"missing_for_seconds": 9000, "unless": {"reading": "temperature", "at_least": 1}},
            "goes with no hysteresis, for_seconds, unless",
        ),
        (
            {
                "unless": {"reading": "temperature", "at_least": 1},
                "only_while": {"reading": "temperature", "at_most": 1},
            },
            "has unless and only_while; right would be one of them",
        ),
        ({"unless": {"reading": "temperature"}}, "both or neither of at_least and at_most"),
        ({"above": float("nan")}, "finite"),
        ({"hysteresis": -1}, "greater than or equal to 0"),
        ({"for_seconds": 10**9}, "less than or equal to 2678400"),
        ({"colour": 1}, "Extra inputs"),
    ],
)
def test_a_rule_that_contradicts_itself_is_refused(members: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        rule(**members)

    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        (
            {"reading": "noise"},
            "reading 'noise' is none that it can speak of; right would be one of humidity",
        ),
        (
            {"kind": "fire.stove"},
            "kind fire.stove is none of humidity-meter's; right would be one of property.damp",
        ),
        ({"unless": {"reading": "presence", "at_least": 1}}, "right would be one of temperature"),
        ({"unless": {"reading": "humidity", "at_least": 1}}, "'humidity' is none that it can speak of"),
        (
            {"unless": {"reading": "temperature", "at_least": 500}},
            "temperature is at least 500 is out of its range; right would be -40 to 85",
        ),
        ({"above": 100}, "above 100 less the hysteresis 0 must lie within 0 to 100"),
        ({"above": 5, "hysteresis": 6}, "above 5 less the hysteresis 6 must lie within 0 to 100"),
        ({"below": 0}, "below 0 plus the hysteresis 0 must lie within 0 to 100"),
        ({"below": 95, "hysteresis": 6}, "below 95 plus the hysteresis 6 must lie within"),
        ({"rises_by": 100, "within_seconds": 60}, "rises_by 100 must be less than the whole range 0 to 100"),
        ({"missing_for_seconds": 3600}, "missing_for_seconds 3600 must be more than the heartbeat's 3600"),
        ({"reading": "temperature", "note": "mould-risk"}, "is about a reading in %RH, not in Cel"),
    ],
)
def test_a_rule_that_its_model_could_never_keep_says_what_would_be_right(
    members: dict[str, Any], sentence: str
) -> None:
    assert sentence in str(misfit(rule(**members), METER))


def test_a_profile_with_a_rule_that_does_not_fit_cannot_be() -> None:
    members = METER.model_dump() | {"rules": [rule(reading="noise").model_dump()]}

    with pytest.raises(ValidationError, match="rule 'damp': reading 'noise' is none that it can speak of"):
        Profile.model_validate(members)


def test_a_profile_has_one_rule_of_a_name() -> None:
    members = METER.model_dump() | {"rules": [rule().model_dump(), rule(above=80).model_dump()]}

    with pytest.raises(ValidationError, match="rule damp stands there twice"):
        Profile.model_validate(members)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"above": 75, "for_seconds": 86400}, "over 75 %RH for 24 h"),
        ({"below": 20}, "under 20 %RH"),
        ({"rises_by": 2.5, "within_seconds": 600}, "up by more than 2.5 %RH within 10 min"),
        ({"falls_by": 3, "within_seconds": 90}, "down by more than 3 %RH within 90 s"),
        ({"missing_for_seconds": 7200}, "missing for 2 h"),
    ],
)
def test_a_condition_can_be_said_in_words(members: dict[str, Any], words: str) -> None:
    assert describe(rule(**members), "%RH") == words


def test_no_time_is_no_seconds() -> None:
    assert time_span(0) == "0 s"
