"""A real SMTP server on a free port, that keeps what it is given; with or without TLS, willing or not."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import SMTP as POLICY
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from broker.mosquitto import free_port

HOST = "127.0.0.1"


class MailServer:
    """The hooks of the server, and its letter box."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        """As ``email`` reads them."""
        self.envelopes: list[tuple[str, list[str]]] = []
        self.answer: str | None = None
        """What it says to every letter in place of taking it."""
        self.refused: set[str] = set()
        self.port = 0
        self.was_private: list[bool] = []

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refused:
            return f"550 no such user {address}"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answer is not None:
            return self.answer
        assert isinstance(envelope.content, bytes)
        self.messages.append(message_from_bytes(envelope.content, policy=POLICY))
        self.envelopes.append((str(envelope.mail_from), list(envelope.rcpt_tos)))
        self.was_private.append(session.ssl is not None)
        return "250 taken"


def _authenticated(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    is_right = (data.login, data.password) == (b"hub", b"a-password")
    return AuthResult(success=is_right, handled=False)


@contextmanager
def mail_server(*, certificate: tuple[Path, Path] | None = None, port: int = 0) -> Iterator[MailServer]:
    """A server that runs until the end of the block.

    Args:
        certificate: Certificate and key; it then offers STARTTLS and wants a user name and password.
        port: 0: a free one.
    """
    server = MailServer()
    server.port = port or free_port()
    more: dict[str, Any] = {}
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*map(str, certificate))
        more = {"tls_context": context, "require_starttls": True}
        more |= {"auth_required": True, "authenticator": _authenticated}
    controller = Controller(server, hostname=HOST, port=server.port, **more)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()
