"""What may be sent, and nothing else: a member that nobody knows is refused, not passed over.

A body is a model of its own, never the answer's: what a caller may set is listed, so that nobody sets what is
ours (ids, states, who did it) by naming it.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from devices.codecs.rfc3339 import parse_time
from services.registry import TEXT_MAX

ID_PATTERN: Final = r"^[a-z0-9][a-z0-9-]{0,62}$"
MADE_ID_PATTERN: Final = r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$"


class StrictBody(BaseModel):
    """Members of which every one is known and of its type: ``"1"`` is no number, ``1`` no text."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _moment(value: Any) -> datetime:
    if not isinstance(value, str):
        raise ValueError("a time is a text, as 2026-11-24T08:15:00Z")  # noqa: TRY004 - pydantic hears no TypeError
    moment = parse_time(value)
    if moment is None:
        raise ValueError("expected RFC 3339 with its offset, as 2026-11-24T08:15:00Z, not after 2199")
    return moment


Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_moment, json_schema_input_type=AwareDatetime),
    Field(description="RFC 3339, with its offset.", examples=["2026-12-01T00:00:00Z"]),
]
Words = Annotated[str, StringConstraints(min_length=1, max_length=TEXT_MAX)]
ChosenId = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
"""An id that people choose."""
MadeId = Annotated[str, StringConstraints(pattern=MADE_ID_PATTERN)]
"""An id that we have made (UUIDv7)."""

E = TypeVar("E", bound=StrEnum)
Choice = Annotated[E, Field(strict=False)]
"""One of the values of an enumeration."""
