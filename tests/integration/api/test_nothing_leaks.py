"""Every route, asked by every role with ids that are theirs, others' and nobody's: nothing leaks."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import apsw
import pytest
from fastapi import FastAPI

from gateway.api.routes import Route, every_route
from gateway.data_folder import DataFolder, open_folder
from gateway.web import create
from services.domain.actors import Role
from services.store.migrations import READINGS, migrate
from services.store.sqlite import SqliteConnection
from tests.support.access_content import fill
from tests.support.access_walk import BODIES, PLACES, Question, Walk
from tests.support.access_world import ACME, CAST, Somebody, World
from tests.support.asgi import Heard, asked
from tests.support.clock import START, FrozenClock
from tests.support.town import Town

LISTENS_SECONDS: Final = 0.2
"""How long the live stream is listened to; what is stored comes at once."""

ANYBODY: Final = frozenset({"openapi", "healthz", "readyz", "security_txt", "answer", "start", "callback"})
"""Routes for everybody, about nobody."""

OF_THE_CALLER: Final = frozenset({"sign_out", "who_am_i", "sign_in", "change_password"})
"""Routes of one's own session, which these callers, who show tokens, do not have."""

AT_ONCE: Final = 4
"""As many answers as an organisation may have under way."""

NOT_ONES_OWN: Final = {"foreign", "unknown"}

OF_THE_RECEIVER: Final = {"confirm_event"}
"""Only for whoever was sent it; the city's administrators may know it and were not."""

VARIES: Final = {"content-length", "date"}
COUNTED: Final = 105
"""Routes of the interface; who adds one says in ``access_walk`` what is asked about it."""

KEPT_ANYWAY: Final = {"audit", "api_tokens", "audit_heads", "api_answers"}
"""What is written also when something is refused: that somebody asked, and with which token."""


@dataclass(slots=True)
class Hub:
    """The interface over a world on disk, which can be put back as it was."""

    app: FastAPI
    world: World
    folder: DataFolder
    walk: Walk
    before: apsw.Connection = field(default_factory=lambda: apsw.Connection(":memory:"))

    @property
    def routes(self) -> list[Route]:
        """Those about somebody's things."""
        return [one for one in every_route(self.app) if one.permission is not None and one.name != "metrics"]

    async def ask(self, question: Question, somebody: Somebody) -> Heard:
        leaves = asyncio.Event()
        if question.route.name == "stream_events":
            asyncio.get_running_loop().call_later(LISTENS_SECONDS, leaves.set)
        return await asked(
            self.app,
            question.target,
            token=somebody.token,
            method=question.route.method,
            content=question.content,
            leaves=leaves,
        )

    def keep(self) -> None:
        """Remember the store as it is."""
        with (
            closing(apsw.Connection(str(self.folder.database))) as store,
            self.before.backup("main", store, "main") as copy,
        ):
            copy.step(-1)

    def put_back(self) -> None:
        """Make the store what was remembered."""
        with (
            closing(apsw.Connection(str(self.folder.database))) as store,
            store.backup("main", self.before, "main") as copy,
        ):
            copy.step(-1)

    def content(self) -> dict[str, list[Any]]:
        """All that is stored, but for what is kept of every request."""
        connection = self.world.town.connection
        names = [row[0] for row in connection.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        kept = [name for name in names if name not in KEPT_ANYWAY and not name.startswith("sqlite_")]
        return {name: connection.rows(f"SELECT * FROM {name}") for name in kept}  # noqa: S608


@asynccontextmanager
async def hub_at(path: Path, *, has_beta: bool = True) -> AsyncIterator[Hub]:
    """The interface over a new world."""
    folder = open_folder(path)
    async with AsyncExitStack() as stack:
        connection = stack.enter_context(closing(SqliteConnection(folder.database)))
        migrate(connection)
        readings = stack.enter_context(closing(SqliteConnection(folder.readings)))
        migrate(readings, READINGS)
        town = Town(connection, FrozenClock())
        world = World(town, has_beta=has_beta)
        fill(world, folder)
        app = create(folder, town.clock)
        await stack.enter_async_context(app.router.lifespan_context(app))
        hub = Hub(app=app, world=world, folder=folder, walk=Walk(world, app.openapi()))
        hub.keep()
        yield hub


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with hub_at(tmp_path / "data") as hub:
        yield hub


def test_every_route_is_told_of(hub: Hub) -> None:
    routes = every_route(hub.app)

    assert len(routes) == COUNTED
    assert {one.name for one in routes if one.permission is None} == ANYBODY | OF_THE_CALLER
    assert {one.name for one in hub.routes if one.method != "GET"} == BODIES.keys()


@pytest.mark.parametrize(("organisation", "role"), CAST)
async def test_whoever_lacks_the_permission_learns_nothing_and_changes_nothing(
    hub: Hub, organisation: str, role: Role
) -> None:
    somebody, before = hub.world.one(role, organisation), hub.content()
    refused = [route for route in hub.routes if not somebody.actor.may(route.permission)]  # type: ignore[arg-type]
    questions = [question for route in refused for question in hub.walk.questions(route, somebody)]

    answers = await asyncio.gather(*(hub.ask(question, somebody) for question in questions))

    said = {(route.name): set() for route in refused}
    for question, answer in zip(questions, answers, strict=True):
        assert (answer.status, b'"not_permitted"' in answer.body) == (403, True), (str(question), answer.body)
        said[question.route.name].add(answer.body)
    assert all(len(bodies) == 1 for bodies in said.values())
    assert hub.content() == before


@pytest.mark.parametrize(("organisation", "role"), CAST)
async def test_whoever_has_the_permission_cannot_tell_what_is_foreign_from_what_is_not_there(
    hub: Hub, organisation: str, role: Role
) -> None:
    somebody = hub.world.one(role, organisation)
    allowed = [route for route in hub.routes if somebody.actor.may(route.permission)]  # type: ignore[arg-type]
    for route in allowed:
        heard: dict[str, dict[str, set[str]]] = {}
        async for question, answer in _asked(hub, route, somebody):
            text = question.without_id(answer.body.decode(errors="replace"))
            _check(hub, question, answer, somebody, text)
            if question.whose in NOT_ONES_OWN:
                said = repr((answer.status, _headers(answer), _masked(text)))
                heard.setdefault(question.where, {}).setdefault(said, set()).add(question.asked)

        assert all(len(answers) == 1 for answers in heard.values()), (route, heard)

    assert allowed


async def _asked(hub: Hub, route: Route, somebody: Somebody) -> AsyncIterator[tuple[Question, Heard]]:
    """Ask all about a route; what changes something alone, and the store is put back as it was."""
    questions = list(hub.walk.questions(route, somebody))
    at_once = AT_ONCE if route.method == "GET" else 1
    for start in range(0, len(questions), at_once):
        some = questions[start : start + at_once]
        answers = await asyncio.gather(*(hub.ask(question, somebody) for question in some))
        for question, answer in zip(some, answers, strict=True):
            yield question, answer
            if route.method != "GET" and answer.status < HTTPStatus.BAD_REQUEST:
                hub.put_back()


def _check(hub: Hub, question: Question, answer: Heard, somebody: Somebody, text: str) -> None:
    """Nothing of others' is in it, and it is an answer where it must be."""
    told = (str(question), answer.status, text)
    assert not hub.world.leaked(text, somebody), told
    assert answer.status < HTTPStatus.INTERNAL_SERVER_ERROR, told
    if question.whose not in NOT_ONES_OWN:
        assert answer.status not in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}, told
    if question.whose == "own" and question.where in PLACES and question.route.name not in OF_THE_RECEIVER:
        assert answer.status != HTTPStatus.NOT_FOUND, told


