"""What somebody has shown to be known by, and who they are by that at a moment.

token, session, JWT of a client, certificate  ──shown──>  actor now  ──the same at each part?──> goes on
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services import tokens
from services.domain.actors import Actor
from services.identity import clients, sessions
from services.store.connection import Connection


class Means(StrEnum):
    """By what somebody is known."""

    TOKEN = "token"  # noqa: S105 - the name of a means
    SESSION = "session"
    CLIENT = "client"
    """A JWT of the city's identity provider."""
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What was shown and believed, without the secret itself."""

    means: Means
    id: str
    """Of the token or session; the client's id; the organisation of a certificate."""
    serial: str = ""
    """Of a certificate, hexadecimal."""
    ends_at: datetime | None = None
    """When a JWT ends; None: the store says."""

    @property
    def is_sent_unasked(self) -> bool:
        """Whether a browser shows it by itself, also for a page of somebody else."""
        return self.means in {Means.SESSION, Means.CERTIFICATE}


def actor_of(connection: Connection, shown: Shown, *, at: datetime) -> Actor | None:
    """Who acts, if what was shown holds at a moment."""
    if shown.ends_at is not None and at >= shown.ends_at:
        return None
    match shown.means:
        case Means.TOKEN:
            return tokens.actor_of(connection, shown.id, at=at)
        case Means.SESSION:
            return sessions.actor_of(connection, shown.id, at=at)
        case Means.CLIENT:
            return clients.actor_of(connection, shown.id)
        case Means.CERTIFICATE:
            return clients.actor_with_certificate(connection, shown.id, shown.serial, at=at)


def still_stands(connection: Connection, shown: Shown, who: Actor, *, at: datetime) -> bool:
    """Whether somebody who was let in is yet who they were, with the rights that they had."""
    return actor_of(connection, shown, at=at) == who
