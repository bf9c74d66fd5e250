"""When a rule is broken and when it is well again, over streams of readings, silences and restarts."""

from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.codecs.own_json import decode_alarm, encode_alarm
from devices.kinds import AlarmKind
from devices.messages import AlarmSignal
from devices.profiles import Profile, ReadingRule, load_profiles
from services.domain.ids import PositionId
from services.readings.crossings import Crossing, alarm_message, withdrawn
from services.readings.rule_states import (
    QUIET,
    Phase,
    RuleState,
    StateUnreadableError,
    dump_state,
    load_state,
)
from services.readings.rules import Last, Watch, after_reading, after_time, due_at_us, heard, watches

POSITION: Final = PositionId("0193a0b2-0000-7000-8000-000000000001")
START: Final = 1_790_000_000.0
"""Seconds since 1970: when the tests begin."""

MINUTE: Final = 60.0
HOUR: Final = 3600.0
DAY: Final = 24 * HOUR

METER: Final = load_profiles()["humidity-meter"]
STOVE: Final = load_profiles()["stove-guard"]


class Place:
    """A position with one rule: what the reading process keeps for it, and what came of it."""

    def __init__(self, profile: Profile = METER, rule: ReadingRule | None = None) -> None:
        self.watch: Watch = watches(profile, [rule or profile.rules[0]], POSITION)[0]
        self.state: RuleState = QUIET
        self.latest: dict[str, Last] = {}
        self.crossings: list[Crossing] = []
        self.listening_since_us = 0

    def hear(self, at: float, *, late: float = 0, **values: float) -> list[bool]:
        """One pack at ``at`` seconds after the start, received ``late`` seconds later."""
        at_us, received_us = micros(at), micros(at + late)
        for name, value in values.items():
            before = self.latest.get(name)
            self.latest[name] = heard(before, value=value, at_us=at_us, received_us=received_us)
        return self._keep(after_reading(self.watch, self.state, self.latest))

    def wait(self, until: float) -> list[bool]:
        """Nothing is heard until ``until`` seconds after the start."""
        since = self.listening_since_us
        step = after_time(self.watch, self.state, self.latest, micros(until), listening_since_us=since)
        return self._keep(step)

    def due(self) -> float | None:
        """When to look again, in seconds after the start."""
        due = due_at_us(self.watch, self.state, self.latest, listening_since_us=self.listening_since_us)
        return None if due is None else due / 1e6 - START

    def restart(self) -> None:
        """A new process reads what the old one stored, and nothing else."""
        self.state = load_state(dump_state(self.state))
        self.latest = {name: replace_previous(last) for name, last in self.latest.items()}

    def _keep(self, step: tuple[RuleState, Crossing | None]) -> list[bool]:
        self.state, crossing = step
        found = [] if crossing is None else [crossing]
        self.crossings += found
        return [one.is_raised for one in found]


def micros(seconds: float) -> int:
    return round((START + seconds) * 1e6)


def replace_previous(last: Last) -> Last:
    return last._replace(previous_at_us=None)


def rule(**members: Any) -> ReadingRule:
    """A rule of the humidity meter without a duration."""
    whole = {
        "name": "limit",
        "reading": "humidity",
        "kind": "property.damp",
        "text": {"sv": "Gräns", "en": "Limit"},
    }
    return ReadingRule.model_validate(whole | members)


def test_damp_opens_after_a_day_over_the_limit_and_not_before() -> None:
    place = Place()

    early = [place.hear(hour * HOUR, humidity=80, temperature=12) for hour in range(24)]
    at_a_day = place.hear(DAY, humidity=82, temperature=12)

    assert early == [[]] * 24
    assert at_a_day == [True]
    (crossing,) = place.crossings
    assert (crossing.kind, crossing.at_us) == (AlarmKind.PROPERTY_DAMP, micros(DAY))
    assert crossing.text == (
        "Damp: humidity 82 %RH, over 75 %RH for 24 h; mould can grow: 82 %RH at 12 Cel, critical 80.9 %RH"
    )


def test_damp_says_so_when_no_temperature_is_known_or_only_an_old_one() -> None:
    place = Place()
    place.hear(0, temperature=12)
    for hour in range(1, 26):
        place.hear(hour * HOUR, humidity=80)

    assert "no temperature is known here" in place.crossings[0].text
    assert place.crossings[0].data["mould"] == {"celsius": None, "critical_percent": None}


