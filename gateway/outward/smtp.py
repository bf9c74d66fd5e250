"""Hands letters to a mail server (the port of ``gateway.outward.mail``).

    security = "starttls"   refused when the server cannot change to TLS: never in the clear by itself
    security = "tls"        from the first byte
    security = "none"       only where the settings allow it

What the server says is not passed on: it likes to repeat addresses.
"""

import asyncio
import ssl
from collections.abc import Sequence
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

import aiosmtplib

from gateway.setting_tables.mail import MailSettings, Security
from services.store.letters import Letter

WITHIN: Final = timedelta(seconds=60)
"""For all of the talk with the server."""


class LetterNotSentError(Exception):
    """The server did not take a letter; it is tried again."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"The letter was not sent: {reason}")


class SmtpPost:
    """One connection for each letter: they are few."""

    def __init__(self, settings: MailSettings, *, city: str) -> None:
        self._settings = settings
        self._city = city

    async def send(self, letter: Letter, to: Sequence[str]) -> int:
        """Hand a letter over; how many of the addresses were refused while others were taken.

        Raises:
            LetterNotSentError: Nobody got it, as far as we know.
        """
        try:
            async with asyncio.timeout(WITHIN.total_seconds()):
                return await self._talk(self._message(letter, to), to)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise LetterNotSentError(_reason(error)) from error

    async def _talk(self, message: EmailMessage, to: Sequence[str]) -> int:
        chosen = self._settings
        refused, _ = await aiosmtplib.send(
            message,
            sender=chosen.sender,
            recipients=list(to),
            hostname=chosen.server,
            port=chosen.port,
            username=chosen.username,
            password=chosen.password.get_secret_value() if chosen.password is not None else None,
            use_tls=chosen.security is Security.TLS,
            start_tls=chosen.security is Security.STARTTLS,
            tls_context=self._trust(),
            timeout=WITHIN.total_seconds(),
        )
        return len(refused)

    def _message(self, letter: Letter, to: Sequence[str]) -> EmailMessage:
        """The letter as it travels. The library refuses a line break in a header; there is none in ours."""
        message = EmailMessage(policy=SMTP)
        message["From"] = self._settings.sender
        message["To"] = ", ".join(to)
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(letter.made_at)
        message["Message-ID"] = f"<{letter.id}@{self._city}.stadsnav.invalid>"  # the same at each attempt
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday replies
        message.set_content(letter.body)
        return message

    def _trust(self) -> ssl.SSLContext | None:
        if self._settings.security is Security.NONE:
            return None
        return ssl.create_default_context(
            cafile=None if self._settings.ca_file is None else str(self._settings.ca_file)
        )


def _reason(error: Exception) -> str:
    """What happened, in our words."""
    if _is_about_trust(error):
        return "its certificate cannot be trusted"
    match error:
        case aiosmtplib.SMTPAuthenticationError(code=code):
            return f"the server does not accept the user name and password ({code})"
        case aiosmtplib.SMTPRecipientsRefused():
            return "the server accepts none of the addresses"
        case aiosmtplib.SMTPResponseException(code=code):
            return f"the server answered {code}"
        case aiosmtplib.SMTPConnectError() | aiosmtplib.SMTPTimeoutError() | OSError():
            return "the server cannot be reached"
    return f"the server cannot be used ({type(error).__name__})"


def _is_about_trust(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
