"""Integrations: accounts of other systems, and the adoption of the devices that they speak of.

    in/{integration}/…  ──external id──>  adopted as  ──>  device, at its position of its home
                                      └─  nobody knows it: it waits in a list for an operator

What an integration calls its devices is foreign to us; an operator says once which device of ours it is.
"""

from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from devices.kinds import DeviceId
from services import audit, registry
from services.domain.errors import ExistsError, RefusedError, UnknownError
from services.domain.homes import Device, DeviceState, ForeignDevice, Integration
from services.domain.ids import IntegrationId
from services.registry import NewDevice, RetiredError, check_id, check_text
from services.store import certificates
from services.store import integrations as rows
from services.store import registry as registry_rows
from services.store.connection import Connection
from services.store.readings import unknown
from services.store.readings.unknown import UnknownDevice

if TYPE_CHECKING:  # reading the models takes longer than a whole command that needs none
    from devices.profiles import Profiles


class IntegrationRetiredError(RefusedError):
    """A retired integration does not come back."""

    code = "retired"

    def __init__(self, integration_id: str) -> None:
        self.integration_id = integration_id
        super().__init__(
            f"Integration {integration_id!r} is retired for good; register another with a new id"
        )


class OtherHomeError(RefusedError):
    """An integration that stands in one home cannot speak for another."""

    code = "other_home"

    def __init__(self, integration: Integration, home_id: str) -> None:
        self.integration_id = integration.id
        self.home_id = home_id
        super().__init__(
            f"Integration {integration.id!r} brings devices of home {integration.home_id!r} only, "
            f"not of {home_id!r}; name a device of that home, or register an integration without --home"
        )


class AdoptedAlreadyError(RefusedError):
    """One name cannot stand for two devices."""

    code = "adopted_already"

    def __init__(self, foreign: ForeignDevice) -> None:
        self.device_id = foreign.device_id
        super().__init__(
            f"{foreign.external_id!r} of integration {foreign.integration_id!r} is device "
            f"{foreign.device_id!r} already; end that first with `stadsnav integration forget`"
        )


def add(connection: Connection, integration: Integration, *, actor: str, now: datetime) -> Integration:
    """Register an integration; the very same again changes nothing.

    Raises:
        InvalidError: The id or name cannot be right.
        UnknownError: There is no such home.
        ExistsError: There is another one with this id, or a device: both are names at the broker.
    """
    check_id("integration id", integration.id)
    check_text("name", integration.name)
    home_id = integration.home_id
    if home_id is not None and registry_rows.home(connection, home_id) is None:
        raise UnknownError("home", home_id, mend="register it first with `stadsnav home add`")
    known = rows.get(connection, integration.id)
    if known is not None and replace(known, state=integration.state) == integration:
        return known
    if known is not None:
        raise ExistsError("integration", integration.id)
    if registry_rows.device(connection, integration.id) is not None:
        raise ExistsError("device", integration.id)
    rows.add(connection, integration)
    _log(connection, "integration_added", integration, actor=actor, now=now)
    return integration


def set_state(
    connection: Connection, integration_id: str, state: DeviceState, *, actor: str, now: datetime
) -> Integration:
    """Suspend, resume or retire an integration; retiring ends its certificate too.

    Raises:
        UnknownError: There is no such integration.
        IntegrationRetiredError: It is retired, and stays so.
    """
    integration = _known(connection, integration_id)
    if integration.state is state:
        return integration
    if integration.state is DeviceState.RETIRED:
        raise IntegrationRetiredError(integration_id)
    rows.set_state(connection, integration_id, state)
    if state is DeviceState.RETIRED:
        certificates.revoke_of(connection, "homes", integration_id, at=now)
    _log(connection, f"integration_{state}", integration, actor=actor, now=now)
    return replace(integration, state=state)


def adopt(connection: Connection, foreign: ForeignDevice, *, actor: str, now: datetime) -> Device:
    """Say which device of ours an integration means; the very same again changes nothing.

    Raises:
        RefusedError: There is no such integration or device, it is retired or stands in another home, or
            the name is another device already.
    """
    device = registry_rows.device(connection, foreign.device_id)
    if device is None:
        raise UnknownError("device", foreign.device_id, mend="see `stadsnav device list`")
    if device.state is DeviceState.RETIRED:
        raise RetiredError(device.id)
    if not _is_adopted(connection, foreign, home_id=device.home_id):
        rows.link(connection, foreign)
        _log_device(connection, "foreign_device_adopted", foreign, device, actor=actor, now=now)
    return device


