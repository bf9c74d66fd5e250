"""``/api/v1/alarms``: the cases that a caller may know of, and what it does about them.

    look      in scope? ──> logged ──> answered
    answer    in scope? ──> services.alarms.answering, as MQTT and the command line ──> answered

What is not in scope is not there, whatever is asked of it.
"""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import Field, StringConstraints

from devices.kinds import DataClass
from gateway.api.alarm_answers import AlarmDetail, AlarmItem, AlarmPage, alarm_detail, alarm_item
from gateway.api.bodies import StrictBody
from gateway.api.callers import Caller, Needs
from gateway.api.desk import Once
from gateway.api.once import OnceHere
from gateway.api.openapi import problems
from gateway.api.parts import Here, Parts
from gateway.api.problems import NotHereError
from gateway.api.queries import Moment, PageQuery, Text, each_once
from gateway.api.seen import seen
from gateway.times import moment_or_ago
from services import audit
from services.alarms import answering
from services.domain.actors import Permission
from services.domain.alarm_states import AlarmState
from services.domain.alarms import Alarm
from services.domain.errors import InvalidError, NotGrantedError
from services.store import alarm_lists, deliveries, registry
from services.store import alarms as rows
from services.store.alarm_lists import OPEN, AlarmFilter
from services.store.connection import Connection
from services.store.scoping import BEHIND_ALL
from services.store.sqlite import SqliteConnection

LISTING: Final = "alarms"
STATES: Final = (OPEN, *AlarmState)
PERSONS: Final = "account:"
"""How the log's names of people begin."""

router = APIRouter(prefix="/alarms", tags=["alarms"], dependencies=[Depends(each_once)])

Reading = Annotated[Caller, Depends(Needs(Permission.ALARMS_READ))]
Answering = Annotated[Caller, Depends(Needs(Permission.ALARMS_ANSWER))]
AlarmId = Annotated[str, Path(max_length=64)]


class AlarmQuery(PageQuery):
    """Which alarms."""

    home: Text | None = Field(default=None, description="Only of this home.")
    device: Text | None = Field(default=None, description="Only of this device.")
    state: Annotated[str, StringConstraints(pattern=f"^({'|'.join(STATES)})$")] | None = Field(
        default=None, description="Only in this state; `open`: in any but `closed`."
    )
    data_class: DataClass | None = Field(default=None, alias="class", description="Only of this class.")
    since: Moment | None = Field(
        default=None, description="Received then or later: RFC 3339, a date in Sweden, or as `24h`."
    )


class Answer(StrictBody):
    """By whom, and what everyone who knows of the alarm is told."""

    by: Annotated[str, StringConstraints(max_length=100)] = Field(
        default="", description="The person, where a machine asks; of a person the account says it."
    )
    note: Annotated[str, StringConstraints(max_length=2_000)] = ""


class Comment(Answer):
    """What everyone who knows of the alarm is told."""

    note: Annotated[str, StringConstraints(min_length=1, max_length=2_000)]


@router.get("", summary="The alarms that you may know of")
async def list_alarms(parts: Here, caller: Reading, query: Annotated[AlarmQuery, Query()]) -> AlarmPage:
    """Alarms, the newest first. A page may be short although there is more: `next` says so."""
    now = parts.clock.now()
    since = None if query.since is None else moment_or_ago("since", query.since, now=now)
    wanted = AlarmFilter(
        home_id=query.home,
        device_id=query.device,
        state=query.state,
        data_class=query.data_class,
        since=since,
    )
    (before,) = parts.cursors.after(LISTING, query.cursor, (BEHIND_ALL,))

    def look(connection: SqliteConnection) -> AlarmPage:
        scope = caller.scope(now)
        found = alarm_lists.alarms(connection, scope, wanted, before=before, limit=query.limit)
        alarms = [_known(connection, alarm_id) for alarm_id in found.ids]
        following = None if found.following is None else parts.cursors.of(LISTING, (found.following,))
        return AlarmPage(items=[alarm_item(connection, alarm) for alarm in alarms], next=following)

    page = await parts.read(look)
    await seen(parts, caller, (item.home for item in page.items), "api alarms list")
    return page


@router.get("/{alarm_id}", summary="One alarm, with what led to it", responses=problems(404))
async def get_alarm(parts: Here, caller: Reading, alarm_id: AlarmId) -> AlarmDetail:
    """One alarm with its events, and with the notices and deliveries that your organisation was told."""

    def look(connection: SqliteConnection) -> AlarmDetail:
        scope = caller.scope(parts.clock.now())
        alarm = _in_scope(connection, caller, alarm_id, now=parts.clock.now())
        whose = None if scope.is_whole else caller.organisation_id
        return alarm_detail(connection, alarm, organisation_id=whose)

    found = await parts.read(look)
    await seen(parts, caller, [found.home], f"api alarms {alarm_id}")
    return found


