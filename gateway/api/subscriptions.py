"""``/api/v1/subscriptions``: over which channels an organisation is told, kept by itself.

Secrets are answered once, when they are made. An organisation's people see its own; the city's see all.
"""

import asyncio
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, ClassVar, Final

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, Field, StringConstraints

from gateway.api.bodies import Choice, StrictBody
from gateway.api.callers import Caller, Needs
from gateway.api.once import OnceHere
from gateway.api.openapi import problems
from gateway.api.pages import PageOf, cut
from gateway.api.parts import Here, Parts
from gateway.api.problems import ApiRefusedError, NotHereError
from gateway.api.queries import PageQuery, Text, each_once
from services import audit, subscriptions
from services.domain.actors import Permission
from services.domain.errors import UnknownError
from services.domain.subscribing import LONGEST_AFTER, URL_MAX
from services.domain.subscriptions import (
    ChannelName,
    Payload,
    Ping,
    Signature,
    Subscription,
    SubscriptionState,
)
from services.store import subscriptions as rows
from services.store.connection import Connection
from services.subscriptions import Change, Issued, NewSubscription

LISTING: Final = "subscriptions"
PING_WITHIN: Final = timedelta(seconds=15)
LOOK_EVERY: Final = timedelta(milliseconds=100)

router = APIRouter(prefix="/subscriptions", tags=["subscriptions"], dependencies=[Depends(each_once)])

