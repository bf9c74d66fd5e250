"""``stadsnav device``: the hardware in homes, and its certificates."""

from pathlib import Path
from typing import Annotated, Any

import typer

from devices.profiles import load_profiles
from gateway.cli import printing
from gateway.cli.desk import desk
from gateway.cli.options import LIMIT, AsJson, Data, Limit, OfHome, Out, commands
from services import registry
from services.domain.errors import UnknownError
from services.domain.homes import Device, DeviceState
from services.registry import NewDevice
from services.store import certificates, status
from services.store import registry as rows
from services.store.connection import Connection

app = commands("Devices in homes.")

DeviceId = Annotated[str, typer.Argument(metavar="ID")]


@app.command("add")
def add(
    context: typer.Context,
    *,
    device_id: DeviceId,
    home: Annotated[str, typer.Option(metavar="ID", help="Where it stands.")],
    profile: Annotated[str, typer.Option(metavar="NAME", help="Its model; see `profile list`.")],
    position: Annotated[
        str | None, typer.Option(metavar="NAME", help="Its role there; by default the profile's own.")
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Register a device at a position of a home; the very same again changes nothing."""
    new = NewDevice(id=device_id, home_id=home, profile=profile, position=position)
    with desk(context, data) as at:
        device = at.write(
            lambda connection: registry.add_device(
                connection, new, profiles=load_profiles(), actor=at.actor, now=at.now
            )
        )
    printing.show(_row(device), as_json=as_json)


@app.command("list")
def list_devices(
    context: typer.Context,
    *,
    home: OfHome = None,
    limit: Limit = LIMIT,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List devices by id."""
    with desk(context, data) as at:
        devices = rows.devices(at.store, home_id=home, limit=limit)
        at.note_look((device.home_id for device in devices), asked_for=home)
    found = [_row(device) for device in devices]
    printing.show(found, ("id", "home", "position", "profile", "state"), as_json=as_json)


@app.command("show")
def show(context: typer.Context, *, device_id: DeviceId, data: Data = None, as_json: AsJson = False) -> None:
    """Show a device with the last that it said of itself."""
    with desk(context, data) as at:
        device = rows.device(at.store, device_id)
        if device is None:
            raise UnknownError("device", device_id, mend="see `stadsnav device list`")
        found = _row(device) | _last_known(at.store, device_id)
        at.note_look([device.home_id])
    printing.show(found, as_json=as_json)


@app.command("enrol")
def enrol(
    context: typer.Context, *, device_id: DeviceId, out: Out, data: Data = None, as_json: AsJson = False
) -> None:
    """Issue a device's certificate, for a lab or a test. One each: an earlier one ends at once."""
    from broker.authorities import CertificateAuthorities  # noqa: PLC0415 - only here, and slow
    from gateway.cli.credentials import credentials_row  # noqa: PLC0415
    from gateway.enrolment import enrol_device  # noqa: PLC0415

    with desk(context, data) as at:
        authorities = CertificateAuthorities.open(at.folder.pki, at.now)
        handed_out = enrol_device(at.store, authorities, device_id, directory=out, actor=at.actor, now=at.now)
    printing.show(credentials_row(handed_out), as_json=as_json)


@app.command("suspend")
def suspend(
    context: typer.Context, *, device_id: DeviceId, data: Data = None, as_json: AsJson = False
) -> None:
    """Hear a device no more, until it is resumed."""
    _change(context, device_id, DeviceState.SUSPENDED, data=data, as_json=as_json)


@app.command("resume")
def resume(
    context: typer.Context, *, device_id: DeviceId, data: Data = None, as_json: AsJson = False
) -> None:
    """Hear a suspended device again."""
    _change(context, device_id, DeviceState.IN_SERVICE, data=data, as_json=as_json)


@app.command("retire")
def retire(
    context: typer.Context, *, device_id: DeviceId, data: Data = None, as_json: AsJson = False
) -> None:
    """End a device for good, with its certificate; its position is free for a successor."""
    _change(context, device_id, DeviceState.RETIRED, data=data, as_json=as_json)


def _change(
    context: typer.Context, device_id: str, state: DeviceState, *, data: Path | None, as_json: bool
) -> None:
    with desk(context, data) as at:
        device = at.write(
            lambda connection: registry.set_device_state(
                connection, device_id, state, actor=at.actor, now=at.now
            )
        )
    printing.show(_row(device), as_json=as_json)


def _row(device: Device) -> dict[str, Any]:
    return {
        "id": device.id,
        "home": device.home_id,
        "position": device.position,
        "profile": device.profile,
        "state": device.state,
    }


def _last_known(connection: Connection, device_id: str) -> dict[str, Any]:
    known = status.of_device(connection, device_id)
    return {
        "last_seen_at": known.last_seen_at if known else None,
        "battery_percent": known.battery_percent if known else None,
        "mains": known.has_mains if known else None,
        "link": known.link if known else None,
        "signal_dbm": known.signal_dbm if known else None,
        "firmware": known.firmware if known else None,
        "certificate_expires_at": certificates.end_of(connection, "homes", device_id),
    }
