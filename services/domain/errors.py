"""What can be refused, each with its facts and its sentence.

A refusal is an answer, not a fault: the one who asked can mend it. ``code`` is stable and part of
the public contract (MQTT replies, later problem+json).
"""

from datetime import datetime
from typing import ClassVar

from devices.codecs.rfc3339 import time_text


class RefusedError(Exception):
    """Something was asked that cannot be done; the text says why and what would be right."""

    code: ClassVar[str] = "refused"


class UnknownError(RefusedError):
    """There is no such thing."""

    code = "unknown"

    def __init__(self, what: str, id_: str, *, mend: str = "") -> None:
        self.what = what
        self.id = id_
        super().__init__(f"There is no {what} {id_[:80]!r}" + (f"; {mend}" if mend else ""))


class ExistsError(RefusedError):
    """It exists already, and differs from what was asked for."""

    code = "exists"

    def __init__(self, what: str, id_: str) -> None:
        self.what = what
        self.id = id_
        super().__init__(f"The {what} {id_!r} exists already; choose another id")


class InvalidError(RefusedError):
    """A value cannot be right."""

    code = "invalid"

    def __init__(self, what: str, value: object, *, expected: str) -> None:
        self.what = what
        self.value = value
        self.expected = expected
        super().__init__(f"Cannot use {str(value)[:80]!r} as {what}: expected {expected}")


class NotGrantedError(RefusedError):
    """No grant covers it. The same answer for what is foreign and for what does not exist."""

    code = "not_granted"

    def __init__(self, organisation_id: str, what: str) -> None:
        self.organisation_id = organisation_id
        super().__init__(
            f"Organisation {organisation_id!r} has no grant for this {what}, or it does not exist"
        )


class AlreadyAcknowledgedError(RefusedError):
    """Somebody else answered first."""

    code = "already_acknowledged"

    def __init__(self, alarm_id: str, *, by: str, organisation: str, at: datetime) -> None:
        self.alarm_id = alarm_id
        self.by = by
        self.organisation = organisation
        self.at = at
        super().__init__(f"Already acknowledged by {by} of {organisation} at {time_text(at)}")