Reading = Annotated[Caller, Depends(Needs(Permission.SUBSCRIPTIONS_READ))]
Writing = Annotated[Caller, Depends(Needs(Permission.SUBSCRIPTIONS_WRITE))]
Which = Annotated[str, Path(max_length=64)]
Url = Annotated[str, StringConstraints(min_length=1, max_length=URL_MAX)]
After = Annotated[int, Field(ge=0, le=LONGEST_AFTER // timedelta(seconds=1))]


class NobodyTriesError(ApiRefusedError):
    """A trial was asked for, and nobody makes it."""

    code = "nobody_pings"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    mend = "ask again; if it stays so, the city's operator must look at the outward process"

    def __init__(self) -> None:
        super().__init__(f"Nobody has made the trial within {PING_WITHIN.total_seconds():.0f} s")


class TrialUnderWayError(ApiRefusedError):
    """Somebody waits for this trial already; each who waits costs all others time."""

    code = "trial_under_way"
    status = HTTPStatus.TOO_MANY_REQUESTS
    headers: ClassVar = {"Retry-After": "5"}
    mend = "wait for its outcome, or ask again in some seconds"

    def __init__(self) -> None:
        super().__init__("This webhook is being tried at this moment")


class SubscriptionQuery(PageQuery):
    """Which subscriptions."""

    organisation: Text | None = Field(default=None, description="Only of this one; your own is meant else.")


class NewBody(StrictBody):
    """A channel to open."""

    channel: Choice[ChannelName]
    organisation: Annotated[str, StringConstraints(max_length=63)] = Field(
        default="", description="Your own when empty."
    )
    url: Url | None = Field(default=None, description="Of a webhook: `https://…`.")
    payload: Choice[Payload] = Field(default=Payload.FULL, description="How much a webhook carries.")
    signature: Choice[Signature] = Field(default=Signature.HMAC, description="How a webhook is signed.")
    after_seconds: After = Field(
        default=0, description="More than 0: a second channel, used when no other is confirmed by then."
    )


class ChangeBody(StrictBody):
    """What is to be different; what is not named stays."""

    url: Url | None = Field(default=None, description="Another address: it is a trial again.")
    payload: Choice[Payload] | None = None
    after_seconds: After | None = None


class SubscriptionItem(BaseModel):
    """One channel of one organisation."""

    id: str
    organisation: str
    channel: ChannelName
    state: SubscriptionState = Field(
        description="`trial`: only pings; the first that is answered makes it `live`."
    )
    after_seconds: int
    created_at: datetime
    url: str | None
    payload: Payload | None
    signature: Signature | None
    old_secret_until: datetime | None = Field(description="Until then the secret before signs too.")
    failing_since: datetime | None
    problem: str = Field(description="Why the last attempt failed.")


class IssuedSubscription(SubscriptionItem):
    """A subscription, with what its receiver checks signatures with."""

    key: str | None = Field(
        description="Shown this once. `whsec_…`: the shared secret; `whpk_…`: the public key; null: "
        "nothing is signed."
    )


class PingItem(BaseModel):
    """How a trial went."""

    id: str
    subscription: str
    ok: bool
    problem: str = Field(description="Why it failed; empty when it did not.")
    asked_at: datetime
    answered_at: datetime


class SubscriptionPage(PageOf[SubscriptionItem]):
    """Subscriptions by organisation and channel."""


@router.get("", summary="Over which channels you are told")
async def list_subscriptions(
    parts: Here, caller: Reading, query: Annotated[SubscriptionQuery, Query()]
) -> SubscriptionPage:
    """Subscriptions, and how their last attempts went."""
    whose = query.organisation or (None if caller.who.governs else caller.organisation_id)
    if whose is not None and not (caller.who.governs or whose == caller.organisation_id):
        return SubscriptionPage(items=[], next=None)
    after = parts.cursors.after(LISTING, query.cursor, ("", ""))

    def look(connection: Connection) -> list[Subscription]:
        return rows.subscriptions(
            connection, organisation_id=whose, after=(after[0], after[1]), limit=query.limit + 1
        )

    found, is_more = cut(await parts.read(look), query.limit)
    await _looked(parts, caller, "api subscriptions list")
    following = parts.cursors.of(LISTING, (found[-1].organisation_id, found[-1].channel)) if is_more else None
    return SubscriptionPage(items=[_item(one) for one in found], next=following)


@router.get("/{subscription_id}", summary="One channel", responses=problems(404))
async def get_subscription(parts: Here, caller: Reading, subscription_id: Which) -> SubscriptionItem:
    """One channel of your organisation, and how its last attempts went."""
    found = await parts.read(lambda connection: _own(connection, caller, subscription_id))
    await _looked(parts, caller, f"api subscriptions {subscription_id}")
    return _item(found)


@router.post(
    "",
    summary="Open a channel",
    status_code=HTTPStatus.CREATED,
    response_model=IssuedSubscription,
    responses=problems(404, 409),
)
async def add_subscription(parts: Here, caller: Writing, once: OnceHere, body: NewBody) -> Response:
    """Open a channel. A webhook is a trial until it has answered a ping.

    Its key is shown now and never again.
    """
    new = NewSubscription(
        organisation_id=body.organisation or caller.organisation_id,
        channel=body.channel,
        url=body.url,
        payload=body.payload,
        signature=body.signature,
        after=timedelta(seconds=body.after_seconds),
    )

    def work(connection: Connection) -> IssuedSubscription:
        now = parts.clock.now()
        return _issued(subscriptions.add(connection, new, sealer=parts.sealer, actor=caller.who, now=now))

    return await parts.desk.carry_out_once(once, work)


@router.patch("/{subscription_id}", summary="Change a channel", responses=problems(404, 409))
async def change_subscription(
    parts: Here, caller: Writing, subscription_id: Which, body: ChangeBody
) -> SubscriptionItem:
    """With another address a webhook is a trial again."""
    after = None if body.after_seconds is None else timedelta(seconds=body.after_seconds)
    wanted = Change(after=after, url=body.url, payload=body.payload)
    return await parts.desk.carry_out(
        lambda connection: _changed(connection, parts, caller, subscription_id, wanted)
    )


@router.post(
    "/{subscription_id}/pause",
    summary="Send nothing for a while",
    response_model=SubscriptionItem,
    responses=problems(404, 409),
)
async def pause_subscription(
    parts: Here, caller: Writing, once: OnceHere, subscription_id: Which
) -> Response:
    """What is told meanwhile is not told over this channel later. The last channel that is open stays so."""
    wanted = Change(state=SubscriptionState.PAUSED)
    return await parts.desk.carry_out_once(
        once,
        lambda connection: _changed(connection, parts, caller, subscription_id, wanted),
        status=HTTPStatus.OK,
        may_hear=lambda connection: _own(connection, caller, subscription_id),
    )


@router.post(
    "/{subscription_id}/resume",
    summary="Send again",
    response_model=SubscriptionItem,
    responses=problems(404, 409),
)
async def resume_subscription(
    parts: Here, caller: Writing, once: OnceHere, subscription_id: Which
) -> Response:
    """Of a webhook that was tried before."""
    wanted = Change(state=SubscriptionState.LIVE)
    return await parts.desk.carry_out_once(
        once,
        lambda connection: _changed(connection, parts, caller, subscription_id, wanted),
        status=HTTPStatus.OK,
        may_hear=lambda connection: _own(connection, caller, subscription_id),
    )


@router.post(
    "/{subscription_id}/rotate",
    summary="Make a new secret",
    response_model=IssuedSubscription,
    responses=problems(404, 409),
)
async def rotate_secret(parts: Here, caller: Writing, once: OnceHere, subscription_id: Which) -> Response:
    """The old one signs too for a day. The new key is shown now and never again."""

    def work(connection: Connection) -> IssuedSubscription:
        _own(connection, caller, subscription_id)
        now = parts.clock.now()
        return _issued(
            subscriptions.rotate_secret(
                connection, subscription_id, sealer=parts.sealer, actor=caller.who, now=now
            )
        )

    return await parts.desk.carry_out_once(
        once,
        work,
        status=HTTPStatus.OK,
        may_hear=lambda connection: _own(connection, caller, subscription_id),
    )


@router.post("/{subscription_id}/ping", summary="Try a webhook", responses=problems(404, 409))
async def ping_subscription(parts: Here, caller: Writing, subscription_id: Which) -> PingItem:
    """Waits up to 15 s for the outcome; the first good one makes the subscription live."""

    def ask(connection: Connection) -> Ping:
        _own(connection, caller, subscription_id)
        now = parts.clock.now()
        ping = subscriptions.request_ping(connection, subscription_id, actor=caller.who, now=now)
        if timedelta(0) < now - ping.asked_at < PING_WITHIN:
            raise TrialUnderWayError
        return ping

    asked = await parts.desk.carry_out(ask)
    for _ in range(PING_WITHIN // LOOK_EVERY):
        found = await parts.read(lambda connection: rows.ping(connection, asked.id))
        if found is not None and found.answered_at is not None:
            return PingItem(
                id=found.id,
                subscription=found.subscription_id,
                ok=bool(found.is_ok),
                problem=found.problem,
                asked_at=found.asked_at,
                answered_at=found.answered_at,
            )
        await asyncio.sleep(LOOK_EVERY.total_seconds())
    raise NobodyTriesError


@router.delete("/{subscription_id}", summary="Close a channel", responses=problems(404, 409))
async def remove_subscription(parts: Here, caller: Writing, subscription_id: Which) -> SubscriptionItem:
    """What waits for it is not sent. The last channel that is open stays so."""

    def work(connection: Connection) -> SubscriptionItem:
        _own(connection, caller, subscription_id)
        now = parts.clock.now()
        return _item(subscriptions.remove(connection, subscription_id, actor=caller.who, now=now))

    return await parts.desk.carry_out(work)


def _own(connection: Connection, caller: Caller, subscription_id: str) -> Subscription:
    try:
        return subscriptions.get(connection, subscription_id, actor=caller.who)
    except UnknownError:
        raise NotHereError("subscription", subscription_id) from None


def _changed(
    connection: Connection, parts: Parts, caller: Caller, subscription_id: str, wanted: Change
) -> SubscriptionItem:
    _own(connection, caller, subscription_id)
    now = parts.clock.now()
    return _item(subscriptions.change(connection, subscription_id, wanted, actor=caller.who, now=now))


async def _looked(parts: Parts, caller: Caller, asked: str) -> None:
    entry = audit.Entry(
        actor=caller.actor, action="looked", organisation_id=caller.organisation_id, details=asked
    )
    await parts.ledger.looked([entry], at=parts.clock.now())


def _issued(issued: Issued) -> IssuedSubscription:
    return IssuedSubscription(**_item(issued.subscription).model_dump(), key=issued.key)


def _item(one: Subscription) -> SubscriptionItem:
    webhook = one.webhook
    return SubscriptionItem(
        id=one.id,
        organisation=one.organisation_id,
        channel=one.channel,
        state=one.state,
        after_seconds=int(one.after.total_seconds()),
        created_at=one.created_at,
        url=webhook.url if webhook else None,
        payload=webhook.payload if webhook else None,
        signature=webhook.signature if webhook else None,
        old_secret_until=webhook.secret.old_until if webhook else None,
        failing_since=one.failing_since,
        problem=one.problem,
    )
