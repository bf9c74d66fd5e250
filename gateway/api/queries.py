"""What can be asked, and nothing else: a parameter that nobody knows is refused, not passed over.

A filter with a slip of the pen that is silently ignored would show more than was asked for.
"""

import difflib
from typing import Annotated, Any, Final, Self

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from gateway.api.cursors import LONGEST
from gateway.api.problems import ApiRefusedError
from services.readings.formats import Format

PAGE: Final = 100
LONGEST_PAGE: Final = 200
MOST_POINTS: Final = 10_000
LARGEST_SERIES: Final = 2**32 - 1

Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Moment = Annotated[str, StringConstraints(min_length=1, max_length=40)]


class RepeatedParameterError(ApiRefusedError):
    """One parameter is there twice: which of them counts would be a guess."""

    code = "invalid"
    mend = "name each parameter once"

    def __init__(self, names: list[str]) -> None:
        self.names = names
        super().__init__(f"Named more than once: {', '.join(names)}")


class StrictQuery(BaseModel):
    """Parameters of which every one is known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _only_known(cls, given: Any) -> Any:
        known = [field.alias or name for name, field in cls.model_fields.items()]
        unknown = sorted(given.keys() - set(known)) if isinstance(given, dict) else []
        if unknown:
            raise ValueError("; ".join(_unknown(name, known) for name in unknown))
        return given


class PageQuery(StrictQuery):
    """Which page of a list."""

    cursor: Annotated[str, StringConstraints(max_length=LONGEST)] | None = Field(
        default=None, description="`next` of an answer before, to go on behind it."
    )
    limit: int = Field(default=PAGE, ge=1, le=LONGEST_PAGE, description="At most so many.")


class SeriesQuery(PageQuery):
    """Which series."""

    home: Text | None = Field(default=None, description="Only of this home.")
    position: Text | None = Field(default=None, description="Only at the position of this name; with `home`.")
    name: Text | None = Field(default=None, description="Only of this kind, as `humidity`.")

    @model_validator(mode="after")
    def _position_of_a_home(self) -> Self:
        if self.position is not None and self.home is None:
            raise ValueError("a position is one of a home: name that with `home`")
        return self


class LastQuery(SeriesQuery):
    """Which series of a home."""

    home: Text = Field(description="The home.")


class ReadingsQuery(StrictQuery):
    """Which part of a series, and how it is written."""

    series: int = Field(ge=1, le=LARGEST_SERIES, description="`id` of a series.")
    since: Moment = Field(
        default="24h",
        description="From when: RFC 3339, a date in Sweden, or how long ago as `30m`, `24h`, `7d`.",
    )
    until: Moment | None = Field(
        default=None, description="Up to when, not included, in the same forms; now when not given."
    )
    points: int | None = Field(
        default=None,
        ge=1,
        le=MOST_POINTS,
        description="In at most so many buckets of equal length with min, max, mean and last; "
        "every reading when not given.",
    )
    format: Format | None = Field(default=None, description="Goes before `Accept`; JSON when neither says.")


def each_once(request: Request) -> None:
    """Refuse a parameter that is there twice.

    Raises:
        RepeatedParameterError: Names them.
    """
    names = [name for name, _ in request.query_params.multi_items()]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise RepeatedParameterError(repeated)


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    right = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
    return f"there is no parameter {name[:80]!r}: {right}"
