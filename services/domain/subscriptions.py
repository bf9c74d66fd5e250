"""How an organisation wants to be told: one subscription for each channel that it listens to.

trial ──a ping is answered──> live <──> paused
  ^──────another address──────┘
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from services.domain.ids import OrganisationId

SubscriptionId = NewType("SubscriptionId", str)
PingId = NewType("PingId", str)


class ChannelName(StrEnum):
    """A way to tell receivers."""

    MQTT = "mqtt"
    """``care/{organisation}/event``."""
    STREAM = "stream"
    """Server-Sent Events: whoever has been told something can read it there, again too."""
    WEBHOOK = "webhook"
    """POSTed to an address of the receiver's."""


class SubscriptionState(StrEnum):
    """Whether anything is sent."""

    TRIAL = "trial"
    """Only a ping, when it is asked for."""
    LIVE = "live"
    PAUSED = "paused"


class Payload(StrEnum):
    """How much a webhook carries."""

    FULL = "full"
    """The event as on every other channel."""
    THIN = "thin"
    """Which event and alarm; what it is about is fetched with a token."""


class Signature(StrEnum):
    """How a webhook is signed (Standard Webhooks)."""

    HMAC = "hmac"
    """``v1``: HMAC-SHA256 with a shared secret."""
    ED25519 = "ed25519"
    """``v1a``: the receiver keeps a public key only."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SigningSecret:
    """What webhooks are signed with, sealed."""

    sealed: bytes
    old_sealed: bytes | None = None
    """The one before, which signs too until ``old_until``."""
    old_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where and how a webhook is sent."""

    url: str
    payload: Payload
    signature: Signature
    secret: SigningSecret


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One channel of one organisation."""

    id: SubscriptionId
    organisation_id: OrganisationId
    channel: ChannelName
    state: SubscriptionState
    after: timedelta
    """More than nothing: a second channel, used when no other has been confirmed after so long."""
    created_at: datetime
    webhook: Webhook | None = None
    failing_since: datetime | None = None
    """Since when no attempt has succeeded; None: the last one did, or there was none."""
    problem: str = ""
    """Why the last attempt failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """One trial of a subscription."""

    id: PingId
    subscription_id: SubscriptionId
    asked_at: datetime
    answered_at: datetime | None = None
    is_ok: bool | None = None
    """None: it is under way."""
    problem: str = ""
