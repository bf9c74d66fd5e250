"""The reading process as a whole: when it is ready, and how it ends."""

import asyncio

from gateway.reading.app import App
from tests.support.reading_lane import RecordingBulkSession

AT_MOST_SECONDS = 10


class Session(RecordingBulkSession):
    """One that is connected when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.connected = asyncio.Event()


class Part:
    """The intake and the way out, as far as their end goes."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        self._stopped.set()

    async def run(self, _session: object) -> None:
        await self._stopped.wait()
        self.done.append("last commit")

    async def settle(self) -> None:
        self.done.append("settled")

    async def background(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.done.append("background ended")


def app(session: Session, part: Part) -> App:
    return App(session=session, intake=part, releasing=part, background={"upkeep": part.background})  # type: ignore[arg-type]


async def test_it_is_ready_once_the_broker_has_let_it_in() -> None:
    session, part, ready, stop = Session(), Part(), asyncio.Event(), asyncio.Event()

    async with asyncio.timeout(AT_MOST_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(app(session, part).run(ready=ready, stop=stop), name="app")
        for _ in range(5):
            await asyncio.sleep(0)
        assert not ready.is_set()
        session.connected.set()
        await ready.wait()
        stop.set()

    assert part.done[0] == "last commit"
    assert sorted(part.done[1:]) == ["background ended", "settled"]


async def test_it_ends_though_the_broker_never_let_it_in() -> None:
    part, ready, stop = Part(), asyncio.Event(), asyncio.Event()
    stop.set()

    async with asyncio.timeout(AT_MOST_SECONDS):
        await app(Session(), part).run(ready=ready, stop=stop)

    assert not ready.is_set()
