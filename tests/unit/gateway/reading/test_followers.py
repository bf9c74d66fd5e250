"""The process's copy of the registry: what changes there holds here soon, without a word of the devices."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from gateway.reading import followers
from gateway.reading.followers import follow_registry, look_again, wake_rules
from services import home_rules
from services.domain.homes import DeviceState
from services.home_rules import NewRule
from services.readings.handover import Said
from services.store import changes
from services.store.sqlite import SqliteConnection
from tests.support.clock import FrozenClock
from tests.support.reading_lane import ReadingLane
from tests.support.stores import file_database_maker

AT_MOST_SECONDS = 10


def set_rule(lane: ReadingLane, name: str, **limits: float) -> None:
    new = NewRule(home_id="h-1", name=name, reading="humidity", limits=limits)
    work = partial(home_rules.set_rule, new=new, profiles=lane.town.profiles, actor="t", now=lane.town.now)
    lane.town.write(work)


def switch_off(lane: ReadingLane, name: str) -> None:
    work = partial(home_rules.switch_off, name=name, home_id="h-1", position=None)
    lane.town.write(
        lambda connection: work(connection, profiles=lane.town.profiles, actor="t", now=lane.town.now)
    )


def change(lane: ReadingLane, *homes: str) -> None:
    """What follows from a change of the registry, as the process joins it."""
    lane.registry_has_changed(*homes)
    again(lane, set(homes))


def again(lane: ReadingLane, homes: set[str] | None) -> None:
    look_again(
        homes,
        registry_reader=lane.town.connection,
        register=lane.register,
        rulings=lane.rulings,
        profiles=lane.town.profiles,
    )


def wake(lane: ReadingLane) -> None:
    wake_rules(lane.town.connection, lane.register, lane.rulings, lane.town.profiles)


def said(lane: ReadingLane) -> list[tuple[str, str]]:
    return [(item.kind, item.signal) for item in lane.handed_over(Said)]


async def test_a_rule_that_is_switched_off_ends_its_alarm_though_the_device_says_nothing(
    lane: ReadingLane,
) -> None:
    set_rule(lane, "damp", above=50, for_seconds=1)
    for humidity in (60.0, 61.0):
        lane.hear("m-1", humidity=humidity)
        lane.town.clock.advance(timedelta(seconds=2))
    await lane.commit()

    switch_off(lane, "damp")
    change(lane, "h-1")
    await lane.commit()

    assert said(lane) == [("property.damp", "raised"), ("property.damp", "cleared")]


async def test_a_rule_about_silence_holds_for_a_device_that_is_silent_already(
    lane: ReadingLane, clock: FrozenClock
) -> None:
    lane.hear("m-1", humidity=40.0)
    await lane.commit()
    clock.advance(timedelta(hours=2))

    set_rule(lane, "quiet", missing_for_seconds=4_000)
    change(lane, "h-1")
    lane.look()
    await lane.commit()

    assert said(lane) == [("technical.fault", "raised")]


async def test_after_a_restart_rules_are_awake_that_were_under_way_or_ask_for_silence(
    lane: ReadingLane, clock: FrozenClock
) -> None:
    set_rule(lane, "quiet", missing_for_seconds=4_000)
    set_rule(lane, "damp", above=50, for_seconds=7_200)
    lane.hear("m-1", humidity=60.0)
    await lane.commit()
    lane.restart()
    wake(lane)

    clock.advance(timedelta(hours=2))
    lane.look()
    await lane.commit()

    assert sorted(said(lane)) == [("property.damp", "raised"), ("technical.fault", "raised")]


@pytest.mark.parametrize("state", [DeviceState.SUSPENDED, DeviceState.RETIRED])
async def test_nothing_is_held_against_a_device_that_is_heard_no_more(
    lane: ReadingLane, clock: FrozenClock, state: DeviceState
) -> None:
    set_rule(lane, "quiet", missing_for_seconds=4_000)
    set_rule(lane, "damp", above=50, for_seconds=7_200)
    lane.hear("m-1", humidity=60.0)
    await lane.commit()
    lane.town.set_state("m-1", state)
    change(lane, "h-1")
    clock.advance(timedelta(hours=2))
    lane.look()
    await lane.commit()
    lane.restart()
    wake(lane)
    clock.advance(timedelta(hours=2))
    lane.look()
    await lane.commit()

    assert said(lane) == []


async def test_a_device_that_is_resumed_goes_on_where_it_was(lane: ReadingLane, clock: FrozenClock) -> None:
    lane.hear("l-1", leak=1.0)
    await lane.commit()
    for state in (DeviceState.SUSPENDED, DeviceState.IN_SERVICE):
        lane.town.set_state("l-1", state)
        change(lane, "h-1")
    clock.advance(timedelta(minutes=1))

    lane.hear("l-1", leak=0.0)
    await lane.commit()

    assert said(lane) == [("property.leak", "raised"), ("property.leak", "cleared")]


async def test_when_nobody_knows_what_has_changed_everything_is_awake_again(
    lane: ReadingLane, clock: FrozenClock
) -> None:
    set_rule(lane, "quiet", missing_for_seconds=4_000)
    lane.hear("m-1", humidity=40.0)
    await lane.commit()
    lane.restart()
    lane.register.forget_homes(None)

    again(lane, None)
    clock.advance(timedelta(hours=2))
    lane.look()
    await lane.commit()

    assert said(lane) == [("technical.fault", "raised")]


def test_homes_without_rules_cost_a_change_nothing_that_is_remembered(lane: ReadingLane) -> None:
    change(lane, "h-2", "")

    assert lane.register._known == {}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return file_database_maker(tmp_path)()


@pytest.fixture
def database(path: Path) -> Iterator[SqliteConnection]:
    """In a file: the follower looks through a connection of its own."""
    with closing(SqliteConnection(path)) as connection:
        yield connection


async def test_every_change_since_the_registry_was_first_read_is_followed_once(
    lane: ReadingLane, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followers, "FOLLOW_EVERY", timedelta(milliseconds=1))
    before_the_start = changes.newest(lane.town.connection)
    known = lane.register.known("m-1", "m-1")
    lane.town.grant("acme", "h-1", "climate")
    heard: list[set[str] | None] = []
    told = asyncio.Event()

    def hear(homes: set[str] | None) -> None:
        heard.append(homes)
        told.set()

    async with asyncio.timeout(AT_MOST_SECONDS), asyncio.TaskGroup() as group:
        with closing(SqliteConnection(path)) as reader:
            work = follow_registry(reader, lane.register, after=before_the_start, on_change=[hear])
            task = group.create_task(work, name="registry")
            await told.wait()
            told.clear()
            assert known.is_stale
            lane.town.set_state("m-2", DeviceState.SUSPENDED)
            await told.wait()
            task.cancel()
            await asyncio.wait({task})

    assert heard == [{"h-1"}, {"h-2"}]