def test_a_single_value_within_the_limit_begins_the_day_again() -> None:
    place = Place()
    for hour in range(24):
        place.hear(hour * HOUR, humidity=80 if hour != 20 else 75)

    assert place.hear(DAY, humidity=80) == []
    for hour in range(25, 45):
        assert place.hear(hour * HOUR, humidity=80) == []
    assert place.hear(45 * HOUR, humidity=80) == [True]


def test_damp_is_over_at_seventy_and_not_within_the_band() -> None:
    place = Place()
    for hour in range(25):
        place.hear(hour * HOUR, humidity=80)

    within = [place.hear((25 + number) * HOUR, humidity=value) for number, value in enumerate((74, 70.1, 75))]
    over = place.hear(28 * HOUR, humidity=70)

    assert within == [[], [], []]
    assert over == [False]
    assert place.crossings[-1].text == "Damp: over, humidity 70 %RH"
    assert place.state == QUIET


def test_a_duration_ends_though_nothing_more_is_heard_while_the_value_can_still_stand() -> None:
    place = Place()
    for hour in range(23):
        place.hear(hour * HOUR, humidity=80)

    assert place.due() == DAY
    assert place.wait(DAY - 1) == []
    assert place.wait(DAY) == [True]
    assert place.due() is None


def test_a_value_that_is_older_than_the_model_may_be_silent_proves_nothing() -> None:
    place = Place()
    for hour in range(20):
        place.hear(hour * HOUR, humidity=80)

    assert place.due() is None
    assert place.wait(10 * DAY) == []


def test_a_break_longer_than_the_model_may_be_silent_begins_the_duration_again() -> None:
    place = Place()
    for hour in range(20):
        place.hear(hour * HOUR, humidity=80)

    assert place.hear(DAY, humidity=80) == []
    assert place.state.since_us == micros(DAY)
    assert place.hear(DAY + 2 * HOUR, humidity=80) == []
    assert place.state.since_us == micros(DAY)


def test_hearing_the_guard_after_a_break_does_not_begin_the_duration_once_more() -> None:
    place = Place(STOVE)
    place.hear(0, power=1800, presence=0)
    place.hear(46 * MINUTE, power=1800, presence=0)

    place.hear(50 * MINUTE, presence=0)

    assert place.state.since_us == micros(46 * MINUTE)
    assert place.wait(61 * MINUTE) == [True]


def test_looking_too_late_changes_nothing_of_what_is_said() -> None:
    late, in_time = Place(STOVE), Place(STOVE)
    for place, look_at in ((late, 30 * MINUTE), (in_time, 15 * MINUTE)):
        place.hear(0, power=1800, presence=0)
        place.wait(look_at)

    assert late.crossings == in_time.crossings
    assert late.crossings[0].at_us == micros(15 * MINUTE)


def test_a_stove_that_is_on_with_nobody_there_opens_after_a_quarter() -> None:
    place = Place(STOVE)
    place.hear(0, power=1800, presence=0)

    assert place.due() == 15 * MINUTE
    assert place.hear(14 * MINUTE, power=1700, presence=0) == []
    assert place.wait(15 * MINUTE) == [True]
    (crossing,) = place.crossings
    assert crossing.kind is AlarmKind.FIRE_STOVE
    assert crossing.text == "The stove is on and nobody is there: power 1700 W, over 50 W for 15 min"


def test_somebody_at_the_stove_is_no_alarm_and_ends_one() -> None:
    place = Place(STOVE)
    for minute in range(0, 61, 5):
        assert place.hear(minute * MINUTE, power=1800, presence=1) == []
    place.hear(62 * MINUTE, presence=0)

    assert place.due() == 77 * MINUTE
    assert place.hear(77 * MINUTE, power=1800) == [True]
    assert place.hear(78 * MINUTE, presence=1) == [False]


def test_presence_that_was_never_heard_or_long_ago_is_nobody() -> None:
    never, long_ago = Place(STOVE), Place(STOVE)
    long_ago.hear(0, power=0, presence=1)

    never.hear(0, power=1800)
    long_ago.hear(46 * MINUTE, power=1800)

    assert never.wait(15 * MINUTE) == [True]
    assert long_ago.wait(61 * MINUTE) == [True]


