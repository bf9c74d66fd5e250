"""The rules of all positions: asked at readings and in time, the same through restarts, bounded."""

from datetime import timedelta
from functools import partial
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from devices.profiles import ReadingRule, load_profiles
from services import home_rules
from services.domain.homes import DeviceState
from services.domain.ids import PositionId
from services.home_rules import NewRule
from services.readings.handover import Said
from services.readings.rule_states import Phase
from services.readings.rules import Last, Watch, watches
from services.readings.rulings import Ruling, Rulings
from services.store.readings import marks
from tests.support.clock import FrozenClock
from tests.support.reading_lane import ReadingLane

METER: Final = load_profiles()["humidity-meter"]
NOW: Final = 1_764_000_000_000_000
SECOND: Final = 1_000_000
SETTLED: Final = NOW + 3_600 * SECOND


def rule(name: str = "limit", **members: Any) -> ReadingRule:
    whole = {"reading": "humidity", "kind": "property.damp", "text": {"sv": "Gräns", "en": "Limit"}}
    return ReadingRule.model_validate({"name": name} | whole | members)


OVER_50 = rule(above=50, hysteresis=5)
OVER_50_FOR_A_MINUTE = rule(above=50, hysteresis=5, for_seconds=60)
RISES = rule("rises", rises_by=10, within_seconds=300)
MISSING = rule("quiet", missing_for_seconds=600)


class Hall:
    """Rulings of some positions, what is stored of them, and what was crossed."""

    def __init__(self, *rules: ReadingRule) -> None:
        self.rules = rules
        self.stored: dict[tuple[str, str], str] = {}
        self.latest: dict[str, dict[str, Last]] = {}
        self.crossed: list[tuple[str, bool]] = []
        self.ids: list[str] = []
        self.restart()

    def restart(self, now_us: int = NOW) -> None:
        self.rulings = Rulings(self.stored, listening_since_us=now_us)
        for position in self.latest:
            self.put(position)

    def put(self, position: str = "bath", rules: tuple[ReadingRule, ...] | None = None) -> Ruling | None:
        place = PositionId(position)
        asked = watches(METER, self.rules if rules is None else rules, place)
        latest = self.latest.setdefault(position, {})
        return self.rulings.put(place, f"device of {position}", asked, latest)

    def hear(self, at_us: int, value: float, position: str = "bath", *, ruling: Ruling | None = None) -> None:
        chosen = ruling or self.rulings._rulings.get(position) or self.put(position)
        assert chosen is not None
        self.rulings.heard(chosen, "humidity", value, at_us, at_us)
        self.rulings.judge(chosen, ["humidity"])
        self.latest[position]["humidity"] = Last(value, at_us, at_us)
        self.commit()

    def watch(self, name: str, position: str = "bath") -> Watch:
        return self.rulings._rulings[position].watches[name]

    def look(self, now_us: int) -> None:
        self.rulings.look(now_us)
        self.commit()

    def commit(self) -> None:
        changed, found = self.rulings.take_changes()
        self.stored |= changed
        self.stored = {key: text for key, text in self.stored.items() if text}
        self.crossed += [(item.crossing.rule, item.crossing.is_raised) for item in found]
        self.ids += [item.crossing.id for item in found]


@given(
    steps=st.lists(
        st.tuples(st.integers(1, 200), st.sampled_from([30.0, 46.0, 51.0, 60.0, 75.0]), st.booleans()),
        max_size=30,
    )
)
def test_a_restart_after_any_commit_gives_the_very_same_crossings(
    steps: list[tuple[int, float, bool]],
) -> None:
    rules = (OVER_50_FOR_A_MINUTE, RISES, rule("now", above=70))
    straight, broken = Hall(*rules), Hall(*rules)
    at_us = NOW

    for seconds, value, is_restarted in steps:
        at_us += seconds * SECOND
        for hall in (straight, broken):
            hall.hear(at_us, value)
        if is_restarted:
            broken.restart(at_us)

    assert broken.crossed == straight.crossed
    assert broken.ids == straight.ids
    assert broken.stored == straight.stored


