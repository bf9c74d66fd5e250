"""``/api/v1/sessions``: who is signed in, and ending that at once."""

from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from gateway.api.callers import Caller, Needs
from gateway.api.openapi import problems
from gateway.api.parts import Here
from gateway.api.queries import StrictQuery, Text, each_once
from services import audit
from services.domain.accounts import AccountId, Session, SignedInBy
from services.domain.actors import Permission
from services.domain.errors import UnknownError
from services.identity import accounts, sessions
from services.store import sessions as rows
from services.store.connection import Connection

router = APIRouter(prefix="/sessions", tags=["accounts"], dependencies=[Depends(each_once)])

Reading = Annotated[Caller, Depends(Needs(Permission.ACCOUNTS_READ))]
Writing = Annotated[Caller, Depends(Needs(Permission.ACCOUNTS_WRITE))]


class SessionQuery(StrictQuery):
    """Whose sessions."""

    account: Text = Field(description="Its id or login.")


class SessionItem(BaseModel):
    """A sign-in that lasts."""

    id: str
    account: str
    method: SignedInBy
    opened_at: datetime
    seen_at: datetime = Field(description="To the minute.")
    expires_at: datetime = Field(description="When it ends at the latest.")
    is_this: bool = Field(description="Whether you ask in it.")


class SessionList(BaseModel):
    """The open sessions of an account, the newest first."""

    items: list[SessionItem]


@router.get("", summary="Where somebody is signed in", responses=problems(404))
async def list_sessions(parts: Here, caller: Reading, query: Annotated[SessionQuery, Query()]) -> SessionList:
    """The sessions that have not ended."""

    def look(connection: Connection) -> tuple[AccountId, list[Session]]:
        account = accounts.seen(connection, query.account, by=caller.who)
        return account.id, rows.open_of(connection, account.id, now=parts.clock.now())

    account_id, found = await parts.read(look)
    entry = audit.Entry(
        actor=caller.actor,
        action="looked",
        organisation_id=caller.organisation_id,
        details=f"api sessions {account_id}",
    )
    await parts.ledger.looked([entry], at=parts.clock.now())
    return SessionList(items=[_item(session, caller) for session in found])


@router.delete(
    "",
    summary="Sign somebody out everywhere",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(403, 404),
)
async def end_sessions(parts: Here, caller: Writing, query: Annotated[SessionQuery, Query()]) -> None:
    """End every session of an account at once."""

    def end(connection: Connection) -> None:
        account = accounts.to_change(connection, query.account, by=caller.who)
        sessions.end_all(connection, account, actor=caller.actor, now=parts.clock.now())

    await parts.desk.carry_out(end)


@router.delete(
    "/{session_id}",
    summary="End one session",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(403, 404),
)
async def end_session(parts: Here, caller: Writing, session_id: str) -> None:
    """End a session at once."""
    await parts.desk.carry_out(partial(_end, session_id=session_id, caller=caller, now=parts.clock.now()))


def _end(connection: Connection, session_id: str, caller: Caller, now: datetime) -> None:
    session = rows.get(connection, session_id)
    if session is None:
        raise UnknownError("session", session_id)
    try:
        accounts.to_change(connection, session.account_id, by=caller.who)
    except UnknownError:
        raise UnknownError("session", session_id) from None
    sessions.end(connection, session, action="session_ended", actor=caller.actor, now=now)


def _item(session: Session, caller: Caller) -> SessionItem:
    return SessionItem(
        id=session.id,
        account=session.account_id,
        method=session.method,
        opened_at=session.opened_at,
        seen_at=session.seen_at,
        expires_at=session.expires_at,
        is_this=session.id == caller.shown.id,
    )
