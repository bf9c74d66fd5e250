"""``/api/v1/devices``: the hardware in homes."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from devices.profiles import Profiles
from gateway.api.bodies import ChosenId, StrictBody, Words
from gateway.api.callers import Caller, Needs
from gateway.api.once import OnceHere
from gateway.api.openapi import problems
from gateway.api.pages import PageOf, cut
from gateway.api.parts import Here, Parts
from gateway.api.problems import NotHereError
from gateway.api.queries import PageQuery, Text, each_once
from gateway.api.seen import seen
from gateway.api.sights import home_here, known_of
from services import registry
from services.domain.actors import Permission
from services.domain.homes import Device, DeviceState
from services.registry import NewDevice
from services.scopes import Scope
from services.store import registry as rows
from services.store import registry_pages as pages
from services.store import scoping, status
from services.store.connection import Connection

router = APIRouter(prefix="/devices", tags=["devices"], dependencies=[Depends(each_once)])

Reader = Annotated[Caller, Depends(Needs(Permission.DEVICES_READ))]
Registrar = Annotated[Caller, Depends(Needs(Permission.DEVICES_WRITE))]

HOMES_AT_ONCE: Final = 50
"""Homes that one page of an organisation's devices looks at; one that finds little may be short."""

_LISTING: Final = "devices"
_ALL: Final = 10_000
_BEHIND_ALL: Final = "~"


class DeviceItem(BaseModel):
    """The hardware in a position."""

    id: str = Field(examples=["p7"])
    home: str
    position: str = Field(description="The position's name.", examples=["bathroom pendant"])
    position_id: str
    profile: str = Field(description="Its model; see `/api/v1/profiles`.", examples=["safety-alarm"])
    state: DeviceState


class DeviceView(DeviceItem):
    """A device with the last that it said of itself."""

    last_seen_at: datetime | None
    battery_percent: float | None
    mains: bool | None
    link: str | None
    signal_dbm: float | None
    firmware: str | None


class DevicePage(PageOf[DeviceItem]):
    """Devices by home and id."""


class NewDeviceBody(StrictBody):
    """A device that is to be registered."""

    id: ChosenId = Field(examples=["p7"])
    home: ChosenId = Field(description="Where it stands.", examples=["h-0001"])
    profile: Words = Field(description="Its model; see `/api/v1/profiles`.", examples=["safety-alarm"])
    position: Words | None = Field(default=None, description="Its role there; null: the profile's usual one.")


class DevicesQuery(PageQuery):
    """Which devices."""

    home: Text | None = Field(default=None, description="Only of this home.")


@router.get("", summary="Devices that you may know of now", responses=problems(403))
async def list_devices(parts: Here, caller: Reader, query: Annotated[DevicesQuery, Query()]) -> DevicePage:
    """Devices by home and id: those of which a grant covers something that they can say; for the city all."""
    after = parts.cursors.after(_LISTING, query.cursor, ("", ""))
    scope = caller.scope(parts.clock.now())
    found = await parts.read(
        partial(_found, scope=scope, asked=query, after=(after[0], after[1]), profiles=parts.profiles)
    )
    await seen(parts, caller, [device.home_id for device in found.devices], "api devices list")
    return DevicePage(
        items=[_item(device) for device in found.devices],
        next=parts.cursors.of(_LISTING, found.following) if found.following else None,
    )


@router.post(
    "",
    status_code=201,
    response_model=DeviceItem,
    summary="Register a device",
    responses=problems(403, 404, 409),
)
async def add_device(parts: Here, caller: Registrar, body: NewDeviceBody, once: OnceHere) -> Response:
    """At a position of a home; the very same again changes nothing. Its certificate comes by enrolment."""
    new = NewDevice(id=body.id, home_id=body.home, profile=body.profile, position=body.position)
    now = parts.clock.now()

    def work(connection: Connection) -> DeviceItem:
        home_here(connection, caller.scope(now), body.home)
        device = registry.add_device(connection, new, profiles=parts.profiles, actor=caller.actor, now=now)
        return _item(device)

    return await parts.desk.carry_out_once(once, work)


@router.get("/{device_id}", summary="One device", responses=problems(403, 404))
async def get_device(parts: Here, caller: Reader, device_id: str) -> DeviceView:
    """With the last that it said of itself."""
    scope = caller.scope(parts.clock.now())
    view = await parts.read(partial(_view, scope=scope, device_id=device_id, profiles=parts.profiles))
    await seen(parts, caller, [view.home], f"api device {view.id}")
    return view