def test_a_rule_that_waits_is_due_by_itself_once_and_names_the_device_that_stands_there() -> None:
    hall = Hall(OVER_50_FOR_A_MINUTE)
    hall.hear(SETTLED, 60.0)

    hall.look(SETTLED + 59 * SECOND)
    assert hall.crossed == []
    hall.rulings.look(SETTLED + 60 * SECOND)

    [found] = hall.rulings.found
    assert (found.device_id, found.crossing.is_raised) == ("device of bath", True)
    hall.commit()
    hall.look(SETTLED + 900 * SECOND)
    assert hall.crossed == [("limit", True)]


def test_what_is_pending_at_a_restart_is_due_without_a_word_of_the_device() -> None:
    hall = Hall(OVER_50_FOR_A_MINUTE)
    hall.hear(SETTLED, 60.0)

    hall.restart(SETTLED + 30 * SECOND)
    hall.look(SETTLED + 89 * SECOND)
    assert hall.crossed == [], "the hub listens for a minute before it judges by what it has not heard"
    hall.look(SETTLED + 90 * SECOND)

    assert hall.crossed == [("limit", True)]


def test_the_time_before_the_hub_began_to_listen_is_held_against_nobody() -> None:
    hall = Hall(MISSING)
    hall.hear(NOW, 40.0)

    hall.restart(NOW + 3_000 * SECOND)
    hall.look(NOW + 3_599 * SECOND)
    assert hall.crossed == []
    hall.look(NOW + 3_600 * SECOND)

    assert hall.crossed == [("quiet", True)]


def test_a_reading_that_was_missing_ends_the_alarm_when_it_comes() -> None:
    hall = Hall(MISSING)
    hall.hear(NOW, 40.0)
    hall.look(NOW + 600 * SECOND)
    hall.hear(NOW + 700 * SECOND, 40.0)

    assert hall.crossed == [("quiet", True), ("quiet", False)]


def test_a_rule_that_goes_while_it_is_active_ends_its_alarm() -> None:
    hall = Hall(OVER_50, RISES)
    hall.hear(NOW, 60.0)

    hall.put(rules=(RISES,))
    hall.commit()

    assert hall.crossed == [("limit", True), ("limit", False)]
    assert not any(name == "limit" for _, name in hall.stored)


def test_a_rule_that_goes_while_the_hub_is_down_ends_its_alarm_at_the_start() -> None:
    hall = Hall(OVER_50)
    hall.hear(NOW, 60.0)

    hall.rules = ()
    hall.restart()
    hall.commit()

    assert hall.crossed == [("limit", True), ("limit", False)]
    assert hall.stored == {}


def test_a_rule_that_goes_while_it_only_waits_says_nothing() -> None:
    hall = Hall(OVER_50_FOR_A_MINUTE)
    hall.hear(SETTLED, 60.0)

    assert hall.put(rules=()) is None
    hall.look(SETTLED + 900 * SECOND)

    assert (hall.crossed, hall.stored) == ([], {})


def test_a_position_that_is_erased_ends_its_alarms_and_goes_on_from_nothing() -> None:
    hall = Hall(OVER_50, rule("slow", above=50, for_seconds=60))
    hall.hear(NOW, 60.0)

    hall.rulings.forget("bath")
    hall.commit()

    assert hall.crossed == [("limit", True), ("limit", False)]
    assert hall.stored == {}
    assert not hall.rulings.is_under_way("bath")


def test_whoever_knows_a_position_hears_for_all_that_know_it() -> None:
    hall = Hall(MISSING)
    through_its_own_connection = hall.put()
    through_the_hub = hall.put()
    assert through_the_hub is not None

    for minute in range(30):
        hall.hear(NOW + minute * 60 * SECOND, 40.0, ruling=through_its_own_connection)
        hall.look(NOW + minute * 60 * SECOND)

    assert hall.crossed == []
    assert through_the_hub.latest["humidity"].at_us == NOW + 29 * 60 * SECOND


