"""What is next for one stream: from the tail while it keeps up, else from the store, and never a gap."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.live import stream as module
from gateway.api.live.stream import Batch, Stream, TooSlowError

AT_ONCE = 0.0


def batch(after: int, last: int, *, age: float = 0.0) -> Batch:
    now_s = asyncio.get_running_loop().time()
    body = b"".join(b"%d " % number for number in range(after + 1, last + 1))
    return Batch(after=after, last=last, body=body, judged_at_s=now_s - age, rights=frozenset())


class Store:
    """Numbers up to ``newest``; hands out at most three at once."""

    def __init__(self, newest: int = 0) -> None:
        self.newest = newest
        self.reads = 0
        self.age = 0.0

    async def read(self, after: int) -> Batch | None:
        await asyncio.sleep(0)
        self.reads += 1
        return batch(after, min(self.newest, after + 3), age=self.age) if after < self.newest else None


class Tail:
    """The hub, as far as one stream sees it."""

    def __init__(self, position: int = 0, newest: int = 0) -> None:
        self.position = newest
        self.store = Store(newest)
        self.stream = Stream(position, newest=lambda: self.position, read=self.store.read)

    def tell(self, last: int, *, age: float = 0.0) -> None:
        """The next numbers are committed, and offered."""
        told = batch(self.position, last, age=age)
        self.position = self.store.newest = last
        self.stream.offer(told)

    async def heard(self) -> bytes:
        found = await self.stream.next(within_seconds=AT_ONCE)
        return found.body if found else b""


async def test_a_stream_that_keeps_up_never_reads_the_store() -> None:
    tail = Tail()

    tail.tell(2)
    first = await tail.heard()
    tail.tell(3)
    second = await tail.heard()

    assert (first, second, tail.store.reads) == (b"1 2 ", b"3 ", 0)


async def test_a_stream_that_resumes_reads_what_is_behind_its_number_and_then_keeps_up() -> None:
    tail = Tail(position=1, newest=6)

    resumed = [await tail.heard(), await tail.heard()]
    tail.tell(7)
    live = await tail.heard()

    assert (resumed, live, tail.store.reads) == ([b"2 3 4 ", b"5 6 "], b"7 ", 2)


async def test_what_was_judged_too_long_ago_is_judged_anew() -> None:
    tail = Tail()

    tail.tell(1, age=module.JUDGED_FOR_SECONDS + 0.1)
    heard = await tail.heard()

    assert (heard, tail.store.reads) == (b"1 ", 1)


async def test_what_grew_old_while_it_was_logged_is_judged_anew() -> None:
    tail = Tail(position=0, newest=2)
    tail.store.age = module.JUDGED_FOR_SECONDS + 0.1
    first = await tail.stream.next(within_seconds=AT_ONCE)
    assert first is not None

    has_gone_back = tail.stream.takes_back(first)
    tail.store.age = 0.0
    again = await tail.stream.next(within_seconds=AT_ONCE)

    assert has_gone_back
    assert again is not None
    assert (again.body, tail.stream.takes_back(again)) == (b"1 2 ", False)


async def test_nothing_new_is_said_in_time() -> None:
    assert await Tail().stream.next(within_seconds=AT_ONCE) is None


async def test_a_waiting_stream_wakes_when_something_is_told() -> None:
    tail = Tail()

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        waiting = group.create_task(tail.stream.next(within_seconds=5), name="waiting")
        await asyncio.sleep(0)
        tail.tell(1)

    assert waiting.result() is not None


async def test_an_ended_stream_has_nothing_more() -> None:
    tail = Tail()
    tail.tell(1)

    tail.stream.end()

    assert await tail.heard() == b""


async def test_a_stream_that_has_kept_up_and_falls_far_behind_is_cut_off() -> None:
    tail = Tail()
    await tail.heard()
    for _ in range(module.BATCHES):
        tail.tell(tail.position + 1)
    tail.tell(tail.position + module.LAG_AT_MOST + 1)
    for _ in range(module.BATCHES):
        await tail.heard()

    with pytest.raises(TooSlowError):
        await tail.heard()


async def test_a_stream_that_resumes_far_behind_is_let_catch_up() -> None:
    tail = Tail(position=0, newest=module.LAG_AT_MOST * 2)

    assert await tail.heard() == b"1 2 3 "


_STEPS = st.lists(st.one_of(st.just("hear"), st.tuples(st.integers(1, 4), st.booleans())), max_size=60)


@given(steps=_STEPS, behind=st.integers(0, 10))
def test_in_any_order_of_telling_and_hearing_every_number_is_heard_once_in_its_order(
    steps: list[str | tuple[int, bool]], behind: int
) -> None:
    async def act() -> bytes:
        tail, heard = Tail(position=0, newest=behind), b""
        for step in steps:
            if isinstance(step, str):
                heard += await tail.heard()
            else:
                many, is_old = step
                tail.tell(tail.position + many, age=1.0 if is_old else 0.0)
        while more := await tail.heard():
            heard += more
        assert tail.stream.position == tail.position
        return heard

    heard = asyncio.run(act())

    assert heard.split() == [b"%d" % number for number in range(1, len(heard.split()) + 1)]


async def test_what_is_told_while_the_store_is_read_is_not_lost() -> None:
    tail = Tail(position=0, newest=2)
    read = tail.store.read

    async def read_late(after: int) -> Batch | None:
        found = await read(after)
        tail.tell(3)
        return found

    tail.stream = Stream(0, newest=lambda: tail.position, read=read_late)
    first = await tail.heard()
    tail.stream._read = read
    second = await tail.heard()

    assert (first, second) == (b"1 2 ", b"3 ")
