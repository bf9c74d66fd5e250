"""Humidity meters behind home hubs, registered directly: many of them, in a second.

hubs = meters(folder, hubs=4, per_hub=50)     enrolled, with credentials in folder.parent / "credentials"
LoadPlan(hubs=hubs, …)                        they send readings
"""

from pathlib import Path
from typing import Final

from broker.authorities import CertificateAuthorities
from devices.kinds import HomeId
from devices.profiles import load_profiles
from devices.simulator.load import LoadHub
from gateway import enrolment
from gateway.data_folder import open_folder
from services import registry
from services.domain.clock import SystemClock
from services.domain.homes import Home
from services.registry import NewDevice
from services.store.migrations import migrate
from services.store.sqlite import SqliteConnection

ACTOR: Final = "test"
PROFILE: Final = "humidity-meter"


def credentials_of(folder: Path) -> Path:
    """Where the hubs' credentials are, one folder each."""
    return folder.parent / f"{folder.name}-credentials"


def meters(folder: Path, *, hubs: int, per_hub: int) -> tuple[LoadHub, ...]:
    """Register so many homes with a hub and meters behind it in the data folder, and enrol the hubs."""
    clock, profiles, data = SystemClock(), load_profiles(), open_folder(folder)
    store = SqliteConnection(data.database)
    migrate(store)
    now, found = clock.now(), []
    with store.transaction():
        for hub in range(hubs):
            home_id, hub_id = HomeId(f"h-{hub:03d}"), f"hub-{hub:03d}"
            registry.add_home(store, Home(id=home_id, address=f"Storgatan {hub}"), actor=ACTOR, now=now)
            devices = tuple(f"m-{hub:03d}-{number:05d}" for number in range(per_hub))
            news = [NewDevice(id=hub_id, home_id=home_id, profile="home-hub")]
            news += [NewDevice(id=id_, home_id=home_id, profile=PROFILE, position=id_) for id_ in devices]
            for new in news:
                registry.add_device(store, new, profiles=profiles, actor=ACTOR, now=now)
            found.append(LoadHub(client_id=hub_id, devices=devices))
    authorities = CertificateAuthorities.open(data.pki, now)
    for hub_ in found:
        directory = credentials_of(folder) / hub_.client_id
        enrolment.enrol_device(store, authorities, hub_.client_id, directory=directory, actor=ACTOR, now=now)
    store.close()
    return tuple(found)
