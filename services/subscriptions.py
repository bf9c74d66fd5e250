"""How an organisation is told: subscriptions that it keeps itself, within its own rights.

    add ──> trial ──ping answered──> live <──pause, resume──> paused        another address: a trial again

What is told never depends on a subscription; it is the way only, and the last way that is open stays open.
"""

import base64
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services import audit
from services.domain.actors import Actor, Permission
from services.domain.errors import ExistsError, InvalidError, UnknownError
from services.domain.ids import OrganisationId, new_id
from services.domain.subscribing import (
    LastWayError,
    NoTrialError,
    NotTriedError,
    check_after,
    checked_url,
    one_of,
)
from services.domain.subscriptions import (
    ChannelName,
    Payload,
    Ping,
    PingId,
    Signature,
    SigningSecret,
    Subscription,
    SubscriptionId,
    SubscriptionState,
    Webhook,
)
from services.store import registry, status
from services.store import subscriptions as rows
from services.store.connection import Connection

HMAC_SECRET_BYTES: Final = 32
"""Standard Webhooks: 24 to 64."""

OLD_SECRET_FOR: Final = timedelta(hours=24)
"""How long both secrets sign after a rotation."""

FAILING: Final = "webhook_failing"
"""The fault of a webhook that does not take what it is sent; its subject is the subscription."""


class Sealer(Protocol):
    """Keeps secrets that must be read again."""

    def seal(self, text: bytes, *, about: str) -> bytes:
        """Encrypt; ``about`` must be the same when it is opened."""

    def unseal(self, sealed: bytes, *, about: str) -> bytes:
        """Decrypt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSubscription:
    """What an organisation asks for."""

    organisation_id: str
    channel: str
    after: timedelta = timedelta(0)
    url: str | None = None
    payload: str = Payload.FULL
    signature: str = Signature.HMAC


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to be different; None stays."""

    after: timedelta | None = None
    url: str | None = None
    payload: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Issued:
    """A subscription, and what its receiver checks signatures with: shown here and never again."""

    subscription: Subscription
    key: str | None
    """``whsec_…``: the shared secret; ``whpk_…``: the public key. None: it signs nothing."""


def add(
    connection: Connection, new: NewSubscription, *, sealer: Sealer, actor: Actor, now: datetime
) -> Issued:
    """Subscribe. A webhook begins as a trial; other channels are live at once.

    Raises:
        NotPermittedError: The actor may not.
        UnknownError: No such organisation, or not the actor's.
        InvalidError: The channel, the address or the delay cannot be right.
        ExistsError: The organisation has this channel already.
    """
    actor.demand(Permission.SUBSCRIPTIONS_WRITE)
    organisation_id = _own(connection, new.organisation_id, actor)
    channel = one_of("channel", new.channel, ChannelName)
    check_after(new.after)
    if rows.of(connection, organisation_id, channel) is not None:
        raise ExistsError("subscription", channel)
    id_ = SubscriptionId(new_id())
    webhook, key = _new_webhook(id_, new, sealer) if channel is ChannelName.WEBHOOK else (None, None)
    if webhook is None and new.url is not None:
        raise InvalidError("url", new.url, expected="none: only a webhook has one")
    subscription = Subscription(
        id=id_,
        organisation_id=organisation_id,
        channel=channel,
        state=SubscriptionState.LIVE if webhook is None else SubscriptionState.TRIAL,
        after=new.after,
        created_at=now,
        webhook=webhook,
    )
    rows.put(connection, subscription)
    _log(connection, "subscription_added", subscription, actor=actor, now=now)
    return Issued(subscription=subscription, key=key)


def listen(connection: Connection, organisation_id: OrganisationId, *, actor: Actor, now: datetime) -> None:
    """Whoever opens the live stream subscribes to it; once is enough."""
    known = rows.of(connection, organisation_id, ChannelName.STREAM)
    if known is not None and known.state is SubscriptionState.LIVE:
        return
    subscription = known or Subscription(
        id=SubscriptionId(new_id()),
        organisation_id=organisation_id,
        channel=ChannelName.STREAM,
        state=SubscriptionState.LIVE,
        after=timedelta(0),
        created_at=now,
    )
    subscription = replace(subscription, state=SubscriptionState.LIVE)
    rows.put(connection, subscription)
    _log(connection, "subscription_added", subscription, actor=actor, now=now)