def test_a_position_whose_device_is_heard_no_more_rests() -> None:
    hall = Hall(OVER_50_FOR_A_MINUTE, MISSING)
    hall.hear(SETTLED, 60.0)

    hall.rulings.rest("bath", "another device")
    hall.rulings.rest("bath", "device of bath")
    hall.look(SETTLED + 9_000 * SECOND)

    assert hall.crossed == []
    assert hall.rulings.is_under_way("bath"), "it goes on when the device is heard again"


def test_nothing_grows_with_how_often_a_position_is_met_or_heard() -> None:
    hall = Hall(MISSING, OVER_50_FOR_A_MINUTE, RISES)

    for number in range(2_000):
        at_us = NOW + number * 30 * SECOND
        hall.put()
        hall.hear(at_us, 40.0 + 30 * (number % 2))
        hall.look(at_us)

    assert len(hall.rulings._due) <= 4
    assert len(hall.rulings._due_at) <= 3
    assert len(hall.rulings._states["bath"]["rises"].window) <= 17
    assert (hall.rulings.changed, hall.rulings.found) == ({}, [])


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 120), st.sampled_from(["hear", "look", "put", "wet"])), max_size=60
    )
)
def test_what_is_due_is_found_whatever_was_put_and_heard_before(steps: list[tuple[int, str]]) -> None:
    hall = Hall(MISSING, OVER_50_FOR_A_MINUTE)
    hall.restart(NOW - 3_600 * SECOND)
    now_us = NOW
    for seconds, what in steps:
        now_us += seconds * SECOND
        if what == "put":
            hall.put()
        elif what == "look":
            hall.look(now_us)
        else:
            hall.hear(now_us, 60.0 if what == "wet" else 40.0)
    hall.hear(now_us + 1, 60.0)

    hall.look(now_us + 1 + 60 * SECOND)
    assert hall.rulings._state(hall.watch("limit")).phase is Phase.ACTIVE
    hall.look(now_us + 1 + 600 * SECOND)
    assert hall.rulings._state(hall.watch("quiet")).phase is Phase.ACTIVE


# On the lane: what the register and the followers make of it.


def set_rule(lane: ReadingLane, name: str, **limits: float) -> None:
    new = NewRule(home_id="h-1", name=name, reading="humidity", limits=limits)
    work = partial(home_rules.set_rule, new=new, profiles=lane.town.profiles, actor="t", now=lane.town.now)
    lane.town.write(work)
    lane.registry_has_changed("h-1")


async def test_a_pending_rule_survives_a_restart_of_the_process(
    lane: ReadingLane, clock: FrozenClock
) -> None:
    set_rule(lane, "damp", above=50, for_seconds=120)
    lane.hear("m-1", humidity=60.0)
    await lane.commit()
    lane.restart()
    clock.advance(timedelta(seconds=120))

    lane.hear("m-1", humidity=60.0)
    await lane.commit()

    [said] = lane.handed_over(Said)
    assert (said.signal, said.data["since"]) == ("raised", "2026-11-23T08:15:02.120Z")
    assert len(marks.rule_states(lane.store)) == 1


async def test_what_was_not_committed_is_found_again_after_a_restart(
    lane: ReadingLane, clock: FrozenClock
) -> None:
    lane.hear("l-1", at=clock.now(), leak=1.0)
    lane.restart()
    lane.hear("l-1", at=clock.now(), leak=1.0)
    await lane.commit()

    assert [said.signal for said in lane.handed_over(Said)] == ["raised"]


async def test_a_replaced_device_goes_on_where_the_old_one_was(lane: ReadingLane, clock: FrozenClock) -> None:
    lane.hear("l-1", leak=1.0)
    await lane.commit()
    lane.town.set_state("l-1", DeviceState.RETIRED)
    lane.town.add_device("l-2", "h-1", "water-leak-sensor", "sink")
    lane.registry_has_changed("h-1")
    clock.advance(timedelta(minutes=1))

    lane.hear("l-2", leak=1.0)
    lane.hear("l-2", at=clock.now() + timedelta(seconds=1), leak=0.0)
    await lane.commit()

    assert [(said.device_id, said.signal) for said in lane.handed_over(Said)] == [
        ("l-1", "raised"),
        ("l-2", "cleared"),
    ]
