"""Whether a message may speak for a device: the client is known, in service, and carries the device.

    up/{client}/{device}/…      client == device, or client is a home hub of the same home

The broker has checked that the client is who its certificate says; this is what the broker cannot know.
"""

from devices.kinds import DeviceId
from devices.profiles import Profiles
from services.domain.homes import Device, DeviceState
from services.store import registry
from services.store.connection import Connection


class NotAdmittedError(Exception):
    """A message cannot count as its device's; the text is fit to be sent back to the home."""

    def __init__(self, reason: str, *, client: Device | None) -> None:
        self.reason = reason
        self.client = client
        """The registered device behind the connection, when there is one."""
        super().__init__(reason)


def admit(connection: Connection, client_id: DeviceId, device_id: DeviceId, *, profiles: Profiles) -> Device:
    """The device that the message speaks for.

    Raises:
        NotAdmittedError: Says why not.
    """
    client = registry.device(connection, client_id)
    if client is None:
        raise NotAdmittedError(f"client {client_id} is not registered", client=None)
    if client.state is not DeviceState.IN_SERVICE:
        raise NotAdmittedError(f"client {client_id} is {client.state}", client=client)
    if client_id == device_id:
        return client
    device = registry.device(connection, device_id)
    profile = profiles.get(client.profile)
    if profile is None or not profile.carries_others:
        raise NotAdmittedError(f"{client_id} is not a home hub, it speaks only for itself", client=client)
    if device is None or device.home_id != client.home_id:
        raise NotAdmittedError(f"device {device_id} is not registered in this home", client=client)
    if device.state is not DeviceState.IN_SERVICE:
        raise NotAdmittedError(f"device {device_id} is {device.state}", client=client)
    return device