def test_a_rule_that_holds_only_while_something_is_so_is_quiet_when_that_is_not_known() -> None:
    guarded = rule(above=75, only_while={"reading": "temperature", "at_most": 15})
    unknown, cold, warm = Place(rule=guarded), Place(rule=guarded), Place(rule=guarded)

    assert unknown.hear(0, humidity=80) == []
    assert cold.hear(0, humidity=80, temperature=15) == [True]
    assert warm.hear(0, humidity=80, temperature=16) == []


def test_a_value_too_old_to_stand_says_nothing_when_only_the_guard_is_heard() -> None:
    place = Place(STOVE)
    place.hear(0, power=1800, presence=1)

    assert place.hear(46 * MINUTE, presence=0) == []
    assert place.state.phase is Phase.QUIET


def test_a_backlog_counts_as_it_happened() -> None:
    place = Place(STOVE)
    late = 2 * HOUR

    steps = [
        place.hear(minute * MINUTE, late=late - minute * MINUTE, power=1800, presence=0)
        for minute in range(0, 21, 5)
    ]

    assert steps == [[], [], [], [True], []]
    assert place.crossings[0].at_us == micros(15 * MINUTE)


def test_what_is_left_of_a_duration_after_a_backlog_passes_by_our_clock() -> None:
    place = Place(STOVE)

    place.hear(0, late=2 * HOUR, power=1800, presence=0)
    place.hear(10 * MINUTE, late=2 * HOUR - 10 * MINUTE, power=1800, presence=0)

    assert place.due() == 2 * HOUR + 5 * MINUTE


def test_a_backlog_in_which_it_was_well_again_opens_nothing() -> None:
    place = Place(STOVE)

    for minute, power in ((0, 1800), (10, 1800), (14, 0), (20, 0)):
        assert place.hear(minute * MINUTE, late=2 * HOUR, power=power, presence=0) == []
    assert place.due() is None


def test_a_reading_that_is_missing_opens_by_time_alone_and_ends_when_it_is_heard() -> None:
    place = Place(rule=rule(missing_for_seconds=7200))

    assert place.due() is None
    place.hear(0, late=30, humidity=50)
    assert place.due() == 7230
    assert place.wait(7229) == []
    assert place.wait(7230) == [True]
    assert place.hear(7300, temperature=20) == []
    assert place.hear(7300, humidity=51) == [False]
    assert [one.text for one in place.crossings] == [
        "Limit: no humidity heard for 2 h, last 50 %RH",
        "Limit: over, humidity 51 %RH",
    ]


def test_the_time_in_which_the_hub_was_away_is_held_against_nobody() -> None:
    missing, stove = Place(rule=rule(missing_for_seconds=7200)), Place(STOVE)
    missing.hear(0, humidity=50)
    stove.hear(0, power=1800, presence=0)

    missing.listening_since_us = stove.listening_since_us = micros(40 * MINUTE)

    assert missing.due() == 40 * MINUTE + 7200
    assert stove.due() == 41 * MINUTE, "what waits in the broker comes in first"


@pytest.mark.parametrize(("condition", "sign"), [("rises_by", 1), ("falls_by", -1)])
def test_a_rate_opens_when_the_value_moves_too_far_within_its_time(condition: str, sign: int) -> None:
    quick, slow = (Place(rule=rule(**{condition: 10}, within_seconds=600)) for _ in range(2))

    for minute in range(0, 60, 2):
        assert slow.hear(minute * MINUTE, humidity=50 + sign * minute / 2) == []
    assert quick.hear(0, humidity=50) == []
    assert quick.hear(300, humidity=50 + sign * 10) == [], "the limit itself is not past it"
    assert quick.hear(360, humidity=50 + sign * 11) == [True]
    assert quick.hear(1000, humidity=50 + sign * 11) == [False]


@pytest.mark.parametrize("stream", [(50, 40, 51), (40, 50, 51)])
def test_a_rate_counts_from_the_least_however_close_readings_come(stream: tuple[float, ...]) -> None:
    place = Place(rule=rule(rises_by=10, within_seconds=600))

    steps = [place.hear(number, humidity=value) for number, value in enumerate(stream)]

    assert steps == [[], [], [True]]