def _headers(answer: Heard) -> list[tuple[str, str]]:
    return sorted((name, value) for name, value in answer.headers.items() if name not in VARIES)


_MADE: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_BY_THE_STORE: Final = re.compile(rf'"created_at":"(?!{START:%Y-%m-%d})[^"]+"')
"""What a migration has made: it has a clock of its own."""

_ANY_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def _masked(text: str) -> str:
    """An answer without the ids that were made for it."""
    return _MADE.sub("MADE", text)


async def test_what_one_provider_is_answered_is_the_same_whether_or_not_the_other_has_anything(
    tmp_path: Path,
) -> None:
    """Not a byte differs, but for ids that were made at random and places in lists, which are sealed."""
    said: list[list[tuple[str, str]]] = []
    for has_beta in (True, False):
        async with hub_at(tmp_path / f"beta-{has_beta}", has_beta=has_beta) as hub:
            somebody = hub.world.one(Role.CARE_ADMIN, ACME)
            said.append([(question, text) async for question, text in _all_reads(hub, somebody)])

    told_apart = [pair for pair in zip(*said, strict=True) if pair[0] != pair[1]]
    assert told_apart == []


async def _all_reads(hub: Hub, somebody: Somebody) -> AsyncIterator[tuple[str, str]]:
    """Every GET about all, and about each thing of one's own, whole and page by page."""
    for route in hub.routes:
        if route.method != "GET" or not somebody.actor.may(route.permission):  # type: ignore[arg-type]
            continue
        asked_for = [one for one in hub.walk.questions(route, somebody) if one.whose in {"", "own"}]
        if hub.walk.has_pages(route):
            asked_for += [replace(one, query=one.query | {"limit": "1"}) for one in asked_for]
        for number, first in enumerate(asked_for):
            question: Question | None = first
            pages = 0
            while question is not None:
                answer = await hub.ask(question, somebody)
                masked = _Masked()
                yield (
                    f"{route.name} {question.where} {number} {pages}",
                    masked.text(f"{answer.status} {_headers(answer)} {answer.body.decode()}"),
                )
                question, pages = _next_page(question, answer), pages + 1


def _next_page(question: Question, answer: Heard) -> Question | None:
    if b'"next":"' not in answer.body:
        return None
    cursor = str(json.loads(answer.body)["next"])
    return replace(question, query=question.query | {"cursor": cursor})


class _Masked:
    """Ids by the order in which they come."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def text(self, answer: str) -> str:
        without = re.sub(r'"next":"[^"]+"', '"next":"CURSOR"', answer)
        without = _BY_THE_STORE.sub('"created_at":"NOW"', without)
        return _ANY_ID.sub(lambda found: self._names.setdefault(found[0], f"ID-{len(self._names)}"), without)
