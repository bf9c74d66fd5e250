"""``stadsnav integration``: other systems that publish what their devices say, and whose those are."""

from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from devices.kinds import DeviceId, HomeId
from devices.profiles import load_profiles
from gateway.cli import printing
from gateway.cli.desk import Desk, desk
from gateway.cli.options import LIMIT, AsJson, Data, Limit, OfDevice, OfHome, Out, commands
from services import integrations
from services.domain.homes import Device, DeviceState, Dialect, ForeignDevice, Integration
from services.domain.ids import IntegrationId
from services.registry import NewDevice
from services.store import integrations as rows
from services.store import registry as registry_rows
from services.store.connection import Connection
from services.store.migrations import READINGS, migrate
from services.store.readings.unknown import UnknownDevice
from services.store.sqlite import SqliteConnection

app = commands("Other systems and the devices behind them.")

Id = Annotated[str, typer.Argument(metavar="ID")]
External = Annotated[str, typer.Argument(metavar="EXTERNAL", help="What the integration calls it.")]
By = Annotated[str, typer.Option("--integration", metavar="ID", help="Whose name it is.")]
OfIntegration = Annotated[
    str | None, typer.Option("--integration", metavar="ID", help="Only of this integration.")
]


@app.command("add")
def add(
    context: typer.Context,
    *,
    integration_id: Id,
    dialect: Annotated[Dialect, typer.Option(help="How it words what it publishes.")],
    name: Annotated[str | None, typer.Option(help="For people; the id when not given.")] = None,
    home: Annotated[
        str | None, typer.Option(metavar="ID", help="It brings devices of this home only.")
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Register an integration; the very same again changes nothing."""
    integration = Integration(
        id=IntegrationId(integration_id),
        name=integration_id if name is None else name,
        dialect=dialect,
        home_id=None if home is None else HomeId(home),
    )
    with desk(context, data) as at:
        added = at.write(
            lambda connection: integrations.add(connection, integration, actor=at.actor, now=at.now)
        )
    printing.show(_row(added), as_json=as_json)


@app.command("list")
def list_integrations(
    context: typer.Context,
    *,
    home: OfHome = None,
    limit: Limit = LIMIT,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List integrations by id."""
    with desk(context, data) as at:
        found = [_row(item) for item in rows.integrations(at.store, home_id=home, limit=limit)]
    printing.show(found, ("id", "name", "dialect", "home", "state"), as_json=as_json)


@app.command("credentials")
def credentials(
    context: typer.Context, *, integration_id: Id, out: Out, data: Data = None, as_json: AsJson = False
) -> None:
    """Issue an integration's certificate. One each: an earlier one ends at once."""
    from broker.authorities import CertificateAuthorities  # noqa: PLC0415 - only here, and slow
    from gateway.cli.credentials import credentials_row  # noqa: PLC0415
    from gateway.enrolment import issue_integration_credentials  # noqa: PLC0415

    with desk(context, data) as at:
        authorities = CertificateAuthorities.open(at.folder.pki, at.now)
        handed_out = issue_integration_credentials(
            at.store, authorities, integration_id, directory=out, actor=at.actor, now=at.now
        )
    printing.show(credentials_row(handed_out), as_json=as_json)


@app.command("suspend")
def suspend(
    context: typer.Context, *, integration_id: Id, data: Data = None, as_json: AsJson = False
) -> None:
    """Hear an integration no more, until it is resumed."""
    _change(context, integration_id, DeviceState.SUSPENDED, data=data, as_json=as_json)


@app.command("resume")
def resume(context: typer.Context, *, integration_id: Id, data: Data = None, as_json: AsJson = False) -> None:
    """Hear a suspended integration again."""
    _change(context, integration_id, DeviceState.IN_SERVICE, data=data, as_json=as_json)


@app.command("retire")
def retire(context: typer.Context, *, integration_id: Id, data: Data = None, as_json: AsJson = False) -> None:
    """End an integration for good, with its certificate."""
    _change(context, integration_id, DeviceState.RETIRED, data=data, as_json=as_json)


@app.command("unknown")
def list_unknown(
    context: typer.Context,
    *,
    integration: OfIntegration = None,
    limit: Limit = LIMIT,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List what integrations speak of and nobody has adopted, the one heard last first."""
    with desk(context, data) as at:
        found = _waiting(at, integration, limit)
        at.note_look(
            (_home_of(at.store, item.integration_id) for item in found),
            asked_for=_home_of(at.store, integration),
        )
    columns = ("integration", "external", "model", "last_seen_at", "messages", "example")
    printing.show([_unknown_row(item) for item in found], columns, as_json=as_json)


@app.command("adopt")
def adopt(
    context: typer.Context,
    *,
    external_id: External,
    integration: By,
    device: Annotated[
        str | None, typer.Option(metavar="ID", help="The registered device that it is; or, for a new one:")
    ] = None,
    new_id: Annotated[str | None, typer.Option("--id", metavar="ID", help="The new device's id.")] = None,
    home: Annotated[str | None, typer.Option(metavar="ID", help="Where it stands.")] = None,
    profile: Annotated[
        str | None, typer.Option(metavar="NAME", help="Its model; see `profile list`.")
    ] = None,
    position: Annotated[
        str | None, typer.Option(metavar="NAME", help="Its role there; by default the profile's own.")
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Say which device an integration means: one that is registered, or a new one."""
    match device, new_id, home, profile, position:
        case str(), None, None, None, None:
            work = partial(_adopt, device_id=device)
        case None, str(), str(), str(), _:
            new = NewDevice(id=new_id, home_id=home, profile=profile, position=position)
            work = partial(_adopt_new, new=new)
        case _:
            raise typer.BadParameter("expected --device, or else --id, --home and --profile")
    with desk(context, data) as at:
        adopted = work(at, integration, external_id)
    printing.show(_adopted_row(integration, external_id, adopted), as_json=as_json)


@app.command("adopted")
def list_adopted(
    context: typer.Context,
    *,
    integration: OfIntegration = None,
    home: OfHome = None,
    device: OfDevice = None,
    limit: Limit = LIMIT,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List what integrations call the devices that they speak for."""
    with desk(context, data) as at:
        foreign = rows.foreign_devices(
            at.store, integration_id=integration, device_id=device, home_id=home, limit=limit
        )
        found = [
            _adopted_row(
                item.integration_id, item.external_id, registry_rows.device(at.store, item.device_id)
            )
            for item in foreign
        ]
        at.note_look((row["home"] for row in found), asked_for=home)
    printing.show(
        found, ("integration", "external", "device", "home", "position", "profile"), as_json=as_json
    )


@app.command("forget")
def forget(
    context: typer.Context,
    *,
    external_id: External,
    integration: By,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """End an adoption: the device stays, and what the integration calls so is unknown again."""
    with desk(context, data) as at:
        device = at.write(
            lambda connection: integrations.forget(
                connection, integration, external_id, actor=at.actor, now=at.now
            )
        )
    printing.show(_adopted_row(integration, external_id, device), as_json=as_json)


def _change(
    context: typer.Context, integration_id: str, state: DeviceState, *, data: Path | None, as_json: bool
) -> None:
    with desk(context, data) as at:
        integration = at.write(
            lambda connection: integrations.set_state(
                connection, integration_id, state, actor=at.actor, now=at.now
            )
        )
    printing.show(_row(integration), as_json=as_json)


def _adopt(at: Desk, integration_id: str, external_id: str, *, device_id: str) -> Device:
    foreign = ForeignDevice(
        integration_id=IntegrationId(integration_id), external_id=external_id, device_id=DeviceId(device_id)
    )
    return at.write(lambda connection: integrations.adopt(connection, foreign, actor=at.actor, now=at.now))


def _adopt_new(at: Desk, integration_id: str, external_id: str, *, new: NewDevice) -> Device:
    profiles = load_profiles()
    return at.write(
        lambda connection: integrations.adopt_new(
            connection, integration_id, external_id, new, profiles=profiles, actor=at.actor, now=at.now
        )
    )


def _waiting(at: Desk, integration_id: str | None, limit: int) -> list[UnknownDevice]:
    if not at.folder.readings.exists():
        return []  # the reading process has not run yet
    with closing(SqliteConnection(at.folder.readings)) as readings:
        migrate(readings, READINGS)
        return integrations.waiting(at.store, readings, integration_id=integration_id, limit=limit)


def _home_of(connection: Connection, integration_id: str | None) -> HomeId | None:
    """The one home of an integration, if it has one."""
    integration = rows.get(connection, integration_id) if integration_id is not None else None
    return integration.home_id if integration is not None else None


def _row(integration: Integration) -> dict[str, Any]:
    return {
        "id": integration.id,
        "name": integration.name,
        "dialect": integration.dialect,
        "home": integration.home_id,
        "state": integration.state,
    }


def _unknown_row(item: UnknownDevice) -> dict[str, Any]:
    return {
        "integration": item.integration_id,
        "external": item.external_id,
        "model": item.model,
        "first_seen_at": item.first_seen_at,
        "last_seen_at": item.last_seen_at,
        "messages": item.messages,
        "example": item.example,
    }


def _adopted_row(integration_id: str, external_id: str, device: Device | None) -> dict[str, Any]:
    return {
        "integration": integration_id,
        "external": external_id,
        "device": device.id if device else None,
        "home": device.home_id if device else None,
        "position": device.position if device else None,
        "profile": device.profile if device else None,
        "state": device.state if device else None,
    }
