"""The broker's side of a session, as a fake: envelopes in, and what was acknowledged and published out."""

from dataclasses import dataclass
from datetime import timedelta

from broker.session import Envelope, Session


def envelope(topic: str, payload: bytes = b"", *, is_retained: bool = False, packet_id: int = 1) -> Envelope:
    """A message as the broker hands it over."""
    return Envelope(topic=topic, payload=payload, is_retained=is_retained, packet_id=packet_id, connection=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One message that was handed to the broker."""

    topic: str
    payload: bytes
    qos: int
    expiry: timedelta | None


class RecordingSession(Session):
    """A session without a connection: it keeps what it was told to send, in order."""

    def __init__(self) -> None:
        self.is_up = True
        self.sent: list[Envelope | Published] = []
        """Acknowledged envelopes and published messages, in the order in which they left."""

    @property
    def is_connected(self) -> bool:
        return self.is_up

    @property
    def acknowledged(self) -> list[Envelope]:
        return [item for item in self.sent if isinstance(item, Envelope)]

    @property
    def published(self) -> list[Published]:
        return [item for item in self.sent if isinstance(item, Published)]

    def acknowledge(self, envelope: Envelope) -> None:
        self.sent.append(envelope)

    def publish(self, topic: str, payload: bytes, *, qos: int, expiry: timedelta | None = None) -> int | None:
        if not self.is_up:
            return None
        self.sent.append(Published(topic=topic, payload=payload, qos=qos, expiry=expiry))
        return len(self.sent)
