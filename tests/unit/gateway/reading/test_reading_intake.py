"""From packets to commits: acknowledged once it is on disk, and only on the connection that it came by."""

import asyncio
from datetime import timedelta

import pytest

from broker.bulk_session import Mark
from gateway.reading import intake as intakes
from services.readings.handover import Said
from services.store.connection import Connection, StoreUnavailableError
from tests.support.clock import FrozenClock
from tests.support.reading_lane import ReadingLane, pack

METER = "up/m-1/m-1/reading"
AT_MOST_SECONDS = 10


async def a_turn() -> None:
    """Let the other tasks have theirs."""
    await asyncio.sleep(0)


async def test_every_packet_is_acknowledged_once_it_is_on_disk_good_or_bad(lane: ReadingLane) -> None:
    sent = [
        lane.hear("m-1", humidity=40.0),
        lane.packet(METER, b"garbage"),
        lane.hear("nobody", humidity=1.0),
        lane.packet("in/nobody/x", b"{}"),
    ]
    assert lane.session.acknowledged == []

    await lane.commit()

    assert lane.session.acknowledged == sent


async def test_a_packet_of_qos_0_is_stored_and_has_nothing_to_acknowledge(lane: ReadingLane) -> None:
    lane.packet(METER, pack({"n": "humidity", "v": 40}), id_=0)

    await lane.commit()

    assert lane.values("humidity") == [40.0]
    assert lane.session.acknowledged == []


async def test_a_packet_that_comes_again_is_known_though_its_readings_have_no_time_of_their_own(
    lane: ReadingLane, clock: FrozenClock
) -> None:
    raw = pack({"n": "humidity", "v": 40})
    id_ = lane.packet(METER, raw)
    await lane.commit()
    clock.advance(timedelta(seconds=5))
    lane.restart()

    lane.packet(METER, raw, id_=id_, mark=Mark.AGAIN)
    await lane.commit()

    assert lane.values("humidity") == [40.0]
    assert lane.counted() == {"received": 2, "stored": 1, "duplicate": 1}
    assert lane.session.acknowledged == [id_, id_]


async def test_the_same_content_without_the_mark_is_a_new_reading(
    lane: ReadingLane, clock: FrozenClock
) -> None:
    raw = pack({"n": "humidity", "v": 40})
    id_ = lane.packet(METER, raw)
    clock.advance(timedelta(seconds=5))
    lane.packet(METER, raw, id_=id_)
    await lane.commit()

    assert lane.values("humidity") == [40.0, 40.0]


async def test_after_the_broker_has_forgotten_the_session_its_ids_mean_nothing(
    lane: ReadingLane, clock: FrozenClock
) -> None:
    raw = pack({"n": "humidity", "v": 40})
    id_ = lane.packet(METER, raw)
    await lane.commit()
    clock.advance(timedelta(seconds=5))
    lane.intake.on_connected(was_present=False)

    lane.packet(METER, raw, id_=id_, mark=Mark.AGAIN)
    await lane.commit()

    assert len(lane.values("humidity")) == 2


async def test_what_came_by_a_lost_connection_is_stored_and_not_acknowledged_on_the_new_one(
    lane: ReadingLane,
) -> None:
    lost = lane.hear("m-1", humidity=40.0)
    lane.session.connection += 1
    lane.intake.on_connected(was_present=True)
    kept = lane.hear("m-2", humidity=41.0)

    await lane.commit()

    assert lane.values("humidity") == [40.0, 41.0]
    assert lane.session.acknowledged == [kept] != [lost]


async def test_a_packet_that_comes_again_before_its_first_commit_is_stored_once_and_acknowledged(
    lane: ReadingLane,
) -> None:
    raw = pack({"n": "humidity", "v": 40})
    id_ = lane.packet(METER, raw)
    lane.session.connection += 1
    lane.intake.on_connected(was_present=True)
    lane.packet(METER, raw, id_=id_, mark=Mark.AGAIN)

    await lane.commit()

    assert lane.values("humidity") == [40.0]
    assert lane.session.acknowledged == [id_]


