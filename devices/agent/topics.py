"""The topics a home may use, as the public contract names them.

up/{client}/{device}/alarm       down/{client}/{device}/receipt
up/{client}/{device}/reading
up/{client}/{device}/status
"""

from devices.kinds import DeviceId


def alarm_topic(client_name: str, device_id: DeviceId) -> str:
    """Where an alarm of a device goes."""
    return f"up/{client_name}/{device_id}/alarm"


def status_topic(client_name: str, device_id: DeviceId) -> str:
    """Where a status of a device goes."""
    return f"up/{client_name}/{device_id}/status"


def reading_topic(client_name: str, device_id: DeviceId) -> str:
    """Where a pack of readings of a device goes."""
    return f"up/{client_name}/{device_id}/reading"


def receipt_filter(client_name: str) -> str:
    """The receipts of every device that we speak for."""
    return f"down/{client_name}/+/receipt"


def receipt_device(topic: str) -> DeviceId | None:
    """Whose receipt it is; None when the topic is not one for receipts."""
    match topic.split("/"):
        case ["down", _, device, "receipt"]:
            return DeviceId(device)
    return None