def get(connection: Connection, subscription_id: str, *, actor: Actor) -> Subscription:
    """One's own subscription; who acts for the whole city sees all.

    Raises:
        UnknownError: There is none, or it is another organisation's.
    """
    found = rows.get(connection, subscription_id)
    if found is None or not (actor.governs or found.organisation_id == actor.organisation_id):
        raise UnknownError("subscription", subscription_id, mend="see `stadsnav subscription list`")
    return found


def change(
    connection: Connection, subscription_id: str, wanted: Change, *, actor: Actor, now: datetime
) -> Subscription:
    """Change a subscription; with another address it is a trial again.

    Raises:
        NotPermittedError: The actor may not.
        UnknownError: It is not there, or another organisation's.
        InvalidError: A value cannot be right.
        LastWayError: The organisation would not be told anything any more.
        NotTriedError: A webhook cannot go live yet.
    """
    actor.demand(Permission.SUBSCRIPTIONS_WRITE)
    known = get(connection, subscription_id, actor=actor)
    changed = known
    if wanted.after is not None:
        check_after(wanted.after)
        changed = replace(changed, after=wanted.after)
    if wanted.url is not None or wanted.payload is not None:
        changed = _with_webhook(changed, wanted)
    if wanted.state is not None:
        changed = _in_state(changed, wanted.state)
    if _tells_at_once(known) and not _tells_at_once(changed):
        _check_other_way(connection, known)
    if changed != known:
        rows.put(connection, changed)
        if known.failing_since is not None and changed.failing_since is None:
            status.end_fault(connection, FAILING, known.id, at=now)
        _log(connection, "subscription_changed", changed, actor=actor, now=now)
    return changed


def rotate_secret(
    connection: Connection, subscription_id: str, *, sealer: Sealer, actor: Actor, now: datetime
) -> Issued:
    """Make a new secret; the old one signs too for a day.

    Raises:
        NotPermittedError: The actor may not.
        UnknownError: It is not there, or another organisation's.
        NoTrialError: It is not a webhook.
    """
    actor.demand(Permission.SUBSCRIPTIONS_WRITE)
    known = get(connection, subscription_id, actor=actor)
    webhook = _webhook_of(known)
    sealed, key = _secret(known.id, webhook.signature, sealer)
    secret = SigningSecret(sealed=sealed, old_sealed=webhook.secret.sealed, old_until=now + OLD_SECRET_FOR)
    changed = replace(known, webhook=replace(webhook, secret=secret))
    rows.put(connection, changed)
    _log(connection, "subscription_secret_rotated", changed, actor=actor, now=now)
    return Issued(subscription=changed, key=key)


def remove(connection: Connection, subscription_id: str, *, actor: Actor, now: datetime) -> Subscription:
    """End a subscription; what waits for it is not sent.

    Raises:
        NotPermittedError: The actor may not.
        UnknownError: It is not there, or another organisation's.
        LastWayError: The organisation would not be told anything any more.
    """
    actor.demand(Permission.SUBSCRIPTIONS_WRITE)
    known = get(connection, subscription_id, actor=actor)
    if _tells_at_once(known):
        _check_other_way(connection, known)
    rows.remove(connection, known.id)
    rows.drop_waiting(connection, known.organisation_id, known.channel, at=now)
    status.end_fault(connection, FAILING, known.id, at=now)
    _log(connection, "subscription_removed", known, actor=actor, now=now)
    return known


def request_ping(connection: Connection, subscription_id: str, *, actor: Actor, now: datetime) -> Ping:
    """Ask for a trial. The process that may go outside makes it within a second or so.

    Raises:
        NotPermittedError: The actor may not.
        UnknownError: It is not there, or another organisation's.
        NoTrialError: It is not a webhook.
    """
    actor.demand(Permission.SUBSCRIPTIONS_WRITE)
    known = get(connection, subscription_id, actor=actor)
    _webhook_of(known)
    last = rows.last_ping(connection, known.id)
    if last is not None and last.answered_at is None:
        return last
    ping = Ping(id=PingId(new_id()), subscription_id=known.id, asked_at=now)
    rows.add_ping(connection, ping)
    _log(connection, "subscription_pinged", known, actor=actor, now=now)
    return ping


