"""Who takes part in a simulation: registered like anybody, with credentials in a folder.

DIR/simulation/credentials/{client or organisation}/key.pem cert.pem ca.pem
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from broker.authorities import CertificateAuthorities
from devices.kinds import DataClass
from devices.profiles import load_profiles
from devices.simulator.city import CityHome
from gateway import enrolment
from gateway.data_folder import DataFolder
from gateway.demo.cast import BASIS, PURPOSE, ROLES
from gateway.small_steps import write_in_steps
from services import registry
from services.domain.clock import Clock
from services.domain.errors import RefusedError
from services.domain.homes import Home
from services.registry import NewDevice, NewGrant
from services.store import registry as rows
from services.store.connection import Connection
from services.store.sqlite import SqliteConnection

ACTOR: Final = "simulation"
MARK: Final = "simulation"
"""A folder of this name in the data folder says that all in it is play."""

CLASSES: Final = frozenset({DataClass.SAFETY, DataClass.PROPERTY, DataClass.TECHNICAL})
"""What the homes of the city can raise."""


class NotASimulationError(RefusedError):
    """There are other homes in this data folder."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} holds homes that are not of a simulation; give it a folder of its own with --data"
        )


def register(folder: DataFolder, store: SqliteConnection, homes: Sequence[CityHome], clock: Clock) -> None:
    """Register everybody who is not registered yet, in steps that leave room for a running product.

    Raises:
        NotASimulationError: The folder is in other use.
    """
    if not (folder.path / MARK).exists():
        if rows.homes(store, limit=1):
            raise NotASimulationError(folder.path)
        (folder.path / MARK).mkdir(mode=0o700)
    with store.transaction():
        for role in ROLES:
            registry.add_organisation(store, role.organisation, actor=ACTOR, now=clock.now())
    new = [home for home in homes if rows.home(store, home.home.home_id) is None]
    for _ in write_in_steps(store, new, lambda connection, home: _register_home(connection, home, clock)):
        pass


def credentials(folder: DataFolder) -> Path:
    """Where the credentials of everybody lie."""
    return folder.path / MARK / "credentials"


def enrol(folder: DataFolder, store: SqliteConnection, homes: Iterable[CityHome], clock: Clock) -> None:
    """Give everybody who has none yet a key and a certificate."""
    authorities = CertificateAuthorities.open(folder.pki, clock.now())
    for client_id in (home.home.client_id for home in homes):
        directory = credentials(folder) / client_id
        if not (directory / "key.pem").exists():
            enrolment.enrol_device(
                store, authorities, client_id, directory=directory, actor=ACTOR, now=clock.now()
            )
    for role in ROLES:
        directory = credentials(folder) / role.organisation.id
        if not (directory / "key.pem").exists():
            enrolment.issue_organisation_credentials(
                store, authorities, role.organisation.id, directory=directory, actor=ACTOR, now=clock.now()
            )


def _register_home(connection: Connection, city_home: CityHome, clock: Clock) -> None:
    home, profiles, now = city_home.home, load_profiles(), clock.now()
    number = home.home_id.rpartition("-")[2]
    registered = Home(
        id=home.home_id,
        address=f"Storgatan {int(number)}",
        co_id="stadsnat",
        access_id=f"a-{number}",
        node=city_home.node,
    )
    registry.add_home(connection, registered, actor=ACTOR, now=now)
    hub = NewDevice(id=home.client_id, home_id=home.home_id, profile="home-hub")
    for new in (
        hub,
        *(
            NewDevice(
                id=device.device_id,
                home_id=home.home_id,
                profile=device.profile,
                position=f"{device.profile.replace('-', ' ')}, {device.room}",
            )
            for device in home.devices
        ),
    ):
        registry.add_device(connection, new, profiles=profiles, actor=ACTOR, now=now)
    for role in ROLES:
        for data_class in CLASSES.intersection(role.classes):
            grant = NewGrant(
                organisation_id=role.organisation.id,
                home_id=home.home_id,
                data_class=data_class,
                purpose=PURPOSE,
                legal_basis=BASIS,
                step=role.step,
                within=role.within,
            )
            registry.add_grant(connection, grant, actor=ACTOR, now=now)
