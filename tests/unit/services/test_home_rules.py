"""A home's own limits: what replaces, adds and takes away, and what cannot be set."""

from functools import partial
from typing import Any, Final

import pytest

from devices.kinds import AlarmKind
from devices.profiles import ReadingRule, load_profiles
from services import home_rules
from services.domain.errors import RefusedError
from services.domain.homes import Device, DeviceState
from services.home_rules import HomeRule, NewRule, Origin
from services.store import audit
from services.store import home_rules as rows
from services.store.home_rules import HomeRuleRow
from tests.support.clock import START
from tests.support.town import TESTER, Town

PROFILES: Final = load_profiles()
METER: Final = PROFILES["humidity-meter"]
DAMP: Final = METER.rules[0]


@pytest.fixture
def cellar(town: Town) -> Device:
    """A humidity meter in the cellar of home ``h-1``, which has a stove guard too."""
    town.add_device("m-2", "h-1", "humidity-meter", "bathroom")
    return town.add_device("m-1", "h-1", "humidity-meter", "cellar")


def set_rule(town: Town, name: str = "damp", position: str | None = None, **members: Any) -> HomeRule:
    """Set a limit of humidity at ``h-1``, over 80 %RH unless something else is said."""
    told = {key: members.pop(key) for key in ("home_id", "reading", "kind") if key in members}
    new = NewRule(
        **({"home_id": "h-1", "reading": "humidity"} | told),
        name=name,
        position=position,
        limits=members or {"above": 80},
    )
    return town.write(partial(home_rules.set_rule, new=new, profiles=PROFILES, actor=TESTER, now=START))


def switch_off(town: Town, name: str = "damp", position: str | None = None) -> HomeRule:
    off = partial(
        home_rules.switch_off,
        name=name,
        home_id="h-1",
        position=position,
        profiles=PROFILES,
        actor=TESTER,
        now=START,
    )
    return town.write(off)


def unset(town: Town, name: str = "damp", position: str | None = None) -> HomeRule:
    forget = partial(home_rules.unset, name=name, home_id="h-1", position=position, actor=TESTER, now=START)
    return town.write(forget)


def in_force(town: Town, device: Device) -> dict[str, ReadingRule]:
    """The rules that hold where a device stands, by name."""
    own = home_rules.of_home(town.connection, device.home_id)
    found = home_rules.rules_for(PROFILES[device.profile], own, device.position_id)
    return {rule.name: rule for rule in found}


def logged(town: Town) -> list[tuple[str, str]]:
    return [
        (entry.action, entry.subject)
        for entry in audit.entries(town.connection)
        if entry.action.startswith("rule_")
    ]


def test_without_anything_set_the_model_s_own_rules_hold(town: Town, cellar: Device) -> None:
    assert in_force(town, cellar) == {"damp": DAMP}
    assert in_force(town, town.device("p-1")) == {}


def test_a_rule_of_the_model_s_name_replaces_it_and_keeps_what_was_not_said(
    town: Town, cellar: Device
) -> None:
    set_rule(town, above=80)

    assert in_force(town, cellar) == {"damp": DAMP.model_copy(update={"above": 80})}


def test_another_condition_brings_neither_duration_nor_hysteresis_of_the_old_one(
    town: Town, cellar: Device
) -> None:
    set_rule(town, below=20)

    rule = in_force(town, cellar)["damp"]
    assert (rule.above, rule.below, rule.hysteresis, rule.for_seconds) == (None, 20, 0, 0)
    assert (rule.kind, rule.text) == (DAMP.kind, DAMP.text)


def test_another_name_adds_a_rule_with_the_usual_kind_of_its_reading(town: Town, cellar: Device) -> None:
    set_rule(town, "very-damp", above=90)

    found = in_force(town, cellar)
    assert list(found) == ["damp", "very-damp"]
    assert found["very-damp"].kind is AlarmKind.PROPERTY_DAMP
    assert found["very-damp"].text.en == "very damp"


def test_what_is_missing_is_a_fault_unless_said_otherwise(town: Town, cellar: Device) -> None:
    set_rule(town, "unheard", missing_for_seconds=7200)

    assert in_force(town, cellar)["unheard"].kind is AlarmKind.TECHNICAL_FAULT


def test_a_guard_of_the_model_s_rule_stays_when_only_its_limit_is_changed(town: Town) -> None:
    set_rule(town, "stove", reading="power", above=100)

    rule = in_force(town, town.device("s-1"))["stove"]
    assert (rule.above, rule.for_seconds) == (100, 900)
    assert rule.unless == PROFILES["stove-guard"].rules[0].unless


def test_a_rule_that_is_off_does_not_hold_until_it_is_set_or_unset(town: Town, cellar: Device) -> None:
    switch_off(town)
    off = in_force(town, cellar)
    unset(town)
    unset_again = in_force(town, cellar)
    switch_off(town)
    set_rule(town, above=80)

    assert (off, unset_again) == ({}, {"damp": DAMP})
    assert in_force(town, cellar)["damp"].above == 80


