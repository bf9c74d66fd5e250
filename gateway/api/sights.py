"""What of a home is there for whoever asks: looked up in one way by every route.

A home out of scope and one that is not there are the same, found by the same query.
"""

from dataclasses import dataclass

from devices.profiles import Profiles
from gateway.api.problems import NotHereError
from services.domain.homes import Device, Home, Position
from services.scopes import Scope
from services.sight import known_devices
from services.store import registry, registry_pages
from services.store.connection import Connection

_ALL = 10_000
"""Devices or grants of one home: more than there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What of a home somebody may know."""

    devices: list[Device]
    positions: list[Position]


def home_here(connection: Connection, scope: Scope, home_id: str) -> Home:
    """A home that is in scope.

    Raises:
        NotHereError: It is not, or not there at all.
    """
    home = registry_pages.home(connection, scope, home_id)
    if home is None:
        raise NotHereError("home", home_id)
    return home


def sight_of_home(connection: Connection, scope: Scope, home_id: str, profiles: Profiles) -> Sight:
    """The devices and positions of a home that somebody may know of.

    Raises:
        NotHereError: The home is not in scope, or not there at all.
    """
    home_here(connection, scope, home_id)
    devices = known_of(connection, scope, registry.devices(connection, home_id=home_id, limit=_ALL), profiles)
    at = {device.position_id for device in devices}
    positions = [
        position
        for position in registry_pages.positions(connection, home_id)
        if scope.is_whole or position.id in at
    ]
    return Sight(devices=devices, positions=positions)


def known_of(connection: Connection, scope: Scope, devices: list[Device], profiles: Profiles) -> list[Device]:
    """Those devices of one home that somebody may know of."""
    if not devices or scope.is_whole:
        return devices
    grants = registry.grants(
        connection, home_id=devices[0].home_id, organisation_id=scope.organisation_id, limit=_ALL
    )
    return known_devices(devices, grants, scope, profiles=profiles)
