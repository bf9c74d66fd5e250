"""Access taken in emergencies as rows."""

from datetime import datetime
from typing import Final

from devices.kinds import DataClass, HomeId
from services.domain.granting import BasisKind, Emergency, Outcome
from services.domain.ids import EmergencyId, GrantId, OrganisationId
from services.store.connection import (
    Connection,
    Row,
    from_micros,
    matching,
    optional_micros,
    optional_time,
    to_micros,
)

_SELECT: Final = """
    SELECT id, organisation_id, home_id, reason, taken_at, taken_by, taken_principal, valid_until,
           reviewed_at, reviewed_by, outcome, note
    FROM emergencies"""


def add(connection: Connection, emergency: Emergency) -> None:
    """Insert an emergency that nobody has reviewed; its grants are there already."""
    connection.run(
        """INSERT INTO emergencies (id, organisation_id, home_id, reason, taken_at, taken_by, taken_principal,
                                    valid_until, note)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, '')""",
        emergency.id,
        emergency.organisation_id,
        emergency.home_id,
        emergency.reason,
        to_micros(emergency.taken_at),
        emergency.taken_by,
        emergency.taken_principal,
        to_micros(emergency.valid_until),
    )
    connection.run_many(
        "INSERT INTO emergency_grants (emergency_id, grant_id) VALUES (?, ?)",
        [(emergency.id, grant_id) for grant_id in emergency.grant_ids],
    )


def review(connection: Connection, emergency: Emergency) -> None:
    """Write what the city found about an emergency."""
    connection.run(
        "UPDATE emergencies SET reviewed_at = ?, reviewed_by = ?, outcome = ?, note = ? WHERE id = ?",
        optional_micros(emergency.reviewed_at),
        emergency.reviewed_by,
        emergency.outcome,
        emergency.note,
        emergency.id,
    )


def get(connection: Connection, emergency_id: str) -> Emergency | None:
    """The emergency with this id, reviewed or not."""
    row = connection.row(f"{_SELECT} WHERE id = ?", emergency_id)
    return _emergency(connection, row) if row else None


def emergencies(
    connection: Connection,
    *,
    organisation_id: str | None = None,
    home_id: str | None = None,
    unreviewed: bool = False,
    before: str | None = None,
    limit: int,
) -> list[Emergency]:
    """Emergencies, the newest first; ``before`` is the id that a list before this one ended with."""
    where, parameters = matching(organisation_id=organisation_id, home_id=home_id)
    terms = [where.removeprefix("WHERE ")] if where else []
    if unreviewed:
        terms.append("reviewed_at IS NULL")
    if before is not None:
        terms.append("id < ?")
        parameters.append(before)
    rows = connection.rows(
        f"{_SELECT} WHERE {' AND '.join(terms) or 'TRUE'} ORDER BY id DESC LIMIT ?", *parameters, limit
    )
    return [_emergency(connection, row) for row in rows]


def has_known(
    connection: Connection, organisation_id: str, home_id: str, *, since: datetime, at: datetime
) -> bool:
    """Whether an organisation was granted anything of a home that held between two moments.

    What it has taken itself does not count, nor what ended because somebody took their consent back.
    """
    row = connection.row(
        """SELECT 1 FROM grants g LEFT JOIN grant_bases b ON b.grant_id = g.id
           WHERE g.organisation_id = ? AND g.home_id = ? AND g.valid_from <= ?
               AND (g.revoked_at IS NULL OR g.revoked_at > ?) AND (g.valid_until IS NULL OR g.valid_until > ?)
               AND COALESCE(b.kind, '') <> ? AND COALESCE(b.ended_because, '') = '' LIMIT 1""",
        organisation_id,
        home_id,
        to_micros(at),
        *[to_micros(since)] * 2,
        BasisKind.EMERGENCY,
    )
    return row is not None


def _emergency(connection: Connection, row: Row) -> Emergency:
    granted = connection.rows(
        """SELECT g.id, g.data_class FROM emergency_grants e JOIN grants g ON g.id = e.grant_id
           WHERE e.emergency_id = ? ORDER BY g.id""",
        row[0],
    )
    return Emergency(
        id=EmergencyId(row[0]),
        organisation_id=OrganisationId(row[1]),
        home_id=HomeId(row[2]),
        classes=tuple(DataClass(data_class) for _, data_class in granted),
        grant_ids=tuple(GrantId(grant_id) for grant_id, _ in granted),
        reason=row[3],
        taken_at=from_micros(row[4]),
        taken_by=row[5],
        taken_principal=row[6],
        valid_until=from_micros(row[7]),
        reviewed_at=optional_time(row[8]),
        reviewed_by=row[9],
        outcome=None if row[10] is None else Outcome(row[10]),
        note=row[11],
    )
