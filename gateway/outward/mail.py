"""E-mail about the hub: written when there is something to tell, sent until it is taken or too old.

    every 5 s:  rows ──compose──> letters ──> table ──due──> Post ──sent, or later again──> table

A letter is in the database before it is sent and marked when it is: a restart in between sends it once more,
with the same Message-ID, and loses none. While the server is away one letter of a kind waits, no more.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Protocol
from zoneinfo import ZoneInfo

import structlog

from gateway.outward.smtp import LetterNotSentError
from gateway.setting_tables.mail import MailSettings
from gateway.times import ZONE
from services.domain.clock import Clock
from services.store import letters, status
from services.store.connection import Connection
from services.store.letters import CITY, Letter
from services.store.writer import Writer
from services.supervision.letters import Style, Written, digest, faults_letter

LOOK_EVERY: Final = timedelta(seconds=5)
WAITS: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 30))
"""Before attempts 2, 3 …; the last one repeats."""

GIVEN_UP_AFTER: Final = timedelta(days=3)
FORGOTTEN_AFTER: Final = timedelta(days=90)

NOT_SENT: Final = "mail_not_sent"

_log = structlog.get_logger(__name__)


class Post(Protocol):
    """How letters leave."""

    async def send(self, letter: Letter, to: Sequence[str]) -> int:
        """Hand a letter over; how many addresses were refused while others were taken.

        Raises:
            LetterNotSentError: Try again later.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """The letters of one hub."""

    settings: MailSettings
    city: str
    post: Post
    reader: Connection
    """For this alone: it is used in threads, one at a time."""
    writer: Writer
    clock: Clock

    async def run(self) -> None:
        """Write and send what is due, until cancelled."""
        while True:
            await self.turn()
            await asyncio.sleep(LOOK_EVERY.total_seconds())

    async def turn(self) -> None:
        """Once: write what there is to tell, then send what is due."""
        now = self.clock.now()
        contacts = await asyncio.to_thread(letters.contacts, self.reader)
        for written in await asyncio.to_thread(self._compose, sorted(contacts), now):
            await self.writer.write(written.add)
        for letter in await asyncio.to_thread(letters.due, self.reader, now):
            await self._send(letter, self._addresses(letter, contacts))

    def _compose(self, organisations: Sequence[str], now: datetime) -> list[Written]:
        chosen, style = self.settings, self._style()
        found = [
            faults_letter(self.reader, audience, style=style, every=chosen.faults_every, now=now)
            for audience in (CITY, *organisations)
        ]
        if chosen.digest:
            found.append(digest(self.reader, style=style, at=chosen.digest_at, now=now))
        return [written for written in found if written is not None]

    def _style(self) -> Style:
        return Style(city=self.city, language=self.settings.language, zone=ZoneInfo(ZONE))

    def _addresses(self, letter: Letter, contacts: Mapping[str, str]) -> Sequence[str]:
        if letter.audience == CITY:
            return self.settings.to
        return [contacts[letter.audience]] if letter.audience in contacts else []

    async def _send(self, letter: Letter, to: Sequence[str]) -> None:
        try:
            refused = await self.post.send(letter, to) if to else 0
        except LetterNotSentError as error:
            await self._later(letter, error.reason)
            return
        now = self.clock.now()
        await self.writer.write(partial(_sent, letter=letter, is_sent=bool(to), now=now))
        if to:
            _log.info("letter_sent", letter_id=letter.id, kind=letter.kind, refused=refused)

    async def _later(self, letter: Letter, reason: str) -> None:
        now = self.clock.now()
        if letter.attempts == 0:
            _log.warning("letter_not_sent", letter_id=letter.id, kind=letter.kind, reason=reason)
        await self.writer.write(partial(_not_sent, letter=letter, reason=reason, now=now))


def wait_after(attempts: int) -> timedelta:
    """How long a letter waits that was tried ``attempts`` times in vain."""
    return WAITS[min(max(attempts, 1), len(WAITS)) - 1]


def _sent(connection: Connection, *, letter: Letter, is_sent: bool, now: datetime) -> None:
    letters.end(connection, letter, is_sent=is_sent, now=now)
    letters.forget(connection, before=now - FORGOTTEN_AFTER)
    status.end_fault(connection, NOT_SENT, _subject(letter), at=now)


def _not_sent(connection: Connection, *, letter: Letter, reason: str, now: datetime) -> None:
    message = f"Letters cannot be sent: {reason}; see the settings in [mail]"
    status.open_fault(connection, NOT_SENT, _subject(letter), message, at=now)
    if now - letter.made_at > GIVEN_UP_AFTER:
        letters.end(connection, letter, is_sent=False, now=now)
    else:
        letters.postpone(connection, letter, until=now + wait_after(letter.attempts + 1))


def _subject(letter: Letter) -> str:
    return letter.audience or "city"
