"""One member of a message at a time: what it may be, and a note on what it was instead.

    "priority": 12  ->  (None, "is not a whole number from 0 to 9")
    "room": "köket"  ->  ("köket", "")

A reader never raises: whoever calls decides whether a note stops the message or is kept beside it.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeAlias, TypeVar

from devices.codecs.rfc3339 import parse_time

T = TypeVar("T")

Read: TypeAlias = tuple[T, str]
"""The value as far as it could be read, and what was wrong with it ("" when nothing was)."""

Reader: TypeAlias = Callable[[Any], Read[T]]

PRIORITIES: Final = range(10)
VOICE_MAX_ADDRESSES: Final = 8
VOICE_MAX_LENGTH: Final = 256

_VOICE: Final = re.compile(rf"(?=.{{1,{VOICE_MAX_LENGTH}}}\Z)(?:sips?|tel):[!-~]+", re.IGNORECASE)
_SPACING: Final = re.compile("[\t\r\n\u2028\u2029]+")
_UNSHOWABLE: Final = re.compile(
    "[\0-\x1f\x7f-\x9f"  # controls
    "\u202a-\u202e\u2066-\u2069"  # show text in another order than it was written
    "\ud800-\udfff\ufffe\uffff]"  # cannot be written in UTF-8, or not in XML
)


def clean_text(text: str) -> str:
    """``text`` on one line, with what cannot be shown replaced."""
    return _UNSHOWABLE.sub("\N{REPLACEMENT CHARACTER}", _SPACING.sub(" ", text))


def text_up_to(max_length: int) -> Reader[str]:
    """A reader of text that cuts what is longer."""

    def read(value: Any) -> Read[str]:
        if not isinstance(value, str):
            return "", "is not text"
        text = clean_text(value)
        if len(text) <= max_length:
            return text, ""
        return text[:max_length], f"was cut from {len(text)} to {max_length} characters"

    return read


def time(value: Any) -> Read[datetime | None]:
    """A moment with an offset."""
    moment = parse_time(value) if isinstance(value, str) else None
    return moment, "" if moment else "is not an RFC 3339 time with an offset, like 2026-11-23T08:15:02.120Z"


def priority(value: Any) -> Read[int | None]:
    """0 (least) to 9."""
    if isinstance(value, int) and not isinstance(value, bool) and value in PRIORITIES:
        return value, ""
    return None, "is not a whole number from 0 to 9"


def test_mark(value: Any) -> Read[bool]:
    """Only a plain ``true`` makes an alarm a test: anything odd is a real alarm."""
    return (value, "") if isinstance(value, bool) else (False, "is neither true nor false; read as false")


def voice(value: Any) -> Read[tuple[str, ...]]:
    """Addresses to call; the good ones are kept beside the bad."""
    if not isinstance(value, list):
        return (), "is not an array"
    good = [item for item in value if isinstance(item, str) and _VOICE.fullmatch(item)]
    kept = tuple(good[:VOICE_MAX_ADDRESSES])
    if len(kept) == len(value):
        return kept, ""
    right = f"right are at most {VOICE_MAX_ADDRESSES} sip:, sips: or tel: addresses"
    return kept, f"{len(value) - len(kept)} of {len(value)} set aside; {right}"


def data(value: Any) -> Read[dict[str, Any]]:
    """Any object; what is in it is the maker's."""
    return (value, "") if isinstance(value, dict) else ({}, "is not an object")


def number_within(low: float, high: float) -> Reader[float | None]:
    """A reader of numbers from ``low`` to ``high``."""

    def read(value: Any) -> Read[float | None]:
        if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
            return float(value), ""
        return None, f"is not a number from {low:g} to {high:g}"

    return read


def boolean(value: Any) -> Read[bool | None]:
    """``true`` or ``false``."""
    return (value, "") if isinstance(value, bool) else (None, "is neither true nor false")


def one_of(*choices: str) -> Reader[str | None]:
    """A reader of one word out of a few."""

    def read(value: Any) -> Read[str | None]:
        return (value, "") if value in choices else (None, f"is not one of {', '.join(choices)}")

    return read
