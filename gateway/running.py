"""What the running processes tell each other through ``DIR/run``: where the broker listens for the hub."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from broker.configuration import LOOPBACK, BrokerPaths
from broker.credentials import HubCredentials, ensure_hub_credentials
from broker.session import BrokerAddress
from gateway.data_folder import DataFolder
from gateway.settings import Settings
from services.domain.errors import RefusedError

HUB_FILE: Final = "hub.json"


class NotRunningError(RefusedError):
    """There is no broker to connect to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"No broker is known to run for {folder}; start the product with `stadsnav up`")


class NoPasswordError(RefusedError):
    """A broker that runs elsewhere needs the hub's password."""

    def __init__(self) -> None:
        super().__init__("broker.manage is false: set broker.password to that of the hub's account there")


@dataclass(frozen=True, slots=True, kw_only=True)
class HubAccess:
    """How this process gets in at the broker."""

    address: BrokerAddress
    bulk: BrokerAddress
    """Where floods come through."""
    credentials: HubCredentials


def hub_credentials(folder: DataFolder) -> HubCredentials:
    """The hub's own account, made when it is first asked for."""
    return ensure_hub_credentials(folder.broker / HUB_FILE)


def write_internal_ports(folder: DataFolder, *, internal: int, bulk: int) -> None:
    """Say where the managed broker listens for the hub."""
    draft = _file(folder).with_suffix(".tmp")
    draft.write_text(json.dumps({"internal": internal, "bulk": bulk}) + "\n")
    draft.replace(_file(folder))


def hub_access(folder: DataFolder, settings: Settings) -> HubAccess:
    """Where the hub's sessions connect, and as whom.

    Raises:
        NotRunningError: The managed broker has not been started.
        NoPasswordError: The broker is not managed and no password is set.
    """
    credentials = hub_credentials(folder)
    broker = settings.broker
    if broker.manage:
        ports = _internal_ports(folder)
        plain = BrokerAddress(
            host=LOOPBACK,
            port=ports["internal"],
            username=credentials.user_name,
            password=credentials.password,
        )
        bulk = replace(plain, port=ports["bulk"], ca_file=BrokerPaths(directory=folder.broker).root)
        return HubAccess(address=plain, bulk=bulk, credentials=credentials)
    if broker.password is None:
        raise NoPasswordError
    address = BrokerAddress(
        host=broker.host,
        port=broker.port,
        username=broker.username,
        password=broker.password.get_secret_value(),
        ca_file=broker.ca_file,
    )
    return HubAccess(address=address, bulk=address, credentials=credentials)


def _internal_ports(folder: DataFolder) -> dict[str, int]:
    try:
        ports: dict[str, int] = json.loads(_file(folder).read_text())
    except FileNotFoundError:
        raise NotRunningError(folder.path) from None
    return ports


def _file(folder: DataFolder) -> Path:
    return folder.run / "broker.json"
