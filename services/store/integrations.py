"""Integrations, and which devices of ours they speak of, as rows."""

from devices.kinds import DeviceId, HomeId
from services.domain.homes import DeviceState, Dialect, ForeignDevice, Integration
from services.domain.ids import IntegrationId
from services.store.connection import Connection, Row, matching


def add(connection: Connection, integration: Integration) -> None:
    """Insert an integration."""
    connection.run(
        "INSERT INTO integrations (id, name, dialect, state, home_id) VALUES (?, ?, ?, ?, ?)",
        integration.id,
        integration.name,
        integration.dialect,
        integration.state,
        integration.home_id,
    )


def get(connection: Connection, integration_id: str) -> Integration | None:
    """The integration with this id, whatever its state."""
    row = connection.row(
        "SELECT id, name, dialect, state, home_id FROM integrations WHERE id = ?", integration_id
    )
    return _integration(row) if row else None


def integrations(connection: Connection, *, home_id: str | None = None, limit: int) -> list[Integration]:
    """Integrations by id, all or those of one home."""
    where, parameters = matching(home_id=home_id)
    rows = connection.rows(
        f"SELECT id, name, dialect, state, home_id FROM integrations {where} ORDER BY id LIMIT ?",
        *parameters,
        limit,
    )
    return [_integration(row) for row in rows]


def set_state(connection: Connection, integration_id: str, state: DeviceState) -> None:
    """Suspend, resume or retire."""
    connection.run("UPDATE integrations SET state = ? WHERE id = ?", state, integration_id)


def link(connection: Connection, foreign: ForeignDevice) -> None:
    """Note which device a name stands for."""
    connection.run(
        "INSERT INTO foreign_devices (integration_id, external_id, device_id) VALUES (?, ?, ?)",
        foreign.integration_id,
        foreign.external_id,
        foreign.device_id,
    )


def unlink(connection: Connection, integration_id: str, external_id: str) -> None:
    """Forget which device a name stands for."""
    connection.run(
        "DELETE FROM foreign_devices WHERE integration_id = ? AND external_id = ?",
        integration_id,
        external_id,
    )


def behind(connection: Connection, integration_id: str, external_id: str) -> DeviceId | None:
    """The device that an integration calls so; None: nobody has adopted it."""
    row = connection.row(
        "SELECT device_id FROM foreign_devices WHERE integration_id = ? AND external_id = ?",
        integration_id,
        external_id,
    )
    return DeviceId(row[0]) if row else None


def count_adopted(connection: Connection, *, integration_id: str | None = None) -> int:
    """How many names stand for a device: an integration's, or all."""
    where, parameters = matching(integration_id=integration_id)
    row = connection.row(f"SELECT COUNT(*) FROM foreign_devices {where}", *parameters)
    return int(row[0]) if row else 0


def foreign_devices(
    connection: Connection,
    *,
    integration_id: str | None = None,
    device_id: str | None = None,
    home_id: str | None = None,
    limit: int,
) -> list[ForeignDevice]:
    """Adopted devices by integration and name: of one integration, device or home, or all."""
    where, parameters = matching(f__integration_id=integration_id, f__device_id=device_id, d__home_id=home_id)
    rows = connection.rows(
        f"""SELECT f.integration_id, f.external_id, f.device_id
            FROM foreign_devices f JOIN devices d ON d.id = f.device_id {where}
            ORDER BY f.integration_id, f.external_id LIMIT ?""",
        *parameters,
        limit,
    )
    return [
        ForeignDevice(integration_id=IntegrationId(row[0]), external_id=row[1], device_id=DeviceId(row[2]))
        for row in rows
    ]


def _integration(row: Row) -> Integration:
    return Integration(
        id=IntegrationId(row[0]),
        name=row[1],
        dialect=Dialect(row[2]),
        state=DeviceState(row[3]),
        home_id=None if row[4] is None else HomeId(row[4]),
    )
