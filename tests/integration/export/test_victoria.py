"""The export against a real server: every reading arrives, exact, once, whatever stops in between."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from gateway.data_folder import DataFolder
from gateway.export import cursors
from gateway.export.again import Span, history, send_again
from gateway.export.app import build
from gateway.export.cursors import Cursor
from gateway.export.influx import InfluxTarget
from gateway.export.lag import TargetStatus, status_of
from gateway.export.lines import Lines
from gateway.export.pseudonyms import pseudonyms
from gateway.settings import ExportSettings
from services.domain.clock import SystemClock
from services.store.connection import to_micros
from tests.integration.export.conftest import Store
from tests.support.victoria import Victoria

PATIENCE_SECONDS = 30.0


def chosen(server: Victoria) -> ExportSettings:
    return ExportSettings(url=server.url, bucket="readings", batch_points=500)


@asynccontextmanager
async def exporting(folder: DataFolder, server: Victoria) -> AsyncIterator[None]:
    """The export process's parts, running."""
    ready, stop = asyncio.Event(), asyncio.Event()
    targets = {"main": chosen(server)}
    async with build(folder, targets, clock=SystemClock()) as app, asyncio.TaskGroup() as group:
        group.create_task(app.run(ready=ready, stop=stop), name="export")
        await ready.wait()
        try:
            yield
        finally:
            stop.set()


def from_the_start(folder: DataFolder) -> None:
    cursors.write(folder, "main", Cursor(settled_to=0, sent_to=0))


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await asyncio.to_thread(is_so):  # noqa: ASYNC110 - another program's state
            await asyncio.sleep(0.1)


def status(store: Store) -> TargetStatus:
    return status_of(store.folder, "main", store.connection, now=SystemClock().now())


def has_all(store: Store) -> Callable[[], bool]:
    return lambda: status(store).readings_behind == 0


def arrived(store: Store, server: Victoria) -> dict[tuple[str, int], float]:
    """What is there, by position and milliseconds, and that it is nothing but that."""
    positions = {
        pseudonyms(store.folder).tag(position): position for position in {key[0] for key in store.points}
    }
    found: dict[tuple[str, int], float] = {}
    for labels, points in server.series().items():
        tags = dict(labels)
        assert tags.keys() == {"__name__", "class", "position", "unit"}
        assert (tags["__name__"], tags["class"], tags["unit"]) == ("humidity_value", "climate", "%RH")
        assert len({at for at, _ in points}) == len(points), "a point is there twice"
        found |= {(positions[tags["position"]], at): value for at, value in points}
    return found


async def test_every_reading_arrives_with_its_value_and_its_time(store: Store, server: Victoria) -> None:
    from_the_start(store.folder)
    store.commit(1_234)
    async with exporting(store.folder, server):
        store.commit(7)
        store.commit(3_000)
        await until(has_all(store))

    assert arrived(store, server) == store.points


async def test_the_same_readings_again_change_nothing(store: Store, server: Victoria) -> None:
    store.commit(2_000)
    for _ in range(2):
        from_the_start(store.folder)
        async with exporting(store.folder, server):
            await until(has_all(store))

    assert arrived(store, server) == store.points


async def test_a_server_that_was_stopped_gets_everything_and_the_lag_is_shown_and_gone(
    store: Store, server: Victoria
) -> None:
    from_the_start(store.folder)
    async with exporting(store.folder, server):
        store.commit(2_000)
        await until(has_all(store))
        server.stop()
        for _ in range(5):
            store.commit(700)
            await asyncio.sleep(0.2)
        await until(lambda: bool((cursor := status(store).cursor) and cursor.problem))
        behind = status(store)
        server.start()
        await until(has_all(store))
        await until(lambda: bool((cursor := status(store).cursor) and not cursor.problem))

    assert behind.readings_behind >= 3_500
    assert behind.lag_seconds > 0.5
    assert status(store).lag_seconds == 0.0
    assert arrived(store, server) == store.points


async def test_a_server_that_is_killed_gets_again_what_it_had_taken_and_not_written(
    store: Store, server: Victoria
) -> None:
    from_the_start(store.folder)
    async with exporting(store.folder, server):
        for _ in range(5):
            store.commit(1_000)
            await until(has_all(store))
        server.kill()
        store.commit(1_000)
        await asyncio.sleep(0.5)
        server.start()
        await until(has_all(store))

    assert arrived(store, server) == store.points


async def test_the_history_can_be_sent_to_a_server_that_has_nothing(store: Store, server: Victoria) -> None:
    store.commit(2_500)
    store.commit(2_500)
    now_us = to_micros(SystemClock().now())
    target = InfluxTarget(chosen(server))
    lines = Lines(store.connection, pseudonyms(store.folder))

    parts = history(store.connection, Span(since_us=0, until_us=now_us))
    sent = await send_again(target, parts, lines, at_once=400)
    target.close()

    assert sent == (5_000, 0)
    assert arrived(store, server) == store.points


async def test_what_one_position_measured_can_be_deleted_there_by_its_tag(
    store: Store, server: Victoria
) -> None:
    """The way that docs/export.md shows."""
    from_the_start(store.folder)
    store.commit(1_000)
    async with exporting(store.folder, server):
        await until(has_all(store))

    server.delete(f'{{position="{pseudonyms(store.folder).tag("position-7")}"}}')

    left = arrived(store, server)
    assert left == {key: value for key, value in store.points.items() if key[0] != "position-7"}
    assert len(left) < len(store.points)


async def test_a_server_that_nobody_reaches_is_unavailable_and_says_so(
    store: Store, server: Victoria
) -> None:
    server.stop()
    from_the_start(store.folder)
    store.commit(10)
    async with exporting(store.folder, server):
        await until(lambda: bool((cursor := status(store).cursor) and cursor.problem))

    cursor = status(store).cursor
    assert cursor is not None
    assert cursor.problem == "no answer (NewConnectionError); it is tried again by itself"
