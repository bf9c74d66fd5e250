"""How long somebody must wait who has signed in in vain: longer each time, kept in the database.

    this name from this network    after  3 in a row  1 s, 2 s, 4 s, … at most 15 min
    this network, any name         after 20           …                at most 15 min
    this name, from anywhere       after 10           …                at most 60 s; not from where its owner
                                                                       has signed in during the last 30 days

The last rule cannot keep an operator on duty out: who guesses at a name from elsewhere does not delay its
owner at the usual place, and never ends a session that is open. A try is counted before it is checked, so
that a hundred at once are a hundred. Names and addresses are kept as digests only: people type passwords
into the field for the name.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from services.domain.errors import RefusedError
from services.store import sign_in_tries as rows
from services.store.connection import Connection

QUIET: Final = timedelta(days=1)
"""After this long without a try nothing is held against anybody."""
KNOWN_FOR: Final = timedelta(days=30)
LOGGED: Final = 30
LOGGED_WITHIN: Final = timedelta(minutes=1)
_FORGOTTEN_AT_ONCE: Final = 50
_MOST_DOUBLINGS: Final = 20
_LONGEST_NAME: Final = 200


class TooManyTriesError(RefusedError):
    """Somebody must wait, whatever they show."""

    code = "too_many_tries"

    def __init__(self, wait: timedelta) -> None:
        self.wait = wait
        super().__init__(f"There were too many tries; wait {wait.total_seconds():.0f} s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How a wait grows."""

    free: int
    longest: timedelta

    def wait_after(self, failures: int) -> timedelta:
        """How long to wait after so many failures in a row."""
        beyond = failures - self.free
        if beyond < 0:
            return timedelta(0)
        return min(self.longest, timedelta(seconds=2 ** min(beyond, _MOST_DOUBLINGS)))


OF_PAIR: Final = Patience(free=3, longest=timedelta(minutes=15))
OF_NETWORK: Final = Patience(free=20, longest=timedelta(minutes=15))
OF_NAME: Final = Patience(free=10, longest=timedelta(minutes=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One try to sign in: as whom, and from where."""

    login: str
    address: str
    """As the connection, or a trusted proxy, says."""

    @property
    def pair(self) -> bytes:
        """This name from this network."""
        return _digest("pair", self.login, _network(self.address))

    @property
    def network(self) -> bytes:
        """This network, any name."""
        return _digest("network", _network(self.address))

    @property
    def name(self) -> bytes:
        """This name, from anywhere."""
        return _digest("name", self.login)

    @property
    def usual(self) -> bytes:
        """That this name has signed in from this network."""
        return _digest("usual", self.login, _network(self.address))


def count(connection: Connection, tried: Try, *, now: datetime) -> None:
    """Count a try, before anything is checked.

    Raises:
        TooManyTriesError: It comes too soon; it is not counted.
    """
    rows.forget_before(connection, now - KNOWN_FOR, limit=_FORGOTTEN_AT_ONCE)
    held = list(_held_against(connection, tried, now=now))
    wait = max(at + patience.wait_after(failures) - now for _, patience, failures, at in held)
    if wait > timedelta(0):
        raise TooManyTriesError(wait)
    for digest, _, failures, _ in held:
        rows.put(connection, digest, failures=failures + 1, at=now)


def succeeded(connection: Connection, tried: Try, *, now: datetime) -> None:
    """Take back what ``count`` counted; what others have tried in vain stays counted."""
    rows.forget(connection, tried.pair)
    for digest in (tried.network, tried.name):
        known = rows.tries(connection, digest)
        if known is not None:
            rows.put(connection, digest, failures=max(0, known[0] - 1), at=known[1])
    rows.put(connection, tried.usual, failures=0, at=now)


def is_refusal_to_log(connection: Connection, *, now: datetime) -> bool:
    """Whether a refusal goes into the log: some a minute, so that nobody fills it from outside."""
    digest = _digest("logged")
    logged, since = rows.tries(connection, digest) or (0, now)
    if now - since >= LOGGED_WITHIN:
        logged, since = 0, now
    rows.put(connection, digest, failures=logged + 1, at=since)
    return logged < LOGGED


def _held_against(
    connection: Connection, tried: Try, *, now: datetime
) -> Iterable[tuple[bytes, Patience, int, datetime]]:
    rules = [(tried.pair, OF_PAIR), (tried.network, OF_NETWORK)]
    usual = rows.tries(connection, tried.usual)
    if usual is None or now - usual[1] > KNOWN_FOR:
        rules.append((tried.name, OF_NAME))
    for digest, patience in rules:
        known = rows.tries(connection, digest)
        failures, at = known if known is not None and now - known[1] <= QUIET else (0, now)
        yield digest, patience, failures, at


def _network(address: str) -> str:
    """An IPv4 address, or the 64 bits that one IPv6 customer has at least."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or ip_network((found, 64), strict=False))
    return str(found)


def _digest(*parts: str) -> bytes:
    text = "\0".join(part[:_LONGEST_NAME] for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