async def test_a_connection_that_is_lost_while_a_commit_is_under_way_gets_none_of_its_acknowledgements(
    lane: ReadingLane, monkeypatch: pytest.MonkeyPatch
) -> None:
    lane.hear("m-1", humidity=40.0)
    write = lane.writer.write

    async def loses_the_connection(work, *, is_urgent=False):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        result = await write(work, is_urgent=is_urgent)
        lane.session.connection += 1
        lane.intake.on_connected(was_present=True)
        return result

    with monkeypatch.context() as losing:
        losing.setattr(lane.writer, "write", loses_the_connection)
        await lane.commit()
    assert lane.session.acknowledged == []
    assert lane.values("humidity") == [40.0]

    kept = lane.hear("m-2", humidity=41.0)
    await lane.commit()
    assert lane.session.acknowledged == [kept]


async def test_packets_gather_while_the_disk_works_and_leave_in_few_commits(
    lane: ReadingLane, monkeypatch: pytest.MonkeyPatch, clock: FrozenClock
) -> None:
    monkeypatch.setattr(intakes, "GATHER", timedelta(milliseconds=1))
    commits = 0
    write = lane.writer.write

    async def slow(work, *, is_urgent=False):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        nonlocal commits
        commits += 1
        for _ in range(20):
            lane.hear("m-1", humidity=40.0) if commits == 1 else None
            clock.advance(timedelta(seconds=1))
        return await write(work, is_urgent=is_urgent)

    monkeypatch.setattr(lane.writer, "write", slow)
    lane.hear("m-1", humidity=40.0)
    async with asyncio.timeout(AT_MOST_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(lane.intake.run(lane.session), name="intake")
        while len(lane.session.acknowledged) < 21:
            await a_turn()
        lane.intake.stop()

    assert commits == 2
    assert lane.session.acknowledged == list(range(1, 22))


async def test_what_a_rule_finds_in_time_is_committed_without_a_packet(
    lane: ReadingLane, monkeypatch: pytest.MonkeyPatch, clock: FrozenClock
) -> None:
    monkeypatch.setattr(intakes, "LOOK_EVERY", timedelta(milliseconds=1))
    monkeypatch.setattr(intakes, "GATHER", timedelta(milliseconds=1))
    lane.hear("m-1", humidity=90.0)
    await lane.commit()
    for _ in range(24):
        clock.advance(timedelta(minutes=59))
        lane.hear("m-1", humidity=90.0)
    await lane.commit()
    lane.restart()
    lane.register.of_device(lane.town.device("m-1"))

    clock.advance(timedelta(minutes=25))
    async with asyncio.timeout(AT_MOST_SECONDS), asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(lane.intake.run(lane.session), name="intake"),
            group.create_task(lane.intake.look(), name="rules"),
        ]
        while not lane.handed_over(Said):
            await a_turn()
        for task in tasks:
            task.cancel()

    assert [said.kind for said in lane.handed_over(Said)] == ["property.damp"]


async def test_a_store_that_fails_ends_the_intake(lane: ReadingLane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intakes, "GATHER", timedelta(milliseconds=1))
    lane.writer.error = StoreUnavailableError("the disk is full")
    lane.hear("m-1", humidity=40.0)

    async with asyncio.timeout(AT_MOST_SECONDS):
        with pytest.raises(StoreUnavailableError):
            await lane.intake.run(lane.session)

    assert lane.session.acknowledged == []


async def test_a_lane_without_anything_to_say_commits_nothing(
    lane: ReadingLane, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(work: object, *, is_urgent: bool = False) -> Connection:
        raise AssertionError((work, is_urgent))

    monkeypatch.setattr(lane.writer, "write", never)

    await lane.commit()


async def test_nothing_more_is_read_while_much_is_held_and_all_of_it_again_once_it_is_on_disk(
    lane: ReadingLane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.reading.intake.HELD_PACKETS", 2)
    await lane.commit()  # it knows its session from the first turn on
    seen = []
    for humidity in (40.0, 41.0, 42.0, 43.0):
        lane.hear("m-1", humidity=humidity)
        seen.append(lane.session.is_paused)

    await lane.commit()

    assert seen == [False, False, False, True]
    assert not lane.session.is_paused
