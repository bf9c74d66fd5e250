"""Consents as rows, and which grants rest on them."""

from datetime import datetime
from typing import Final

from devices.kinds import DataClass
from services.domain.granting import BasisKind, LegalBasis
from services.domain.homes import Grant
from services.domain.ids import ConsentId, GrantId, ResidentId
from services.domain.residents import Consent, How
from services.store import registry
from services.store.connection import Connection, Row, from_micros, matching, optional_time, to_micros

_SELECT: Final = """
    SELECT c.id, c.resident_id, c.data_class, c.purpose, c.how, c.reference, c.given_at, c.recorded_at,
           c.recorded_by, c.withdrawn_at, c.withdrawn_by
    FROM consents c"""


def add(connection: Connection, consent: Consent) -> None:
    """Insert a consent that nobody has taken back."""
    connection.run(
        """INSERT INTO consents (id, resident_id, data_class, purpose, how, reference, given_at, recorded_at,
                                 recorded_by)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        consent.id,
        consent.resident_id,
        consent.data_class,
        consent.purpose,
        consent.how,
        consent.reference,
        to_micros(consent.given_at),
        to_micros(consent.recorded_at),
        consent.recorded_by,
    )


def get(connection: Connection, consent_id: str) -> Consent | None:
    """The consent with this id, in force or not."""
    row = connection.row(f"{_SELECT} WHERE c.id = ?", consent_id)
    return _consent(row) if row else None


def in_force(connection: Connection, resident_id: str, data_class: str, purpose: str) -> Consent | None:
    """A resident's yes to something, if there is one; there is one at most."""
    row = connection.row(
        f"""{_SELECT} WHERE c.resident_id = ? AND c.data_class = ? AND c.purpose = ?
            AND c.withdrawn_at IS NULL""",
        resident_id,
        data_class,
        purpose,
    )
    return _consent(row) if row else None


def consents(
    connection: Connection,
    *,
    resident_id: str | None = None,
    home_id: str | None = None,
    after: str = "",
    limit: int,
) -> list[Consent]:
    """Consents in the order in which they were recorded, those that were taken back included."""
    where, parameters = matching(c__resident_id=resident_id, r__home_id=home_id)
    rows = connection.rows(
        f"""{_SELECT} JOIN residents r ON r.id = c.resident_id
            {where} {"AND" if where else "WHERE"} c.id > ? ORDER BY c.id LIMIT ?""",
        *parameters,
        after,
        limit,
    )
    return [_consent(row) for row in rows]


def withdraw(connection: Connection, consent_id: str, *, at: datetime, by: str) -> None:
    """Take a consent back; one that was taken back keeps its first end."""
    connection.run(
        "UPDATE consents SET withdrawn_at = ?, withdrawn_by = ? WHERE id = ? AND withdrawn_at IS NULL",
        to_micros(at),
        by,
        consent_id,
    )


def missing(connection: Connection, home_id: str, data_class: str, purpose: str) -> list[ResidentId]:
    """Those who live in a home permanently and have not said yes to something."""
    rows = connection.rows(
        """SELECT r.id FROM residents r
           WHERE r.home_id = ? AND r.is_permanent = 1 AND r.moved_out_at IS NULL AND NOT EXISTS (
               SELECT 1 FROM consents c WHERE c.resident_id = r.id AND c.data_class = ? AND c.purpose = ?
               AND c.withdrawn_at IS NULL)
           ORDER BY r.id""",
        home_id,
        data_class,
        purpose,
    )
    return [ResidentId(row[0]) for row in rows]


def supporting(connection: Connection, home_id: str, data_class: str, purpose: str) -> list[Consent]:
    """The yes of everybody who lives in a home, whether permanently or not."""
    rows = connection.rows(
        f"""{_SELECT} JOIN residents r ON r.id = c.resident_id
            WHERE r.home_id = ? AND r.moved_out_at IS NULL AND c.data_class = ? AND c.purpose = ?
            AND c.withdrawn_at IS NULL ORDER BY c.id""",
        home_id,
        data_class,
        purpose,
    )
    return [_consent(row) for row in rows]


def has_been_refused(connection: Connection, home_id: str, data_class: str) -> bool:
    """Whether somebody who lives in a home has taken back their yes to a class, and given no other to it."""
    row = connection.row(
        """SELECT 1 FROM consents c JOIN residents r ON r.id = c.resident_id
           WHERE r.home_id = ? AND r.moved_out_at IS NULL AND c.data_class = ? AND c.withdrawn_at IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM consents o WHERE o.resident_id = c.resident_id
               AND o.data_class = c.data_class AND o.withdrawn_at IS NULL) LIMIT 1""",
        home_id,
        data_class,
    )
    return row is not None


def add_basis(connection: Connection, grant_id: str, basis: LegalBasis) -> None:
    """Note by which right a grant holds."""
    connection.run(
        "INSERT INTO grant_bases (grant_id, kind, reference, ended_because) VALUES (?, ?, ?, '')",
        grant_id,
        basis.kind,
        basis.reference,
    )


def basis(connection: Connection, grant_id: str) -> tuple[LegalBasis, str] | None:
    """By which right a grant holds, and why it ended; None: only its text says so."""
    row = connection.row(
        "SELECT kind, reference, ended_because FROM grant_bases WHERE grant_id = ?", grant_id
    )
    return None if row is None else (LegalBasis(kind=BasisKind(row[0]), reference=row[1]), str(row[2]))


def note_end(connection: Connection, grant_id: str, *, because: str) -> None:
    """Note why a grant was ended."""
    connection.run("UPDATE grant_bases SET ended_because = ? WHERE grant_id = ?", because, grant_id)


def link(connection: Connection, grant_id: str, consent_id: str) -> None:
    """Have a grant rest on a consent."""
    connection.run(
        """INSERT INTO grant_consents (grant_id, consent_id) VALUES (?, ?)
           ON CONFLICT (grant_id, consent_id) DO NOTHING""",
        grant_id,
        consent_id,
    )


def under(connection: Connection, grant_id: str) -> list[ConsentId]:
    """The consents that a grant rests on."""
    rows = connection.rows(
        "SELECT consent_id FROM grant_consents WHERE grant_id = ? ORDER BY consent_id", grant_id
    )
    return [ConsentId(row[0]) for row in rows]


def ended_by(connection: Connection, consent: Consent, home_id: str, *, at: datetime) -> list[Grant]:
    """What ends with a consent: the grants that rest on it, and emergencies' of its class at the home."""
    return _grants(
        connection,
        """SELECT g.id FROM grant_consents l JOIN grants g ON g.id = l.grant_id
           WHERE l.consent_id = ? AND g.revoked_at IS NULL AND (g.valid_until IS NULL OR g.valid_until > ?)
           UNION
           SELECT g.id FROM grants g JOIN grant_bases b ON b.grant_id = g.id
           WHERE g.home_id = ? AND g.data_class = ? AND b.kind = ? AND g.revoked_at IS NULL
               AND g.valid_until > ?
           ORDER BY 1""",
        consent.id,
        to_micros(at),
        home_id,
        consent.data_class,
        BasisKind.EMERGENCY,
        to_micros(at),
    )


def of_kind(connection: Connection, home_id: str, kind: BasisKind, *, at: datetime) -> list[Grant]:
    """The grants of a home on a kind of basis that have not ended, those that begin later included."""
    return _grants(
        connection,
        """SELECT g.id FROM grants g JOIN grant_bases b ON b.grant_id = g.id
           WHERE g.home_id = ? AND b.kind = ? AND g.revoked_at IS NULL
               AND (g.valid_until IS NULL OR g.valid_until > ?) ORDER BY g.id""",
        home_id,
        kind,
        to_micros(at),
    )


def _grants(connection: Connection, sql: str, *parameters: object) -> list[Grant]:
    found = (registry.grant(connection, GrantId(row[0])) for row in connection.rows(sql, *parameters))
    return [grant for grant in found if grant is not None]


def _consent(row: Row) -> Consent:
    return Consent(
        id=ConsentId(row[0]),
        resident_id=ResidentId(row[1]),
        data_class=DataClass(row[2]),
        purpose=row[3],
        how=How(row[4]),
        reference=row[5],
        given_at=from_micros(row[6]),
        recorded_at=from_micros(row[7]),
        recorded_by=row[8],
        withdrawn_at=optional_time(row[9]),
        withdrawn_by=row[10],
    )