_ANSWERED: Final = problems(404, 409)


@router.post(
    "/{alarm_id}/acknowledge",
    summary="Say that somebody is coming",
    response_model=AlarmItem,
    responses=_ANSWERED,
)
async def acknowledge_alarm(
    parts: Here, caller: Answering, once: OnceHere, alarm_id: AlarmId, answer: Answer
) -> Response:
    """Everybody who was told hears who is going, and the home that somebody comes.

    Whoever is second is told who was first, and when (`already_acknowledged`).
    """
    return await _answer(parts, caller, once, answering.acknowledge, alarm_id, answer)


@router.post(
    "/{alarm_id}/close",
    summary="End an alarm that was acknowledged",
    response_model=AlarmItem,
    responses=_ANSWERED,
)
async def close_alarm(
    parts: Here, caller: Answering, once: OnceHere, alarm_id: AlarmId, answer: Answer
) -> Response:
    """The case is over; a new event of the same position and kind opens another."""
    return await _answer(parts, caller, once, answering.close, alarm_id, answer)


@router.post(
    "/{alarm_id}/comment",
    summary="Tell everyone who knows of it more",
    response_model=AlarmItem,
    responses=_ANSWERED,
)
async def comment_on_alarm(
    parts: Here, caller: Answering, once: OnceHere, alarm_id: AlarmId, answer: Comment
) -> Response:
    """Told as `updated` to everybody who was told of the alarm and may still know of it."""
    return await _answer(parts, caller, once, answering.comment, alarm_id, answer)


_UseCase = Callable[..., Alarm]


async def _answer(
    parts: Parts, caller: Caller, once: Once, use_case: _UseCase, alarm_id: str, answer: Answer
) -> Response:
    if _is_person(caller) and answer.by:
        raise InvalidError("by", answer.by, expected="nothing: your account says who you are")
    person = caller.who.name if _is_person(caller) else answer.by

    def work(connection: Connection) -> AlarmItem:
        now = parts.clock.now()
        alarm = _in_scope(connection, caller, alarm_id, now=now)
        actor = _actor(connection, caller, alarm, person, now=now)
        try:
            alarm = use_case(connection, alarm_id, actor=actor, note=answer.note, now=now)
        except NotGrantedError:
            raise NotHereError("alarm", alarm_id) from None
        _note(connection, caller, alarm, f"{use_case.__name__} as {actor.full_name}", now=now)
        return alarm_item(connection, alarm)

    def may_hear(connection: Connection) -> None:
        _in_scope(connection, caller, alarm_id, now=parts.clock.now())

    return await parts.desk.carry_out_once(once, work, status=HTTPStatus.OK, may_hear=may_hear)


def _actor(
    connection: Connection, caller: Caller, alarm: Alarm, person: str, *, now: datetime
) -> answering.Actor:
    """For whom it is done.

    Who sees the whole city and was not told of it acts as the operator of the hub. All others are kept told
    from now on, also of what was still on its way to them.
    """
    organisation = registry.organisation(connection, caller.organisation_id)
    knows = answering.may_know(connection, alarm, organisation_id=caller.organisation_id, now=now)
    if not knows and caller.scope(now).is_whole:
        return answering.Actor(organisation=None, person=person)
    deliveries.keep_told(connection, alarm.id, caller.organisation_id, step=alarm.step)
    return answering.Actor(organisation=organisation, person=person)


def _in_scope(connection: Connection, caller: Caller, alarm_id: str, *, now: datetime) -> Alarm:
    if not alarm_lists.is_in_scope(connection, caller.scope(now), alarm_id):
        raise NotHereError("alarm", alarm_id)
    return _known(connection, alarm_id)


def _known(connection: Connection, alarm_id: str) -> Alarm:
    alarm = rows.get(connection, alarm_id)
    assert alarm is not None  # noqa: S101 - found in the same state of the store
    return alarm


def _is_person(caller: Caller) -> bool:
    return caller.actor.startswith(PERSONS)


def _note(connection: Connection, caller: Caller, alarm: Alarm, details: str, *, now: datetime) -> None:
    """The use case logs for whom it was done; who asked must stand there too."""
    entry = audit.Entry(
        actor=caller.actor,
        action="acted",
        organisation_id=caller.organisation_id,
        home_id=alarm.home_id,
        subject=alarm.id,
        details=details,
    )
    audit.note(connection, entry, at=now)
