"""What is asked for once is done once: with its answer, or not at all, wherever the process dies."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from typing import Any, Final

import pytest
import pytest_asyncio
from pydantic import BaseModel

from devices.kinds import HomeId
from gateway.api.desk import FORGOTTEN_AT_ONCE, KEPT_FOR, AnswerLostError, Desk, KeyReusedError, Once
from gateway.data_folder import DataFolder
from services import registry
from services.domain.errors import ExistsError
from services.domain.homes import Home
from services.domain.ids import OrganisationId
from services.store import registry as rows
from services.store.connection import Connection
from services.store.migrations import migrate
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer
from tests.support.clock import FrozenClock

SECRET: Final = b"s" * 32


class Answered(BaseModel):
    """What a request is told."""

    home: str
    text: str = ""


@pytest.fixture
def store(folder: DataFolder) -> Iterator[SqliteConnection]:
    with closing(SqliteConnection(folder.database)) as connection:
        migrate(connection)
        yield connection


@asynccontextmanager
async def opened(folder: DataFolder, clock: FrozenClock, *, secret: bytes = SECRET) -> AsyncIterator[Desk]:
    """A desk of its own, as another process would have it."""
    with closing(SqliteConnection(folder.database)) as connection:
        migrate(connection)
        writer = Writer(connection, leaves_half=True)
        writer.start()
        yield Desk(writer, clock, secret=secret)
        await writer.aclose()


@pytest_asyncio.fixture
async def desk(folder: DataFolder, clock: FrozenClock) -> AsyncIterator[Desk]:
    async with opened(folder, clock) as desk:
        yield desk


class Registrar:
    """Registers a home, and counts how often it was asked to."""

    def __init__(self, home_id: str = "h-9", text: str = "") -> None:
        self.times = 0
        self._home = Home(id=HomeId(home_id), address="Storgatan 9")
        self._text = text

    def __call__(self, connection: Connection) -> Answered:
        self.times += 1
        if rows.home(connection, self._home.id) is not None:
            raise ExistsError("home", self._home.id)
        registry.add_home(connection, self._home, actor="token:1", now=FrozenClock().now())
        return Answered(home=self._home.id, text=self._text)


def request(key: str | None = "k-1", *, content: bytes = b"{}", principal: str = "token:1") -> Once:
    return Once(
        principal=principal,
        actor=principal,
        organisation_id=OrganisationId("acme"),
        key=key,
        asked="POST /homes",
        content=content,
    )


def count(store: SqliteConnection, table: str) -> int:
    row = store.row(f"SELECT count(*) FROM {table}")  # noqa: S608 - a name of this test
    return int(row[0]) if row else 0


async def test_the_same_request_again_gets_the_same_answer_and_does_nothing(
    desk: Desk, store: SqliteConnection
) -> None:
    first = await desk.carry_out_once(request(), Registrar())
    again = await desk.carry_out_once(request(), Registrar())

    assert (
        (first.status_code, first.body)
        == (again.status_code, again.body)
        == (201, b'{"home":"h-9","text":""}')
    )
    assert (first.headers.get("idempotency-replayed"), again.headers["idempotency-replayed"]) == (
        None,
        "true",
    )
    assert count(store, "homes") == 1


async def test_the_same_request_many_times_at_once_is_carried_out_once(
    desk: Desk, store: SqliteConnection
) -> None:
    answers = await asyncio.gather(*(desk.carry_out_once(request(), Registrar()) for _ in range(50)))

    assert {answer.body for answer in answers} == {b'{"home":"h-9","text":""}'}
    assert count(store, "homes") == count(store, "api_answers") == 1


async def test_without_a_key_it_is_carried_out_as_often_as_it_comes(desk: Desk) -> None:
    await desk.carry_out_once(request(None), Registrar())

    with pytest.raises(ExistsError):
        await desk.carry_out_once(request(None), Registrar())


async def test_a_key_belongs_to_one_request_and_to_whoever_sent_it(
    desk: Desk, store: SqliteConnection
) -> None:
    await desk.carry_out_once(request(), Registrar())

    with pytest.raises(KeyReusedError):
        await desk.carry_out_once(request(content=b'{"other": 1}'), Registrar("h-8"))
    other = await desk.carry_out_once(request(principal="token:2"), Registrar("h-8"))

    assert other.body == b'{"home":"h-8","text":""}'
    assert count(store, "homes") == 2


async def test_what_was_refused_is_not_kept_so_that_it_can_be_mended(
    desk: Desk, store: SqliteConnection
) -> None:
    await desk.carry_out_once(request("k-1"), Registrar())

    with pytest.raises(ExistsError):
        await desk.carry_out_once(request("k-2"), Registrar())

    assert count(store, "api_answers") == 1


async def test_what_may_not_be_heard_any_more_is_not_said_again(desk: Desk) -> None:
    def may_hear(_: Connection) -> None:
        raise ExistsError("grant", "g-1")

    await desk.carry_out_once(request(), Registrar(), may_hear=may_hear)

    with pytest.raises(ExistsError):
        await desk.carry_out_once(request(), Registrar(), may_hear=may_hear)


async def test_a_refusal_takes_nothing_of_the_others_with_it(desk: Desk, store: SqliteConnection) -> None:
    await desk.carry_out(Registrar("h-0"))

    found = await asyncio.gather(
        *(desk.carry_out(Registrar(f"h-{number % 20}")) for number in range(40)), return_exceptions=True
    )

    assert sum(isinstance(one, ExistsError) for one in found) == 21
    assert count(store, "homes") == 20


async def test_an_answer_that_was_said_again_is_a_look(desk: Desk, store: SqliteConnection) -> None:
    await desk.carry_out_once(request(), Registrar())
    await desk.carry_out_once(request(), Registrar())

    looked = store.rows("SELECT actor, organisation_id, details FROM audit WHERE action = 'looked'")
    assert [tuple(row) for row in looked] == [("token:1", "acme", "api again POST /homes")]


async def test_after_a_day_a_key_is_a_new_one_and_old_answers_go_some_at_a_time(
    desk: Desk, store: SqliteConnection, clock: FrozenClock
) -> None:
    for number in range(FORGOTTEN_AT_ONCE + 5):
        await desk.carry_out_once(request(f"k-{number}"), Registrar(f"h-{number}"))
    clock.advance(KEPT_FOR - timedelta(microseconds=1))
    await desk.carry_out_once(request("k-0"), Registrar("h-0"))  # as yet the same
    clock.advance(timedelta(microseconds=1))

    with pytest.raises(ExistsError):  # carried out again, and refused by what it meets
        await desk.carry_out_once(request("k-0"), Registrar("h-0"))
    await desk.carry_out_once(request("new"), Registrar("h-new"))

    assert count(store, "api_answers") == 5 + 1


async def test_an_answer_cannot_be_read_in_the_store_nor_guessed_from_it(
    desk: Desk, folder: DataFolder
) -> None:
    await desk.carry_out_once(
        request("the-key-of-acme", content=b"Ada Lovelace"), Registrar(text="stadsnav_secret")
    )

    kept = b"".join(path.read_bytes() for path in folder.path.glob("stadsnav.db*"))
    assert b"h-9" in kept
    for hidden in (b"stadsnav_secret", b"the-key-of-acme", b"Ada Lovelace"):
        assert hidden not in kept


async def test_an_answer_whose_seal_is_lost_is_not_carried_out_again(
    desk: Desk, folder: DataFolder, clock: FrozenClock, store: SqliteConnection
) -> None:
    await desk.carry_out_once(request(), Registrar())
    store.run("UPDATE api_answers SET body = ?", b"x" * 40)

    async with opened(folder, clock) as other:
        with pytest.raises(AnswerLostError):
            await other.carry_out_once(request(), Registrar())


@pytest.mark.parametrize(
    "step", ["before the work", "after the work", "after the answer", "after the commit"]
)
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
async def test_killed_anywhere_it_is_done_and_known_or_neither(
    folder: DataFolder, clock: FrozenClock, store: SqliteConnection, step: str
) -> None:
    died = _die_at(step, folder, clock)

    done, known = count(store, "homes"), count(store, "api_answers")
    async with opened(folder, clock) as desk:
        again = await desk.carry_out_once(request(), Registrar())

    assert died == signal.SIGKILL
    assert done == known == (1 if step == "after the commit" else 0)
    assert again.body == b'{"home":"h-9","text":""}'
    assert count(store, "homes") == count(store, "api_answers") == 1


def _die_at(step: str, folder: DataFolder, clock: FrozenClock) -> int:
    """Another process takes the request, and is killed; returns by which signal."""
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(_take_and_die(step, folder, clock))
        finally:
            os._exit(0)  # it was not killed: the test will say so
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status)


async def _take_and_die(step: str, folder: DataFolder, clock: FrozenClock) -> None:
    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def work(connection: Connection) -> Answered:
        if step == "before the work":
            die()
        answered = Registrar()(connection)
        if step == "after the work":
            die()
        return answered

    class Dying(SqliteConnection):
        def run(self, sql: str, *parameters: Any) -> int:
            changed = super().run(sql, *parameters)
            if step == "after the answer" and "INSERT INTO api_answers" in sql:
                die()
            return changed

    connection = Dying(folder.database)
    writer = Writer(connection)
    writer.start()
    await Desk(writer, clock, secret=SECRET).carry_out_once(request(), work)
    die()
