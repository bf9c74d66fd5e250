"""What partners ask for: read, carried out once, answered the same way every time.

{"request", "action": received | acknowledge | close | comment, …}  ->  {"request", "ok", "error"?}
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec

from devices.codecs.rfc3339 import time_text
from services.alarms import answering
from services.alarms.answering import Actor
from services.domain.errors import AlreadyAcknowledgedError, InvalidError, RefusedError
from services.domain.homes import Organisation
from services.domain.subscriptions import ChannelName
from services.quarantine import Outcome
from services.store import answers
from services.store.connection import Connection

ACTION_MAX_BYTES: Final = 16 * 1024


class Verb(StrEnum):
    """What a partner can ask for."""

    RECEIVED = "received"
    ACKNOWLEDGE = "acknowledge"
    CLOSE = "close"
    COMMENT = "comment"


_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_Text = Annotated[str, msgspec.Meta(max_length=2_000)]
_Name = Annotated[str, msgspec.Meta(max_length=100)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One request of a partner."""

    action: Verb
    request: _Id | None = None
    """The partner's own id of the request; the same again has no second effect."""
    event: _Id | None = None
    alarm: _Id | None = None
    by: _Name = ""
    """The person at the partner."""
    note: _Text = ""


_decoder: Final = msgspec.json.Decoder(Action)


class UnreadableActionError(RefusedError):
    """The payload is not an action."""

    code = "unreadable"

    def __init__(self, reason: str, request: str | None) -> None:
        self.request = request
        super().__init__(f"Cannot read the action: {reason}")


def decode(payload: bytes) -> Action:
    """Read an action.

    Raises:
        UnreadableActionError: Too long, not JSON, or a member that cannot be right.
    """
    if len(payload) > ACTION_MAX_BYTES:
        raise UnreadableActionError(f"{len(payload)} bytes, at most {ACTION_MAX_BYTES}", None)
    try:
        return _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableActionError(str(error), _request_in(payload)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a partner is told, and what became of its message."""

    reply: bytes
    outcome: Outcome
    reason: str = ""
    """Why it is kept aside."""


def answer(connection: Connection, payload: bytes, *, organisation: Organisation, now: datetime) -> Answered:
    """Carry out an action and say what came of it; refusals are answers too."""
    try:
        action = decode(payload)
    except UnreadableActionError as error:
        return Answered(reply=_refusal(error.request, error), outcome=Outcome.QUARANTINED, reason=str(error))
    if action.request is None:
        reply = _carried_out(connection, action, organisation=organisation, now=now)
        return Answered(reply=reply, outcome=Outcome.STORED)
    known = answers.reply_to(connection, organisation.id, action.request)
    if known is not None:
        return Answered(reply=known, outcome=Outcome.DUPLICATE)
    reply = _carried_out(connection, action, organisation=organisation, now=now)
    if action.action is not Verb.RECEIVED:  # confirming twice is harmless; not worth a row each
        answers.keep_reply(connection, organisation.id, action.request, reply, at=now)
    return Answered(reply=reply, outcome=Outcome.STORED)


def _carried_out(
    connection: Connection, action: Action, *, organisation: Organisation, now: datetime
) -> bytes:
    try:
        with connection.savepoint():
            _carry_out(connection, action, organisation=organisation, now=now)
    except RefusedError as error:
        return _refusal(action.request, error)
    return msgspec.json.encode({"request": action.request, "ok": True})


def _carry_out(connection: Connection, action: Action, *, organisation: Organisation, now: datetime) -> None:
    actor = Actor(organisation=organisation, person=action.by)
    match action:
        case Action(action=Verb.RECEIVED, event=str(event)):
            answering.confirm(connection, event, organisation=organisation, channel=ChannelName.MQTT, now=now)
        case Action(action=Verb.ACKNOWLEDGE, alarm=str(alarm)):
            answering.acknowledge(connection, alarm, actor=actor, note=action.note, now=now)
        case Action(action=Verb.CLOSE, alarm=str(alarm)):
            answering.close(connection, alarm, actor=actor, note=action.note, now=now)
        case Action(action=Verb.COMMENT, alarm=str(alarm)):
            answering.comment(connection, alarm, actor=actor, note=action.note, now=now)
        case Action(action=Verb.RECEIVED):
            raise InvalidError("event", None, expected="the id of the event that was received")
        case _:
            raise InvalidError("alarm", None, expected="the id of an alarm")


def _refusal(request: str | None, error: RefusedError) -> bytes:
    details: dict[str, Any] = {"code": error.code, "message": str(error)}
    if isinstance(error, AlreadyAcknowledgedError):
        details |= {"by": error.by, "organisation": error.organisation, "at": time_text(error.at)}
    return msgspec.json.encode({"request": request, "ok": False, "error": details})


def _request_in(payload: bytes) -> str | None:
    try:
        document = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    request = document.get("request") if isinstance(document, dict) else None
    return request if isinstance(request, str) else None
