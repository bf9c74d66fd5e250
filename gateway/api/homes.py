"""``/api/v1/homes``: dwellings on the fibre, and the positions in them.

An organisation sees the homes that it has a grant for now, with their address. The access line and the fibre
node are for those who run the network.
"""

from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from devices.kinds import HomeId
from gateway.api.bodies import ChosenId, StrictBody, Words
from gateway.api.callers import Caller, Needs
from gateway.api.once import OnceHere
from gateway.api.openapi import problems
from gateway.api.pages import PageOf, cut
from gateway.api.parts import Here
from gateway.api.problems import NotHereError
from gateway.api.queries import PageQuery, Text, each_once
from gateway.api.seen import seen
from gateway.api.sights import home_here, sight_of_home
from gateway.home_file import access_line
from services import registry
from services.domain.actors import Permission
from services.domain.errors import InvalidError
from services.domain.homes import Home
from services.registry import HomeCorrection
from services.store import registry_pages as pages
from services.store.connection import Connection

router = APIRouter(prefix="/homes", tags=["homes"], dependencies=[Depends(each_once)])

Reader = Annotated[Caller, Depends(Needs(Permission.HOMES_READ))]
Registrar = Annotated[Caller, Depends(Needs(Permission.HOMES_WRITE))]

_LISTING: Final = "homes"
_LINE = Field(default="", max_length=401, description="The access line, `CO/ACCESS`; empty: none.")
_NODE = Field(default="", max_length=200, description="The fibre node that serves it; empty: not known.")


class HomeItem(BaseModel):
    """A dwelling on the fibre."""

    id: str = Field(examples=["h-0001"])
    address: str = Field(examples=["Storgatan 1, lgh 1101"])
    line: str | None = Field(description="Its access line, `CO/ACCESS`; null: none, or not for you.")
    node: str | None = Field(description="The fibre node that serves it; null: not known, or not for you.")


class HomePage(PageOf[HomeItem]):
    """Homes by id."""


class PositionItem(BaseModel):
    """A role at a home, whichever hardware stands there."""

    id: str
    home: str
    name: str = Field(examples=["bathroom pendant"])


class PositionPage(PageOf[PositionItem]):
    """The positions of a home by name; always all of them."""


class HomeBody(StrictBody):
    """A home, whole."""

    address: Words = Field(description="Street, number, apartment.", examples=["Storgatan 1, lgh 1101"])
    line: str = _LINE
    node: str = _NODE


class NewHomeBody(HomeBody):
    """A home that is to be registered."""

    id: ChosenId = Field(examples=["h-0001"])


class HomeChangeBody(StrictBody):
    """What is to be different; what is not there stays."""

    address: Words | None = None
    line: str | None = Field(default=None, max_length=401, description="Empty: none any more.")
    node: str | None = Field(default=None, max_length=200, description="Empty: not known any more.")


class HomesQuery(PageQuery):
    """Which homes."""

    node: Text | None = Field(
        default=None, description="Only those that this fibre node serves; for those who run the network."
    )


@router.get("", summary="Homes that you may know now", responses=problems(403))
async def list_homes(parts: Here, caller: Reader, query: Annotated[HomesQuery, Query()]) -> HomePage:
    """Homes by id: those that the organisation has a grant for now; for the city all."""
    scope = caller.scope(parts.clock.now())
    (after,) = parts.cursors.after(_LISTING, query.cursor, ("",))
    find = partial(pages.homes, scope=scope, after=after, limit=query.limit + 1)
    if query.node is not None:
        if not scope.is_whole:
            raise InvalidError("node", query.node, expected="nothing: it is for those who run the network")
        find = partial(pages.homes_of_node, scope=scope, node=query.node, after=after, limit=query.limit + 1)
    homes, has_more = cut(await parts.read(find), query.limit)
    await seen(parts, caller, [home.id for home in homes], "api homes list")
    return HomePage(
        items=[_item(home, is_whole=scope.is_whole) for home in homes],
        next=parts.cursors.of(_LISTING, (homes[-1].id,)) if has_more else None,
    )


@router.post(
    "", status_code=201, response_model=HomeItem, summary="Register a home", responses=problems(403, 409)
)
async def add_home(parts: Here, caller: Registrar, body: NewHomeBody, once: OnceHere) -> Response:
    """The very same again changes nothing; another one under a known id is refused."""
    home = _home(body.id, body)

    def work(connection: Connection) -> HomeItem:
        added = registry.add_home(connection, home, actor=caller.actor, now=parts.clock.now())
        return _item(added, is_whole=True)

    return await parts.desk.carry_out_once(once, work)


@router.get("/{home_id}", summary="One home", responses=problems(403, 404))
async def get_home(parts: Here, caller: Reader, home_id: str) -> HomeItem:
    """A home that is not granted is answered as if it did not exist."""
    scope = caller.scope(parts.clock.now())
    home = await parts.read(partial(pages.home, scope=scope, home_id=home_id))
    if home is None:
        raise NotHereError("home", home_id)
    await seen(parts, caller, [home.id], "api home")
    return _item(home, is_whole=scope.is_whole)


@router.put("/{home_id}", summary="Register a home, or bring it up to date", responses=problems(403))
async def put_home(parts: Here, caller: Registrar, home_id: str, body: HomeBody) -> HomeItem:
    """The same again changes nothing."""
    home = _home(home_id, body)
    await parts.desk.carry_out(
        partial(registry.put_home, home=home, actor=caller.actor, now=parts.clock.now())
    )
    return _item(home, is_whole=True)


@router.patch("/{home_id}", summary="Correct a home", responses=problems(403, 404))
async def change_home(parts: Here, caller: Registrar, home_id: str, body: HomeChangeBody) -> HomeItem:
    """What is not there stays as it is."""
    now = parts.clock.now()
    line: dict[str, Any] = {}
    if body.line is not None:
        line["co_id"], line["access_id"] = access_line(body.line)
    correction = HomeCorrection(address=body.address, node=body.node, **line)

    def work(connection: Connection) -> Home:
        home_here(connection, caller.scope(now), home_id)
        return registry.correct_home(connection, home_id, correction, actor=caller.actor, now=now)

    return _item(await parts.desk.carry_out(work), is_whole=True)


@router.get("/{home_id}/positions", summary="The positions of a home", responses=problems(403, 404))
async def list_positions(parts: Here, caller: Reader, home_id: str) -> PositionPage:
    """Positions at which something hangs that a grant of yours covers; for the city all."""
    scope = caller.scope(parts.clock.now())
    sight = await parts.read(partial(sight_of_home, scope=scope, home_id=home_id, profiles=parts.profiles))
    await seen(parts, caller, [home_id], "api positions")
    return PositionPage(
        items=[PositionItem(id=one.id, home=one.home_id, name=one.name) for one in sight.positions], next=None
    )


def _home(home_id: str, body: HomeBody) -> Home:
    co_id, access_id = access_line(body.line)
    return Home(id=HomeId(home_id), address=body.address, co_id=co_id, access_id=access_id, node=body.node)


def _item(home: Home, *, is_whole: bool) -> HomeItem:
    line = f"{home.co_id}/{home.access_id}" if home.co_id else None
    return HomeItem(
        id=home.id,
        address=home.address,
        line=line if is_whole else None,
        node=(home.node or None) if is_whole else None,
    )