def test_a_position_s_own_wins_over_the_home_s_and_reaches_no_other(town: Town, cellar: Device) -> None:
    switch_off(town)
    set_rule(town, position="cellar", above=85)

    assert in_force(town, cellar)["damp"].above == 85
    assert in_force(town, town.device("m-2")) == {}


def test_a_rule_of_the_home_holds_only_where_it_fits(town: Town, cellar: Device) -> None:
    set_rule(town, "hot", reading="temperature", kind="fire.heat", above=60)

    assert "hot" in in_force(town, town.device("s-1"))
    assert "hot" not in in_force(town, cellar)


def test_who_set_a_rule_and_what_is_off_can_be_shown(town: Town, cellar: Device) -> None:
    set_rule(town, "dry", below=20)
    switch_off(town, position="cellar")

    own = home_rules.of_home(town.connection, "h-1")
    found = home_rules.standing(METER, own, cellar.position_id)

    assert [(one.rule.name, one.origin, one.is_off) for one in found] == [
        ("damp", Origin.POSITION, True),
        ("dry", Origin.HOME, False),
    ]


@pytest.mark.usefixtures("cellar")
def test_the_very_same_again_changes_nothing_and_is_not_logged(town: Town) -> None:
    first = set_rule(town, above=80)
    town.connection.run("UPDATE home_rules SET set_at = set_at - 1000")

    assert set_rule(town, above=80).set_at < first.set_at
    switch_off(town)
    switch_off(town)
    unset(town)
    assert logged(town) == [("rule_set", "damp"), ("rule_off", "damp"), ("rule_unset", "damp")]


@pytest.mark.usefixtures("cellar")
def test_unset_returns_what_was_forgotten(town: Town) -> None:
    known = set_rule(town, above=80)

    assert unset(town) == known


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"home_id": "h-9"}, "no home 'h-9'; register it with"),
        ({"position": "attic"}, "no position 'attic'; see `stadsnav device list --home h-1`"),
        ({"reading": "noise"}, "no device there measures 'noise'; right would be one of "),
        (
            {"position": "stove guard"},
            "no device there measures 'humidity'; right would be one of power, presence, temperature",
        ),
        ({"home_id": "h-2"}, "no device there measures 'humidity'; right would be one of none"),
        ({"above": 120}, "above 120 less the hysteresis 5 must lie within 0 to 100"),
        ({"above": 80, "below": 1}, "has above and below; right would be exactly one"),
        ({"name": "x", "hysteresis": 1}, "has no condition; right would be exactly one"),
        ({"name": "Damp!"}, "name: String should match pattern"),
        ({"name": "x", "reading": "temperature", "above": 30}, "say one with --kind: property.damp"),
        ({"kind": "fire.stove"}, "kind fire.stove is none of humidity-meter's; right would be one of"),
        ({"kind": "fire.cold"}, "kind: Input should be"),
    ],
)
@pytest.mark.usefixtures("cellar")
def test_a_rule_that_cannot_be_is_refused_and_not_kept(
    town: Town, asked: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        set_rule(town, **asked)

    assert sentence in str(refused.value)
    assert rows.newest(town.connection, limit=9) == []
    assert logged(town) == []


@pytest.mark.usefixtures("cellar")
def test_what_is_not_there_can_be_neither_switched_off_nor_unset(town: Town) -> None:
    with pytest.raises(RefusedError, match="no rule 'frost'; see `stadsnav rule list --home h-1`"):
        switch_off(town, "frost")
    with pytest.raises(RefusedError, match="no rule 'damp'"):
        switch_off(town, position="stove guard")
    with pytest.raises(RefusedError, match="no rule set by the home 'damp'"):
        unset(town)


def test_a_retired_device_is_no_reason_for_a_rule(town: Town, cellar: Device) -> None:
    for device_id in (cellar.id, "m-2"):
        town.set_state(device_id, DeviceState.RETIRED)

    with pytest.raises(RefusedError, match="no device there measures 'humidity'"):
        set_rule(town)


@pytest.mark.parametrize("body", ["", "{}", "not json", '{"above": 1}'])
def test_what_cannot_be_read_is_left_out_and_the_model_s_rule_holds(
    town: Town, cellar: Device, body: str
) -> None:
    broken = HomeRuleRow(
        id="r-1",
        home_id=cellar.home_id,
        position_id=None,
        name="damp",
        body=body,
        is_off=False,
        set_at=START,
    )
    town.write(lambda connection: rows.put(connection, broken))

    assert in_force(town, cellar) == {"damp": DAMP}
    assert home_rules.newest(town.connection, limit=9) == []
    assert unset(town).rule is None
