"""A registered town for the benchmarks: homes with one safety alarm each, and one care provider."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from broker.authorities import CertificateAuthorities
from devices.kinds import HomeId
from devices.profiles import load_profiles
from gateway import enrolment
from gateway.data_folder import DataFolder, open_folder
from services import registry
from services.domain.clock import SystemClock
from services.domain.homes import Home, Organisation, OrganisationKind
from services.domain.ids import OrganisationId
from services.registry import NewDevice, NewGrant
from services.store.migrations import migrate
from services.store.sqlite import SqliteConnection

PARTNER: Final = "care"
ACTOR: Final = "benchmark"


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    data: Path
    credentials: Path
    devices: tuple[str, ...]


def found(folder: Path, *, homes: int, hubs: int, is_enrolled: bool = True) -> Town:
    """Register ``homes`` homes; ``hubs`` of them have a hub that carries all the devices of its home.

    With as many hubs as homes each home has its own connection; with fewer, the homes with a hub carry
    as many devices as it takes.
    """
    clock, profiles = SystemClock(), load_profiles()
    data = open_folder(folder / "data")
    store = SqliteConnection(data.database)
    migrate(store)
    now, devices = clock.now(), []
    with store.transaction():
        for id_, kind in ((PARTNER, OrganisationKind.CARE), ("city", OrganisationKind.CITY)):
            organisation = Organisation(id=OrganisationId(id_), name=id_, kind=kind)
            registry.add_organisation(store, organisation, actor=ACTOR, now=now)
        for hub in range(hubs):
            home = Home(id=HomeId(f"h-{hub}"), address=f"Storgatan {hub}")
            registry.add_home(store, home, actor=ACTOR, now=now)
            new = NewDevice(id=f"hub-{hub}", home_id=home.id, profile="home-hub")
            registry.add_device(store, new, profiles=profiles, actor=ACTOR, now=now)
            registry.add_grant(store, _grant(home.id), actor=ACTOR, now=now)
        for number in range(homes):
            home_id = f"h-{number % hubs}"
            device = NewDevice(
                id=f"p-{number}", home_id=home_id, profile="safety-alarm", position=f"alarm {number}"
            )
            registry.add_device(store, device, profiles=profiles, actor=ACTOR, now=now)
            devices.append(device.id)
    if is_enrolled:
        _enrol(store, data, folder / "credentials", hubs=hubs)
    store.close()
    return Town(data=data.path, credentials=folder / "credentials", devices=tuple(devices))


def _enrol(store: SqliteConnection, data: DataFolder, credentials: Path, *, hubs: int) -> None:
    now = SystemClock().now()
    authorities = CertificateAuthorities.open(data.pki, now)
    for hub in range(hubs):
        id_ = f"hub-{hub}"
        enrolment.enrol_device(store, authorities, id_, directory=credentials / id_, actor=ACTOR, now=now)
    enrolment.issue_organisation_credentials(
        store, authorities, PARTNER, directory=credentials / PARTNER, actor=ACTOR, now=now
    )


def _grant(home_id: HomeId) -> NewGrant:
    return NewGrant(
        organisation_id=PARTNER,
        home_id=home_id,
        data_class="safety",
        purpose="home care",
        legal_basis="consent",
    )