def ping_answered(connection: Connection, ping: Ping, *, problem: str, url: str, now: datetime) -> None:
    """Note how a trial of an address went; the first good one makes the subscription live.

    Args:
        connection: The store.
        ping: Which trial.
        problem: Why it failed; empty: the receiver has taken it.
        url: Where it was sent: a trial of an address that was changed meanwhile proves nothing.
        now: The time.
    """
    rows.answer_ping(connection, ping.id, is_ok=not problem, problem=problem, at=now)
    known = rows.get(connection, ping.subscription_id)
    is_proof = not problem and known is not None and known.webhook is not None and known.webhook.url == url
    if known is not None and is_proof and known.state is SubscriptionState.TRIAL:
        rows.put(connection, replace(known, state=SubscriptionState.LIVE, failing_since=None, problem=""))


def _own(connection: Connection, organisation_id: str, actor: Actor) -> OrganisationId:
    organisation = registry.organisation(connection, organisation_id)
    if organisation is None or not (actor.governs or organisation.id == actor.organisation_id):
        raise UnknownError("organisation", organisation_id, mend="see `stadsnav org list`")
    return organisation.id


def _new_webhook(id_: SubscriptionId, new: NewSubscription, sealer: Sealer) -> tuple[Webhook, str]:
    signature = one_of("signature", new.signature, Signature)
    sealed, key = _secret(id_, signature, sealer)
    webhook = Webhook(
        url=checked_url(new.url),
        payload=one_of("payload", new.payload, Payload),
        signature=signature,
        secret=SigningSecret(sealed=sealed),
    )
    return webhook, key


def _with_webhook(subscription: Subscription, wanted: Change) -> Subscription:
    webhook = _webhook_of(subscription)
    if wanted.payload is not None:
        webhook = replace(webhook, payload=one_of("payload", wanted.payload, Payload))
    if wanted.url is not None and wanted.url != webhook.url:
        webhook = replace(webhook, url=checked_url(wanted.url))
        return replace(
            subscription, webhook=webhook, state=SubscriptionState.TRIAL, failing_since=None, problem=""
        )
    return replace(subscription, webhook=webhook)


def _in_state(subscription: Subscription, text: str) -> Subscription:
    state = one_of("state", text, SubscriptionState)
    if state is subscription.state:
        return subscription
    if state is SubscriptionState.TRIAL:
        raise InvalidError("state", text, expected="live or paused")
    if subscription.state is SubscriptionState.TRIAL:
        raise NotTriedError
    return replace(subscription, state=state)


def _tells_at_once(subscription: Subscription) -> bool:
    return subscription.state is SubscriptionState.LIVE and not subscription.after


def _check_other_way(connection: Connection, leaving: Subscription) -> None:
    live = rows.live_channels(connection, leaving.organisation_id)
    if not any(not after and channel != leaving.channel for channel, after in live):
        raise LastWayError(leaving.channel)


def _webhook_of(subscription: Subscription) -> Webhook:
    if subscription.webhook is None:
        raise NoTrialError(subscription.channel)
    return subscription.webhook


def _secret(id_: SubscriptionId, signature: Signature, sealer: Sealer) -> tuple[bytes, str]:
    """A new secret, sealed, and what its receiver gets."""
    if signature is Signature.HMAC:
        raw = secrets.token_bytes(HMAC_SECRET_BYTES)
        key = "whsec_" + base64.b64encode(raw).decode()
    else:
        private = Ed25519PrivateKey.generate()
        raw = private.private_bytes_raw()
        key = "whpk_" + base64.b64encode(private.public_key().public_bytes_raw()).decode()
    return sealer.seal(raw, about=id_), key


def _log(
    connection: Connection, action: str, subscription: Subscription, *, actor: Actor, now: datetime
) -> None:
    entry = audit.Entry(
        actor=actor.id,
        action=action,
        organisation_id=subscription.organisation_id,
        subject=subscription.id,
        details=f"{subscription.channel} {subscription.state}",
    )
    audit.note(connection, entry, at=now)
