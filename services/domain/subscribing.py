"""What a subscription may be like, as far as that shows without a look anywhere; and why one is refused."""

from datetime import timedelta
from enum import StrEnum
from typing import Final, TypeVar
from urllib.parse import urlsplit

from services.domain.errors import InvalidError, RefusedError

LONGEST_AFTER: Final = timedelta(hours=1)
URL_MAX: Final = 500

Choice = TypeVar("Choice", bound=StrEnum)


class LastWayError(RefusedError):
    """The organisation would not be told anything any more."""

    code = "last_way"

    def __init__(self, channel: str) -> None:
        self.channel = channel
        super().__init__(
            f"{channel} is the last channel that tells this organisation at once; have another one live first"
        )


class NotTriedError(RefusedError):
    """A webhook goes live by a ping that was answered."""

    code = "not_tried"

    def __init__(self) -> None:
        super().__init__("This webhook has not answered a ping at its address yet; ask for one")


class NoTrialError(RefusedError):
    """Only webhooks can be pinged, and have secrets."""

    code = "not_a_webhook"

    def __init__(self, channel: str) -> None:
        super().__init__(f"A subscription over {channel} has no address and no secret")


class NobodyPingsError(RefusedError):
    """A trial was asked for, and nobody makes it."""

    code = "nobody_pings"

    def __init__(self) -> None:
        super().__init__("Nobody has made the trial yet: the outward process does not run; see `stadsnav up`")


def check_after(after: timedelta) -> None:
    """How long a second channel may wait.

    Raises:
        InvalidError: Not so long.
    """
    if not timedelta(0) <= after <= LONGEST_AFTER:
        raise InvalidError("after", after, expected=f"0 to {LONGEST_AFTER.total_seconds():.0f} seconds")


def checked_url(url: str | None) -> str:
    """An address as far as its form goes; where it leads is judged at each connection.

    Raises:
        InvalidError: It cannot be one.
    """
    expected = "https:// and a host name, without user, password and fragment"
    if not url or len(url) > URL_MAX or not _has_right_form(url):
        raise InvalidError("url", url, expected=expected)
    return url


def one_of(what: str, text: str, kinds: type[Choice]) -> Choice:
    """The member with this value.

    Raises:
        InvalidError: There is none.
    """
    if text not in set(kinds):
        raise InvalidError(what, text, expected="one of " + ", ".join(kinds))
    return kinds(text)


def _has_right_form(url: str) -> bool:
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return is_web and "@" not in parts.netloc and "#" not in url
