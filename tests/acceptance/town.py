"""A town as an operator registers it: by commands, before or while the product runs.

town = Town(product)
town.home("h-1", "p-1")                    a home with a safety alarm that has its own connection
town.organisation("acme")                  and its certificate
grant = town.grant("acme", "h-1", "safety")
town.opened_home("p-1")  town.opened_partner("acme")
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.acceptance.peers import Home, Partner
from tests.acceptance.programs import MQTT_5, Door
from tests.support.product import Product


class Town:
    """What is registered at one product, and where the certificates are."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.folder = product.folder.with_name(f"{product.folder.name}-credentials")

    def home(self, home_id: str, *devices: str, profile: str = "safety-alarm") -> None:
        """Register a home with devices that have a connection each."""
        self.homes({home_id: devices}, profile=profile)

    def homes(self, homes: Mapping[str, tuple[str, ...]], *, profile: str = "safety-alarm") -> None:
        """Register homes with devices that have a connection each."""
        commands = []
        for home_id, devices in homes.items():
            commands.append(["home", "add", home_id, "--address", f"{home_id} Street 1"])
            for device in devices:
                commands += [self._device(device, home_id, profile)]
                commands += [["device", "enrol", device, "--out", str(self.credentials(device))]]
        self.product.ask_all(*commands)

    def hub_homes(self, homes: Mapping[str, tuple[str, ...]]) -> None:
        """Register homes whose devices speak through a home hub, named ``hub-{home}``."""
        commands = []
        for home_id, devices in homes.items():
            hub = f"hub-{home_id}"
            commands += [["home", "add", home_id, "--address", f"{home_id} Street 1"]]
            commands += [["device", "add", hub, "--home", home_id, "--profile", "home-hub"]]
            commands += [["device", "enrol", hub, "--out", str(self.credentials(hub))]]
            commands += [self._device(device, home_id, "safety-alarm") for device in devices]
        self.product.ask_all(*commands)

    def organisation(self, organisation_id: str, *, kind: str = "care", name: str | None = None) -> None:
        """Register an organisation with its certificate."""
        named = ["--name", name] if name else []
        self.product.ask_all(
            ["org", "add", organisation_id, "--kind", kind, *named],
            ["org", "credentials", organisation_id, "--out", str(self.credentials(organisation_id))],
        )

    def grant(self, organisation: str, home: str, data_class: str, **options: Any) -> str:
        """Grant access; ``options`` are those of ``grant add``. Returns the grant's id."""
        return self.grants((organisation, home, data_class), **options)[0]

    def grants(self, *wanted: tuple[str, str, str], **options: Any) -> list[str]:
        """Grant access to (organisation, home, class), each; returns the grants' ids."""
        return self.grants_each([(right, options) for right in wanted])

    def grants_each(self, wanted: Sequence[tuple[tuple[str, str, str], Mapping[str, Any]]]) -> list[str]:
        """Grant access, each with options of its own; returns the grants' ids."""
        commands = [
            ["grant", "add", "--org", organisation, "--home", home, "--class", data_class]
            + ["--purpose", "to help", "--basis", "contract"]
            + [word for name, value in options.items() for word in (f"--{name}", str(value))]
            for (organisation, home, data_class), options in wanted
        ]
        return [row["id"] for row in self.product.ask_all(*commands)]

    def credentials(self, common_name: str) -> Path:
        """Where a device's or an organisation's certificate is."""
        return self.folder / common_name

    def home_door(self, device: str, version: str = MQTT_5) -> Door:
        """Where a program plays a device."""
        return Door(port=self.product.ports["mqtt"], credentials=self.credentials(device), version=version)

    def partner_door(self, organisation: str, version: str = MQTT_5) -> Door:
        """Where a program plays an organisation."""
        return Door(
            port=self.product.ports["partner"], credentials=self.credentials(organisation), version=version
        )

    def opened_home(self, device: str, **options: Any) -> Home:
        """A home that is not connected yet; ``options`` as for Home."""
        return Home(self.product.ports["mqtt"], self.credentials(device), **options)

    def opened_partner(self, organisation: str, **options: Any) -> Partner:
        """A partner that is not connected yet; ``options`` as for Partner."""
        return Partner(self.product.ports["partner"], self.credentials(organisation), **options)

    def _device(self, device: str, home_id: str, profile: str) -> list[str]:
        position = f"position of {device}"
        return ["device", "add", device, "--home", home_id, "--profile", profile, "--position", position]
