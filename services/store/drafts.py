"""Proposed grants as rows."""

from datetime import timedelta
from typing import Final

from devices.kinds import DataClass, HomeId
from services.domain.granting import BasisKind, Draft, DraftState, LegalBasis
from services.domain.ids import DraftId, GrantId, OrganisationId
from services.store.connection import (
    Connection,
    Row,
    from_micros,
    matching,
    optional_micros,
    optional_time,
    to_micros,
)

_MICROSECOND: Final = timedelta(microseconds=1)

_SELECT: Final = """
    SELECT id, organisation_id, home_id, position, data_class, purpose, basis_kind, basis_reference,
           valid_from, valid_until, step, within_micros, state, proposed_at, proposed_by, proposed_principal,
           decided_at, decided_by, reason, grant_id
    FROM grant_drafts"""


def add(connection: Connection, draft: Draft) -> None:
    """Insert a draft that nobody has decided about."""
    connection.run(
        """INSERT INTO grant_drafts (id, organisation_id, home_id, position, data_class, purpose, basis_kind,
                                     basis_reference, valid_from, valid_until, step, within_micros, state,
                                     proposed_at, proposed_by, proposed_principal, reason)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '')""",
        draft.id,
        draft.organisation_id,
        draft.home_id,
        draft.position,
        draft.data_class,
        draft.purpose,
        draft.basis.kind,
        draft.basis.reference,
        optional_micros(draft.valid_from),
        optional_micros(draft.valid_until),
        draft.step,
        draft.within // _MICROSECOND,
        draft.state,
        to_micros(draft.proposed_at),
        draft.proposed_by,
        draft.proposed_principal,
    )


def decide(connection: Connection, draft: Draft) -> None:
    """Write what was decided about a draft."""
    connection.run(
        """UPDATE grant_drafts SET state = ?, decided_at = ?, decided_by = ?, reason = ?, grant_id = ?
           WHERE id = ?""",
        draft.state,
        optional_micros(draft.decided_at),
        draft.decided_by,
        draft.reason,
        draft.grant_id,
        draft.id,
    )


def get(connection: Connection, draft_id: str) -> Draft | None:
    """The draft with this id, decided or not."""
    row = connection.row(f"{_SELECT} WHERE id = ?", draft_id)
    return _draft(row) if row else None


def drafts(
    connection: Connection,
    *,
    state: DraftState | None = None,
    home_id: str | None = None,
    organisation_id: str | None = None,
    before: str | None = None,
    limit: int,
) -> list[Draft]:
    """Drafts, the newest first; ``before`` is the id that a list before this one ended with."""
    where, parameters = matching(state=state, home_id=home_id, organisation_id=organisation_id)
    if before is not None:
        where, parameters = f"{where} {'AND' if where else 'WHERE'} id < ?", [*parameters, before]
    rows = connection.rows(f"{_SELECT} {where} ORDER BY id DESC LIMIT ?", *parameters, limit)
    return [_draft(row) for row in rows]


def _draft(row: Row) -> Draft:
    return Draft(
        id=DraftId(row[0]),
        organisation_id=OrganisationId(row[1]),
        home_id=HomeId(row[2]),
        position=row[3],
        data_class=DataClass(row[4]),
        purpose=row[5],
        basis=LegalBasis(kind=BasisKind(row[6]), reference=row[7]),
        valid_from=optional_time(row[8]),
        valid_until=optional_time(row[9]),
        step=row[10],
        within=timedelta(microseconds=row[11]),
        state=DraftState(row[12]),
        proposed_at=from_micros(row[13]),
        proposed_by=row[14],
        proposed_principal=row[15],
        decided_at=optional_time(row[16]),
        decided_by=row[17],
        reason=row[18],
        grant_id=None if row[19] is None else GrantId(row[19]),
    )
