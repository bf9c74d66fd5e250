"""In which format an answer is written: ``format``, else what ``Accept`` prefers (RFC 9110, 12.5.1)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from gateway.api.problems import ApiRefusedError
from services.readings.formats import Format

MEDIA_TYPES: Final[Mapping[Format, str]] = {
    Format.JSON: "application/json",
    Format.CSV: "text/csv",
    Format.PARQUET: "application/vnd.apache.parquet",
}
"""In our order: the first of those that are wanted equally is taken."""


class NotAcceptableError(ApiRefusedError):
    """Nothing that we write is what the caller can read."""

    code = "not_acceptable"
    status = HTTPStatus.NOT_ACCEPTABLE
    mend = f"accept one of {', '.join(MEDIA_TYPES.values())}, or say it with `format`"

    def __init__(self, accept: str) -> None:
        self.accept = accept
        super().__init__(f"Nothing here is {accept[:200]!r}")


def chosen_format(asked: Format | None, accept: str | None) -> Format:
    """The format to answer in.

    Args:
        asked: What the query says.
        accept: The header ``Accept``; None: there is none.

    Raises:
        NotAcceptableError: The header wants something else.
    """
    if asked is not None:
        return asked
    if accept is None or not accept.strip():
        return Format.JSON
    wanted = _wanted(accept)
    best = max(MEDIA_TYPES, key=lambda form: _quality(MEDIA_TYPES[form], wanted))
    if _quality(MEDIA_TYPES[best], wanted) <= 0:
        raise NotAcceptableError(accept)
    return best


def _wanted(accept: str) -> dict[str, float]:
    """How much each media range is wanted, from 0 to 1."""
    wanted = {}
    for part in accept.split(","):
        media_range, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((one.removeprefix("q=") for one in parameters if one.startswith("q=")), "1")
        wanted[media_range] = _number(quality)
    return wanted


def _quality(media_type: str, wanted: Mapping[str, float]) -> float:
    """How much a type is wanted; the range that names it most closely decides."""
    main = media_type.partition("/")[0]
    ranges = (media_type, f"{main}/*", "*/*")
    return next((wanted[one] for one in ranges if one in wanted), 0.0)


def _number(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0