def test_a_rate_remembers_no_more_however_fast_readings_come() -> None:
    place = Place(rule=rule(rises_by=99, within_seconds=600))

    for tenth in range(20_000):
        place.hear(tenth / 10, humidity=tenth % 50)

    assert len(place.state.window) <= 17
    assert len(dump_state(place.state)) < 700


def test_the_same_crossing_is_the_same_event_and_every_other_is_another() -> None:
    places = [Place(STOVE), Place(STOVE)]
    for place in places:
        for minute, power in ((0, 1800), (16, 1800), (17, 0), (20, 1800), (36, 1800), (37, 0)):
            place.hear(minute * MINUTE, power=power, presence=0)

    first, second = ([alarm_message(one) for one in place.crossings] for place in places)
    assert first == second
    assert [one.signal for one in first] == [AlarmSignal.RAISED, AlarmSignal.CLEARED] * 2
    assert len({one.id for one in first}) == 4


def test_a_crossing_passes_through_the_home_s_own_form_unchanged() -> None:
    place = Place(rule=rule(above=75, name="n" * 63))
    place.hear(0, humidity=80)

    message = alarm_message(place.crossings[0])

    assert decode_alarm(encode_alarm(message)) == message
    assert message.data["since"] == "2026-09-21T14:13:20.000Z"
    assert {**message.data, "since": ""} == {
        "rule": "n" * 63,
        "reading": "humidity",
        "value": 80,
        "unit": "%RH",
        "condition": "above",
        "limit": 75,
        "since": "",
        "title": {"sv": "Gräns", "en": "Limit"},
    }


def test_an_alarm_ends_as_the_kind_that_it_was_opened_as() -> None:
    place = Place(rule=rule(above=75))
    place.hear(0, humidity=80)
    changed = rule(above=75, kind="technical.fault")
    (place.watch,) = watches(METER, [changed], POSITION)

    place.hear(60, humidity=70)

    assert [one.kind for one in place.crossings] == [AlarmKind.PROPERTY_DAMP] * 2


def test_a_rule_that_was_switched_off_ends_its_alarm_as_the_same_event() -> None:
    place = Place(rule=rule(above=75))
    place.hear(0, humidity=80)
    kind, since_us = place.state.kind, place.state.since_us
    assert kind is not None

    ended = withdrawn("limit", POSITION, kind=kind, since_us=since_us, at_us=micros(60))
    place.hear(60, humidity=70)

    assert (ended.id, ended.is_raised) == (place.crossings[-1].id, False)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '["loud",0,null,[]]', '["quiet",0,null,[[1]]]', "[1,2,3,4]"]
)
def test_a_state_that_cannot_be_read_says_so(text: str) -> None:
    with pytest.raises(StateUnreadableError, match="as the state of a rule"):
        load_state(text)


# Laws, over any stream.

RULES: Final = [
    rule(above=60, hysteresis=10),
    rule(above=60, hysteresis=10, for_seconds=1800),
    rule(below=40, hysteresis=5, for_seconds=600),
    rule(above=60, for_seconds=900, unless={"reading": "temperature", "at_least": 20}),
    rule(above=60, for_seconds=900, only_while={"reading": "temperature", "at_least": 20}),
    rule(rises_by=15, within_seconds=3600, hysteresis=5),
    rule(falls_by=15, within_seconds=3600),
    rule(missing_for_seconds=7200),
]

values = st.floats(0, 100, allow_nan=False)
packs = st.fixed_dictionaries(
    {"gap": st.integers(1, 4 * 3600), "late": st.sampled_from([0, 2, 7200])},
    optional={"humidity": values, "temperature": st.sampled_from([10.0, 20.0, 30.0])},
)
streams = st.lists(packs, max_size=40)


def play(place: Place, stream: list[dict[str, Any]], *, restarts: frozenset[int] = frozenset()) -> list[bool]:
    """Hear a stream as the reading process does, looking again when it is time to."""
    now, steps = 0.0, []
    for number, pack in enumerate(stream):
        now += pack["gap"]
        if number in restarts:
            place.restart()
        steps += place.wait(now)
        steps += place.hear(now - pack["late"], **without_gap(pack))
    return steps