def adopt_new(
    connection: Connection,
    integration_id: str,
    external_id: str,
    new: NewDevice,
    *,
    profiles: "Profiles",
    actor: str,
    now: datetime,
) -> Device:
    """Register a device and say that it is what an integration means.

    Raises:
        RefusedError: As for ``registry.add_device`` and ``adopt``.
    """
    foreign = ForeignDevice(
        integration_id=IntegrationId(integration_id), external_id=external_id, device_id=DeviceId(new.id)
    )
    _is_adopted(connection, foreign, home_id=new.home_id)  # refuses before anything is written
    registry.add_device(connection, new, profiles=profiles, actor=actor, now=now)
    return adopt(connection, foreign, actor=actor, now=now)


def forget(
    connection: Connection, integration_id: str, external_id: str, *, actor: str, now: datetime
) -> Device:
    """End an adoption; the device stays, and the name is unknown again. Returns the device that it was.

    Raises:
        UnknownError: There is no such integration, or nobody has adopted that name.
    """
    integration = _known(connection, integration_id)
    device_id = rows.behind(connection, integration.id, external_id)
    device = registry_rows.device(connection, device_id) if device_id is not None else None
    if device is None:
        mend = f"see `stadsnav integration adopted --integration {integration_id}`"
        raise UnknownError("adopted device", external_id, mend=mend)
    foreign = ForeignDevice(integration_id=integration.id, external_id=external_id, device_id=device.id)
    rows.unlink(connection, integration.id, external_id)
    _log_device(connection, "foreign_device_forgotten", foreign, device, actor=actor, now=now)
    return device


def waiting(
    connection: Connection, readings: Connection, *, integration_id: str | None, limit: int
) -> list[UnknownDevice]:
    """What integrations speak of and nobody has adopted, the one heard last first.

    Args:
        connection: The registry.
        readings: The store of the reading process, which keeps the list and may not know yet that
            something on it has been adopted.
        integration_id: Only of this integration; None: of all.
        limit: At most so many.
    """
    adopted = rows.count_adopted(connection, integration_id=integration_id)
    known = unknown.unknown_devices(readings, integration_id=integration_id, limit=limit + adopted)
    left = (item for item in known if rows.behind(connection, item.integration_id, item.external_id) is None)
    return list(islice(left, limit))


def _is_adopted(connection: Connection, foreign: ForeignDevice, *, home_id: str) -> bool:
    """Whether it is so already; refuses what must not become so."""
    integration = _known(connection, foreign.integration_id)
    check_text("external id", foreign.external_id)
    if integration.state is DeviceState.RETIRED:
        raise IntegrationRetiredError(integration.id)
    if not integration.may_bring(home_id):
        raise OtherHomeError(integration, home_id)
    holder = rows.behind(connection, integration.id, foreign.external_id)
    if holder not in (None, foreign.device_id):
        raise AdoptedAlreadyError(replace(foreign, device_id=holder))
    return holder is not None


def _known(connection: Connection, integration_id: str) -> Integration:
    integration = rows.get(connection, integration_id)
    if integration is None:
        raise UnknownError("integration", integration_id, mend="see `stadsnav integration list`")
    return integration


def _log(connection: Connection, action: str, integration: Integration, *, actor: str, now: datetime) -> None:
    entry = audit.Entry(actor=actor, action=action, home_id=integration.home_id, subject=integration.id)
    audit.note(connection, entry, at=now)


def _log_device(
    connection: Connection,
    action: str,
    foreign: ForeignDevice,
    device: Device,
    *,
    actor: str,
    now: datetime,
) -> None:
    entry = audit.Entry(
        actor=actor,
        action=action,
        home_id=device.home_id,
        subject=device.id,
        details=f"{foreign.external_id} of {foreign.integration_id}",
    )
    audit.note(connection, entry, at=now)
