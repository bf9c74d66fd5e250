"""Subscriptions and their trials as rows."""

from datetime import datetime, timedelta
from typing import Final

from services.domain.ids import OrganisationId
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

_SUBSCRIPTION: Final = """
    SELECT id, organisation_id, channel, state, after_micros, created_at, url, payload, signature, secret,
           old_secret, old_secret_until, failing_since, problem
    FROM subscriptions"""

_PING: Final = "SELECT id, subscription_id, asked_at, answered_at, is_ok, problem FROM pings"


def put(connection: Connection, subscription: Subscription) -> None:
    """Insert a subscription, or write it anew."""
    webhook = subscription.webhook
    secret = webhook.secret if webhook else None
    connection.run(
        """INSERT INTO subscriptions (id, organisation_id, channel, state, after_micros, created_at, url,
               payload, signature, secret, old_secret, old_secret_until, failing_since, problem)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (id) DO UPDATE SET state = excluded.state, after_micros = excluded.after_micros,
               url = excluded.url, payload = excluded.payload, signature = excluded.signature,
               secret = excluded.secret, old_secret = excluded.old_secret,
               old_secret_until = excluded.old_secret_until, failing_since = excluded.failing_since,
               problem = excluded.problem""",
        subscription.id,
        subscription.organisation_id,
        subscription.channel,
        subscription.state,
        subscription.after // _MICROSECOND,
        to_micros(subscription.created_at),
        webhook.url if webhook else None,
        webhook.payload if webhook else None,
        webhook.signature if webhook else None,
        secret.sealed if secret else None,
        secret.old_sealed if secret else None,
        optional_micros(secret.old_until) if secret else None,
        optional_micros(subscription.failing_since),
        subscription.problem,
    )


def remove(connection: Connection, subscription_id: str) -> None:
    """Forget a subscription and its trials."""
    connection.run("DELETE FROM pings WHERE subscription_id = ?", subscription_id)
    connection.run("DELETE FROM subscriptions WHERE id = ?", subscription_id)


def drop_waiting(connection: Connection, organisation_id: str, channel: str, *, at: datetime) -> None:
    """End what waits for an organisation over a channel that it has given up."""
    connection.run(
        """UPDATE deliveries SET state = 'superseded', settled_at = ?, reason = 'the subscription was removed'
           WHERE organisation_id = ? AND channel = ? AND state IN ('pending', 'sent')""",
        to_micros(at),
        organisation_id,
        channel,
    )


def note_attempt(
    connection: Connection, subscription_id: str, *, failing_since: datetime | None, problem: str
) -> None:
    """Note how the last attempt went."""
    connection.run(
        "UPDATE subscriptions SET failing_since = ?, problem = ? WHERE id = ?",
        optional_micros(failing_since),
        problem,
        subscription_id,
    )


def get(connection: Connection, subscription_id: str) -> Subscription | None:
    """The subscription with this id."""
    row = connection.row(f"{_SUBSCRIPTION} WHERE id = ?", subscription_id)
    return _subscription(row) if row else None


def of(connection: Connection, organisation_id: str, channel: ChannelName) -> Subscription | None:
    """An organisation's subscription for a channel."""
    row = connection.row(
        f"{_SUBSCRIPTION} WHERE organisation_id = ? AND channel = ?", organisation_id, channel
    )
    return _subscription(row) if row else None


def subscriptions(
    connection: Connection,
    *,
    organisation_id: str | None = None,
    after: tuple[str, str] = ("", ""),
    limit: int,
) -> list[Subscription]:
    """Subscriptions by organisation and channel.

    Args:
        connection: The store.
        organisation_id: Only of this one.
        after: Organisation and channel of the last one that is known.
        limit: At most so many.
    """
    where, parameters = matching(organisation_id=organisation_id)
    joined = f"{where} AND" if where else "WHERE"
    rows = connection.rows(
        f"""{_SUBSCRIPTION} {joined} (organisation_id, channel) > (?, ?)
            ORDER BY organisation_id, channel LIMIT ?""",
        *parameters,
        *after,
        limit,
    )
    return [_subscription(row) for row in rows]


def live_channels(connection: Connection, organisation_id: str) -> list[tuple[str, timedelta]]:
    """Over which channels an organisation is told, and how long after the first: asked for every notice."""
    rows = connection.rows(
        "SELECT channel, after_micros FROM subscriptions WHERE organisation_id = ? AND state = 'live'",
        organisation_id,
    )
    return [(row[0], row[1] * _MICROSECOND) for row in rows]


def live(connection: Connection, channel: ChannelName) -> list[Subscription]:
    """Every subscription of a channel under which something is sent."""
    rows = connection.rows(f"{_SUBSCRIPTION} WHERE channel = ? AND state = 'live' ORDER BY id", channel)
    return [_subscription(row) for row in rows]


def add_ping(connection: Connection, ping: Ping) -> None:
    """Ask for a trial."""
    connection.run(
        "INSERT INTO pings (id, subscription_id, asked_at, problem) VALUES (?, ?, ?, '')",
        ping.id,
        ping.subscription_id,
        to_micros(ping.asked_at),
    )


def answer_ping(connection: Connection, ping_id: str, *, is_ok: bool, problem: str, at: datetime) -> None:
    """Note how a trial went."""
    connection.run(
        "UPDATE pings SET answered_at = ?, is_ok = ?, problem = ? WHERE id = ? AND answered_at IS NULL",
        to_micros(at),
        int(is_ok),
        problem,
        ping_id,
    )


def ping(connection: Connection, ping_id: str) -> Ping | None:
    """One trial."""
    row = connection.row(f"{_PING} WHERE id = ?", ping_id)
    return _ping(row) if row else None


def last_ping(connection: Connection, subscription_id: str) -> Ping | None:
    """The newest trial of a subscription."""
    row = connection.row(f"{_PING} WHERE subscription_id = ? ORDER BY id DESC LIMIT 1", subscription_id)
    return _ping(row) if row else None


def pings_to_send(connection: Connection, *, limit: int) -> list[Ping]:
    """Trials that nobody has made yet, the oldest first."""
    rows = connection.rows(f"{_PING} WHERE answered_at IS NULL ORDER BY id LIMIT ?", limit)
    return [_ping(row) for row in rows]


def _subscription(row: Row) -> Subscription:
    webhook = None
    if row[6] is not None:
        webhook = Webhook(
            url=row[6],
            payload=Payload(row[7]),
            signature=Signature(row[8]),
            secret=SigningSecret(sealed=row[9], old_sealed=row[10], old_until=optional_time(row[11])),
        )
    return Subscription(
        id=SubscriptionId(row[0]),
        organisation_id=OrganisationId(row[1]),
        channel=ChannelName(row[2]),
        state=SubscriptionState(row[3]),
        after=row[4] * _MICROSECOND,
        created_at=from_micros(row[5]),
        webhook=webhook,
        failing_since=optional_time(row[12]),
        problem=row[13],
    )


def _ping(row: Row) -> Ping:
    return Ping(
        id=PingId(row[0]),
        subscription_id=SubscriptionId(row[1]),
        asked_at=from_micros(row[2]),
        answered_at=optional_time(row[3]),
        is_ok=None if row[4] is None else bool(row[4]),
        problem=row[5],
    )