@router.post(
    "/{device_id}/suspend",
    status_code=200,
    response_model=DeviceItem,
    summary="Hear a device no more, until it is resumed",
    responses=problems(403, 404, 409),
)
async def suspend_device(parts: Here, caller: Registrar, device_id: str, once: OnceHere) -> Response:
    """Its certificate stays."""
    return await _change(parts, caller, device_id, DeviceState.SUSPENDED, once)


@router.post(
    "/{device_id}/resume",
    status_code=200,
    response_model=DeviceItem,
    summary="Hear a suspended device again",
    responses=problems(403, 404, 409),
)
async def resume_device(parts: Here, caller: Registrar, device_id: str, once: OnceHere) -> Response:
    """A retired one does not come back."""
    return await _change(parts, caller, device_id, DeviceState.IN_SERVICE, once)


@router.post(
    "/{device_id}/retire",
    status_code=200,
    response_model=DeviceItem,
    summary="End a device for good",
    responses=problems(403, 404, 409),
)
async def retire_device(parts: Here, caller: Registrar, device_id: str, once: OnceHere) -> Response:
    """With its certificate; its position is free for a successor."""
    return await _change(parts, caller, device_id, DeviceState.RETIRED, once)


async def _change(
    parts: Parts, caller: Caller, device_id: str, state: DeviceState, once: OnceHere
) -> Response:
    now = parts.clock.now()

    def work(connection: Connection) -> DeviceItem:
        _device_here(connection, caller.scope(now), device_id, parts.profiles)
        return _item(registry.set_device_state(connection, device_id, state, actor=caller.actor, now=now))

    return await parts.desk.carry_out_once(once, work, status=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    devices: list[Device]
    following: tuple[str, str] | None


def _found(
    connection: Connection, *, scope: Scope, asked: DevicesQuery, after: tuple[str, str], profiles: Profiles
) -> _Found:
    if scope.is_whole:
        rows_ = pages.devices_behind(connection, home_id=asked.home, after=after, limit=asked.limit + 1)
        chosen, has_more = cut(rows_, asked.limit)
        return _Found(devices=list(chosen), following=_key(chosen[-1]) if has_more else None)
    homes = _homes(connection, scope, asked.home, after)
    devices = [
        device
        for home_id in homes
        for device in known_of(
            connection, scope, rows.devices(connection, home_id=home_id, limit=_ALL), profiles
        )
        if _key(device) > after
    ]
    chosen, has_more = cut(devices, asked.limit)
    following = _key(chosen[-1]) if has_more else None
    if following is None and len(homes) >= HOMES_AT_ONCE:
        following = (homes[-1], _BEHIND_ALL)
    return _Found(devices=list(chosen), following=following)


def _homes(connection: Connection, scope: Scope, home_id: str | None, after: tuple[str, str]) -> list[str]:
    """The homes in scope that a page looks at: the one in which the last page ended, and those behind it."""
    wanted = [home_id] if home_id is not None else [after[0]]
    begun = [one for one in wanted if pages.home(connection, scope, one) is not None]
    if home_id is not None:
        return begun
    return begun + scoping.home_ids(connection, scope, after=after[0], limit=HOMES_AT_ONCE - len(begun))


def _device_here(connection: Connection, scope: Scope, device_id: str, profiles: Profiles) -> Device:
    device = rows.device(connection, device_id)
    home = pages.home(connection, scope, device.home_id if device else "")  # asked in either case
    known = known_of(connection, scope, [device], profiles) if device and home else []
    if not known:
        raise NotHereError("device", device_id)
    return known[0]


def _view(connection: Connection, *, scope: Scope, device_id: str, profiles: Profiles) -> DeviceView:
    device = _device_here(connection, scope, device_id, profiles)
    known = status.of_device(connection, device.id)
    return DeviceView(
        **_item(device).model_dump(),
        last_seen_at=known.last_seen_at if known else None,
        battery_percent=known.battery_percent if known else None,
        mains=known.has_mains if known else None,
        link=known.link if known else None,
        signal_dbm=known.signal_dbm if known else None,
        firmware=known.firmware if known else None,
    )


def _key(device: Device) -> tuple[str, str]:
    return (device.home_id, device.id)


def _item(device: Device) -> DeviceItem:
    return DeviceItem(
        id=device.id,
        home=device.home_id,
        position=device.position,
        position_id=device.position_id,
        profile=device.profile,
        state=device.state,
    )
