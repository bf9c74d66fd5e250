"""Calls an address outside as long as alarms are taken and carried: there, silence means that we need help.

    all is well ──GET, every minute──> 2xx         something is not ──> no call, and a log line that says why

The address is the operator's own choice, so it may lie in the city's networks. It is a secret: who knows it
can call in our place, so it is in no log line and no fault.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Final, Protocol

import aiohttp
import structlog
from pydantic import SecretStr

from services.domain.clock import Clock
from services.store import status
from services.store.writer import Writer

ANSWER_WITHIN: Final = timedelta(seconds=10)
NOT_REACHED: Final = "deadman_not_reached"
SUBJECT: Final = "deadman"

_log = structlog.get_logger(__name__)


class CallFailedError(Exception):
    """Nobody outside knows that we live."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"The dead-man call failed: {reason}")


class Call(Protocol):
    """How we let ourselves be heard."""

    async def __call__(self) -> None:
        """Call once.

        Raises:
            CallFailedError: It was not taken.
        """


@dataclass(slots=True, kw_only=True)
class Deadman:
    """The calls to one address."""

    call: Call
    every: timedelta
    not_ready_because: Callable[[], Sequence[str]]
    """Why no call may leave now; asked in a thread."""
    writer: Writer
    clock: Clock
    _is_failing: bool | None = field(default=None, init=False)
    """None: nobody has tried yet."""
    _held_back: Sequence[str] = field(default=(), init=False)

    async def run(self) -> None:
        """Call again and again, until cancelled."""
        while True:
            await self.turn()
            await asyncio.sleep(self.every.total_seconds())

    async def turn(self) -> None:
        """Call once, if all is well."""
        reasons = await asyncio.to_thread(self.not_ready_because)
        if reasons:
            if not self._held_back:
                _log.error("deadman_call_held_back", reasons=list(reasons))
            self._held_back = reasons
            return
        self._held_back = ()
        try:
            await self.call()
        except CallFailedError as error:
            await self._failed(error.reason)
        else:
            await self._answered()

    async def _failed(self, reason: str) -> None:
        if not self._is_failing:
            _log.error("deadman_call_failed", reason=reason)
            message = (
                f"The dead-man address outside cannot be reached: {reason}; see [deadman] in the settings"
            )
            now = self.clock.now()
            await self.writer.write(
                lambda connection: status.open_fault(connection, NOT_REACHED, SUBJECT, message, at=now)
            )
        self._is_failing = True

    async def _answered(self) -> None:
        if self._is_failing is not False:  # also what an earlier run left open
            if self._is_failing:
                _log.info("deadman_call_answered")
            end = partial(status.end_fault, code=NOT_REACHED, subject=SUBJECT, at=self.clock.now())
            await self.writer.write(end)
        self._is_failing = False


class HttpCall:
    """A GET that follows no redirect and reads no answer."""

    def __init__(self, url: SecretStr) -> None:
        self._url = url

    async def __call__(self) -> None:
        """Call once; see ``Call``."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN.total_seconds())
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
                session.get(self._url.get_secret_value(), allow_redirects=False) as answer,
            ):
                code = answer.status
        except TimeoutError:
            raise CallFailedError("no answer in time") from None
        except aiohttp.ClientError as error:  # its text holds the address
            raise CallFailedError(type(error).__name__) from None
        if not HTTPStatus.OK <= code < HTTPStatus.MULTIPLE_CHOICES:
            raise CallFailedError(f"answered {code}")