def without_gap(pack: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in pack.items() if key != "gap"}


@given(one=st.sampled_from(RULES), stream=streams)
def test_raising_and_clearing_take_turns_beginning_with_a_raise(
    one: ReadingRule, stream: list[dict[str, Any]]
) -> None:
    steps = play(Place(rule=one), stream)

    assert steps[:1] != [False]
    assert all(before is not after for before, after in pairwise(steps))


@given(one=st.sampled_from(RULES), stream=streams, restarts=st.frozensets(st.integers(0, 39)))
def test_a_restart_anywhere_changes_nothing(
    one: ReadingRule, stream: list[dict[str, Any]], restarts: frozenset[int]
) -> None:
    steady, restarted = Place(rule=one), Place(rule=one)

    play(steady, stream)
    play(restarted, stream, restarts=restarts)

    assert restarted.crossings == steady.crossings


@given(one=st.sampled_from(RULES), stream=streams)
def test_the_same_reading_twice_changes_nothing_not_even_the_object(
    one: ReadingRule, stream: list[dict[str, Any]]
) -> None:
    place, now = Place(rule=one), 0.0
    for pack in stream:
        now += pack["gap"]
        place.wait(now)
        place.hear(now - pack["late"], **without_gap(pack))
        state = place.state

        again = place.hear(now - pack["late"], **without_gap(pack))

        assert (place.state, again) == (state, [])
        assert place.state is state


@given(
    stream=st.lists(st.floats(50.001, 60, allow_nan=False), max_size=30), first=st.sampled_from([40.0, 70.0])
)
def test_values_within_the_band_never_change_anything(stream: list[float], first: float) -> None:
    place = Place(rule=RULES[0])
    place.hear(0, humidity=first)
    before = place.state

    for number, value in enumerate(stream, start=1):
        place.hear(number * 60, humidity=value)

    assert place.state is before


@given(stream=st.lists(st.tuples(st.integers(1, 4 * 3600), values), max_size=40))
def test_a_duration_is_judged_like_by_somebody_who_remembers_everything(
    stream: list[tuple[int, float]],
) -> None:
    place, history, now = Place(rule=RULES[1]), list[tuple[float, float]](), 0.0
    is_active = False

    for gap, value in stream:
        now += gap
        history.append((now, value))
        is_active = value > 50 if is_active else _wrong_for(history) >= 1800
        place.hear(now, humidity=value)

        assert (place.state.phase is Phase.ACTIVE) is is_active


def _wrong_for(history: list[tuple[float, float]]) -> float:
    """How long the newest values have been over 60 without a break of three hours; -1: they are not."""
    newest = since = history[-1][0]
    if history[-1][1] <= 60:
        return -1
    for at, value in reversed(history):
        if value <= 60 or since - at > 3 * 3600:
            break
        since = at
    return newest - since


@given(
    phase=st.sampled_from(Phase),
    since_us=st.integers(0, 2**53),
    kind=st.none() | st.sampled_from(AlarmKind),
    window=st.lists(st.tuples(st.integers(0, 2**53), st.floats(allow_nan=False, allow_infinity=False))),
)
def test_a_state_is_read_back_as_it_was(
    phase: Phase, since_us: int, kind: AlarmKind | None, window: list[tuple[int, float]]
) -> None:
    state = RuleState(phase=phase, since_us=since_us, kind=kind, window=tuple(window))

    assert load_state(dump_state(state)) == state


def test_a_rule_is_asked_about_what_it_rests_on() -> None:
    assert Place().watch.readings == ("humidity",)
    assert Place(STOVE).watch.readings == ("power", "presence")


def test_an_older_reading_is_not_the_newest() -> None:
    newest = Last(1.0, 100, 100)

    assert heard(newest, value=2.0, at_us=100, received_us=200) is newest
    assert heard(newest, value=2.0, at_us=99, received_us=200) is newest
    assert heard(newest, value=2.0, at_us=101, received_us=200) == Last(2.0, 101, 200, 100)


def test_an_unknown_position_of_a_rule_is_left_alone() -> None:
    place = Place()

    assert place.hear(0, temperature=20) == []
    assert place.state is QUIET
    assert replace(place.state) == QUIET
