"""Who takes part in the demo: registered like anybody, with credentials in a folder.

DIR/demo/credentials/{client or organisation}/key.pem cert.pem ca.pem
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from broker.authorities import CertificateAuthorities
from devices.kinds import DataClass, HomeId
from devices.profiles import load_profiles
from devices.simulator.town import SimulatedDevice, SimulatedHome
from gateway import enrolment
from gateway.data_folder import DataFolder
from services import home_rules, registry
from services.domain.clock import Clock
from services.domain.errors import RefusedError
from services.domain.homes import Home, Organisation, OrganisationKind
from services.domain.ids import OrganisationId
from services.home_rules import NewRule
from services.registry import NewDevice, NewGrant
from services.store import registry as rows
from services.store.connection import Connection
from services.store.sqlite import SqliteConnection

ACTOR: Final = "demo"
MARK: Final = "demo"
"""A folder of this name in the data folder says that all in it is play."""

PURPOSE: Final = "home care"
BASIS: Final = "consent"
VISITOR_HOME: Final = HomeId("h-visitor")
VISITOR: Final = "visitor-alarm"
"""A safety alarm that nobody simulates: for whoever tries the demo by hand."""


METER: Final = "humidity-meter"
DAY: Final = timedelta(minutes=5)
"""A simulated day passes in this time, over and over."""

DAMP: Final = {"above": 75.0, "hysteresis": 5.0, "for_seconds": DAY.total_seconds()}
"""The meter's own rule, with its day of 24 hours in simulated time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """An organisation of the demo, and what it is granted in every home."""

    organisation: Organisation
    classes: tuple[DataClass, ...]
    step: int
    within: timedelta


def _organisation(id_: str, name: str, kind: OrganisationKind) -> Organisation:
    return Organisation(id=OrganisationId(id_), name=name, kind=kind)


ROLES: Final = (
    Role(
        organisation=_organisation("hemtjanst-norr", "Hemtjänst Norr", OrganisationKind.CARE),
        classes=(DataClass.SAFETY, DataClass.CARE, DataClass.FIRE),
        step=1,
        within=timedelta(seconds=15),
    ),
    Role(
        organisation=_organisation("larmcentralen", "Larmcentralen", OrganisationKind.ALARM_CENTRE),
        classes=(DataClass.SAFETY, DataClass.FIRE),
        step=2,
        within=timedelta(seconds=15),
    ),
    Role(
        organisation=_organisation("bostadsbolaget", "Bostadsbolaget", OrganisationKind.LANDLORD),
        classes=(DataClass.PROPERTY, DataClass.CLIMATE),
        step=1,
        within=timedelta(seconds=60),
    ),
    Role(
        organisation=_organisation("teknikservice", "Teknikservice", OrganisationKind.INSTALLER),
        classes=(DataClass.TECHNICAL,),
        step=1,
        within=timedelta(seconds=60),
    ),
    Role(
        organisation=_organisation("staden", "Staden", OrganisationKind.CITY),
        classes=(),
        step=1,
        within=timedelta(seconds=60),
    ),
)


class NotADemoError(RefusedError):
    """There are real homes in this data folder."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} holds homes that are not of a demo; give the demo a folder of its own with --data"
        )


def register(
    folder: DataFolder, connection: Connection, homes: Sequence[SimulatedHome], clock: Clock
) -> None:
    """Register everybody who is not registered yet, inside the caller's transaction.

    Raises:
        NotADemoError: The folder is in real use.
    """
    if not (folder.path / MARK).exists():
        if rows.homes(connection, limit=1):
            raise NotADemoError(folder.path)
        (folder.path / MARK).mkdir(mode=0o700)
    for role in ROLES:
        registry.add_organisation(connection, role.organisation, actor=ACTOR, now=clock.now())
    for home in homes:
        _register_home(connection, home, clock)
    _register_visitor(connection, clock)


def credentials(folder: DataFolder) -> Path:
    """Where the credentials of everybody in the demo lie."""
    return folder.path / MARK / "credentials"


def enrol(folder: DataFolder, store: SqliteConnection, homes: Sequence[SimulatedHome], clock: Clock) -> None:
    """Give everybody who has none yet a key and a certificate."""
    authorities = CertificateAuthorities.open(folder.pki, clock.now())
    for client_id in (*(home.client_id for home in homes), VISITOR):
        directory = credentials(folder) / client_id
        if not directory.exists():
            enrolment.enrol_device(
                store, authorities, client_id, directory=directory, actor=ACTOR, now=clock.now()
            )
    for role in ROLES:
        directory = credentials(folder) / role.organisation.id
        if not directory.exists():
            enrolment.issue_organisation_credentials(
                store, authorities, role.organisation.id, directory=directory, actor=ACTOR, now=clock.now()
            )


def _register_home(connection: Connection, home: SimulatedHome, clock: Clock) -> None:
    if rows.home(connection, home.home_id) is not None:
        return
    number = home.home_id.rpartition("-")[2]
    address = f"Storgatan {int(number)}"
    registered = Home(
        id=home.home_id, address=address, co_id="stadsnat", access_id=f"a-{number}", node="nod-1"
    )
    registry.add_home(connection, registered, actor=ACTOR, now=clock.now())
    _add(connection, clock, NewDevice(id=home.client_id, home_id=home.home_id, profile="home-hub"))
    for device in home.devices:
        new = NewDevice(
            id=device.device_id,
            home_id=home.home_id,
            profile=device.profile,
            position=position_name(device),
        )
        _add(connection, clock, new)
    _grant_all(connection, home.home_id, clock)
    if has_meter(home):
        rule = NewRule(home_id=home.home_id, name="damp", reading="humidity", limits=DAMP)
        home_rules.set_rule(connection, rule, profiles=load_profiles(), actor=ACTOR, now=clock.now())


def has_meter(home: SimulatedHome) -> bool:
    """Whether humidity is measured there."""
    return any(device.profile == METER for device in home.devices)


def position_name(device: SimulatedDevice) -> str:
    """What the device's place in its home is called."""
    return f"{device.profile.replace('-', ' ')}, {device.room}"


def _register_visitor(connection: Connection, clock: Clock) -> None:
    if rows.home(connection, VISITOR_HOME) is None:
        home = Home(id=VISITOR_HOME, address="Besöksgatan 1")
        registry.add_home(connection, home, actor=ACTOR, now=clock.now())
        _add(connection, clock, NewDevice(id=VISITOR, home_id=VISITOR_HOME, profile="safety-alarm"))
        _grant_all(connection, VISITOR_HOME, clock)


def _add(connection: Connection, clock: Clock, new: NewDevice) -> None:
    registry.add_device(connection, new, profiles=load_profiles(), actor=ACTOR, now=clock.now())


def _grant_all(connection: Connection, home_id: HomeId, clock: Clock) -> None:
    for role in ROLES:
        for data_class in role.classes:
            new = NewGrant(
                organisation_id=role.organisation.id,
                home_id=home_id,
                data_class=data_class,
                purpose=PURPOSE,
                legal_basis=BASIS,
                step=role.step,
                within=role.within,
            )
            registry.add_grant(connection, new, actor=ACTOR, now=clock.now())
