"""One resolved record: what was measured, when, in which unit."""

from typing import NamedTuple


class Measured(NamedTuple):
    """A SenML record with all that its pack says of it (RFC 8428 section 4.6)."""

    name: str
    """Base name and name, in the characters of RFC 8428 section 4.5.1."""
    unit: str
    """As it was sent, a secondary unit too; "" when none was."""
    at_us: int
    """Microseconds since 1970, UTC, from 1978 (the first time that SenML can name) to 2199."""
    value: float | None
    """A finite number; true is 1 and false is 0. None when the record holds no number: see ``note``."""
    update_seconds: float | None = None
    """The longest time until the next value of this name; silence after that is a fault."""
    note: str = ""
    """What the record holds instead of a number: "text", "data" or "only a sum"."""
