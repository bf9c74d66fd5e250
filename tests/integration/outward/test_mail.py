"""Letters at a real mail server: private on the way, at least once, and none lost while it is away."""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from broker.mosquitto import free_port
from gateway.outward.mail import GIVEN_UP_AFTER, NOT_SENT, Mail
from gateway.outward.smtp import LetterNotSentError, SmtpPost
from gateway.setting_tables.mail import MailSettings
from services import registry
from services.domain.homes import Organisation, OrganisationKind
from services.domain.ids import OrganisationId, new_id
from services.store import letters, status
from services.store.letters import CITY, Letter, LetterKind
from services.store.migrations import migrate
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer
from services.supervision.letters import GATHER
from tests.support.clock import FrozenClock
from tests.support.mail_server import HOST, MailServer, mail_server

RIGHT, WRONG = "a-password", "another-one"
TO = ("drift@example.org", "jour@example.org")


def settings(port: int, **more: Any) -> MailSettings:
    plain = {"server": HOST, "port": port, "security": "none", "from": "hub@example.org", "to": TO}
    return MailSettings.model_validate({"language": "en", "digest": False} | plain | more)


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Of 127.0.0.1, vouched for by itself."""
    from ipaddress import ip_address  # noqa: PLC0415

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name.from_rfc4514_string("CN=mail")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("mail")
    (folder / "cert.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder / "cert.pem", folder / "key.pem"


def letter(subject: str = "two faults", body: str = "Något är fel.\n.\nQUIT\n") -> Letter:
    made_at = datetime(2026, 11, 24, 7, tzinfo=UTC)
    return Letter(
        id=new_id(), audience=CITY, kind=LetterKind.FAULTS, subject=subject, body=body, made_at=made_at
    )


async def test_a_letter_arrives_as_it_was_written(server: MailServer) -> None:
    sent = letter()

    await SmtpPost(settings(server.port), city="malmo").send(sent, TO)

    [message] = server.messages
    assert message.get_content().replace("\r\n", "\n") == sent.body
    assert (message["From"], message["To"]) == ("hub@example.org", "drift@example.org, jour@example.org")
    assert (message["Subject"], message["Auto-Submitted"]) == ("two faults", "auto-generated")
    assert message["Message-ID"] == f"<{sent.id}@malmo.stadsnav.invalid>"
    assert server.envelopes == [("hub@example.org", list(TO))]


async def test_a_line_break_never_becomes_a_header(server: MailServer) -> None:
    post = SmtpPost(settings(server.port), city="malmo")

    with pytest.raises(LetterNotSentError):
        await post.send(letter(subject="hello\r\nBcc: all@example.org"), TO)
    await post.send(letter(body="\r\n.\r\nMAIL FROM:<x@example.org>\r\nBcc: all@example.org\r\n"), TO)

    [message] = server.messages
    assert message["Bcc"] is None
    assert "Bcc: all@example.org" in message.get_content()
    assert server.envelopes == [("hub@example.org", list(TO))]


@pytest.mark.parametrize(
    "address", ["a@b\r\nBcc: c@d", "Ann <a@example.org>", "a@b,c@d", "a", "", "å@example.org"]
)
def test_an_address_that_could_be_more_than_one_is_no_setting(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        settings(25, to=[address])


async def test_with_starttls_it_is_private_and_authenticated(certificate: tuple[Path, Path]) -> None:
    with mail_server(certificate=certificate) as server:
        chosen = settings(
            server.port,
            security="starttls",
            ca_file=certificate[0],
            username="hub",
            password=RIGHT,
        )
        await SmtpPost(chosen, city="malmo").send(letter(), TO)

        assert server.was_private == [True]


async def test_a_server_that_cannot_change_to_tls_gets_nothing(server: MailServer) -> None:
    with pytest.raises(LetterNotSentError):
        await SmtpPost(settings(server.port, security="starttls"), city="malmo").send(letter(), TO)

    assert server.messages == []


async def test_a_certificate_that_nobody_vouches_for_gets_nothing(certificate: tuple[Path, Path]) -> None:
    with mail_server(certificate=certificate) as server:
        chosen = settings(server.port, security="starttls", username="hub", password=RIGHT)

        with pytest.raises(LetterNotSentError, match="certificate cannot be trusted"):
            await SmtpPost(chosen, city="malmo").send(letter(), TO)

        assert server.messages == []


async def test_a_wrong_password_is_said_without_saying_it(certificate: tuple[Path, Path]) -> None:
    with mail_server(certificate=certificate) as server:
        chosen = settings(
            server.port, security="starttls", ca_file=certificate[0], username="hub", password=WRONG
        )

        with pytest.raises(LetterNotSentError, match="user name and password") as caught:
            await SmtpPost(chosen, city="malmo").send(letter(), TO)

        assert WRONG not in str(caught.value)


def test_in_the_clear_beyond_this_machine_is_refused_unless_it_is_asked_for() -> None:
    with pytest.raises(ValueError, match="in the clear"):
        settings(25, server="mail.example.org")

    assert settings(25, server="mail.example.org", insecure=True).server == "mail.example.org"


async def test_an_address_that_is_refused_keeps_none_of_the_others_from_theirs(server: MailServer) -> None:
    server.refused = {TO[0]}

    refused = await SmtpPost(settings(server.port), city="malmo").send(letter(), TO)

    assert (refused, server.envelopes) == (1, [("hub@example.org", [TO[1]])])


async def test_what_the_server_says_is_not_passed_on(server: MailServer) -> None:
    server.answer = "554 drift@example.org is a person"

    with pytest.raises(LetterNotSentError, match="answered 554") as caught:
        await SmtpPost(settings(server.port), city="malmo").send(letter(), TO)

    assert "drift" not in str(caught.value)


class Hub:
    """A store with its letters."""

    def __init__(self, folder: Path, writer: Writer, store: SqliteConnection) -> None:
        self.clock = FrozenClock()
        self.store = store
        self.writer = writer
        self.folder = folder

    def mail(self, port: int, **more: Any) -> Mail:
        chosen = settings(port, **more)
        return Mail(
            settings=chosen,
            city="malmo",
            post=SmtpPost(chosen, city="malmo"),
            reader=self.store,
            writer=self.writer,
            clock=self.clock,
        )

    async def opens(self, code: str, subject: str) -> None:
        now = self.clock.now()
        await self.writer.write(
            lambda connection: status.open_fault(connection, code, subject, "a message", at=now)
        )
        self.clock.advance(GATHER)

    def codes(self) -> list[str]:
        return [fault.code for fault in status.open_faults(self.store)]


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    path = tmp_path / "stadsnav.db"
    with closing(SqliteConnection(path)) as written, closing(SqliteConnection(path)) as reader:
        migrate(written)
        writer = Writer(written)
        writer.start()
        async with aclosing(writer):
            yield Hub(tmp_path, writer, reader)


async def test_a_fault_is_told_once_also_by_one_who_starts_anew(hub: Hub, server: MailServer) -> None:
    await hub.opens("late_timer", "alarm-1")

    await hub.mail(server.port).turn()
    await hub.mail(server.port).turn()
    hub.clock.advance(timedelta(hours=1))
    await hub.mail(server.port).turn()

    assert len(server.messages) == 1
    assert "[late_timer alarm-1]" in server.messages[0].get_content()


async def test_while_the_server_is_away_it_is_a_fault_and_afterwards_the_letter_arrives(hub: Hub) -> None:
    port = free_port()
    mail = hub.mail(port)
    await hub.opens("late_timer", "alarm-1")
    await mail.turn()
    assert NOT_SENT in hub.codes()
    assert "cannot be reached" in status.open_faults(hub.store)[-1].message

    with mail_server(port=port) as server:
        await mail.turn()
        assert server.messages == []  # not before its time
        hub.clock.advance(timedelta(minutes=1))
        await hub.mail(port).turn()

        assert len(server.messages) == 1
    assert NOT_SENT not in hub.codes()


async def test_the_same_letter_again_has_the_same_message_id(hub: Hub, server: MailServer) -> None:
    await hub.opens("late_timer", "alarm-1")
    mail = hub.mail(server.port)
    server.answer = "451 later"
    await mail.turn()
    [waiting] = letters.due(hub.store, hub.clock.now() + timedelta(hours=1))
    server.answer = None
    hub.clock.advance(timedelta(minutes=2))

    await hub.mail(server.port).turn()

    assert server.messages[0]["Message-ID"] == f"<{waiting.id}@malmo.stadsnav.invalid>"


async def test_attempts_are_spaced_out_and_given_up_in_the_end(hub: Hub, server: MailServer) -> None:
    server.answer = "451 later"
    await hub.opens("late_timer", "alarm-1")
    mail, started, tried = hub.mail(server.port), hub.clock.now(), []
    for _ in range(60):
        await mail.turn()
        waiting = letters.on_its_way(hub.store, CITY, LetterKind.FAULTS)
        assert waiting is not None
        tried.append(waiting.attempts)
        hub.clock.advance(timedelta(minutes=1))
    assert tried[-1] == 6  # after 0, 1, 3, 8, 18 and 48 minutes

    hub.clock.move_to(started + GIVEN_UP_AFTER + timedelta(minutes=1))
    await mail.turn()

    row = hub.store.row("SELECT is_sent, ended_at IS NULL FROM letters ORDER BY id LIMIT 1")
    assert row is not None
    assert tuple(row) == (0, 0)


async def test_an_organisation_hears_of_its_own_subscriptions_and_of_nothing_else(
    hub: Hub, server: MailServer
) -> None:
    def register(connection: Any) -> None:
        for name in ("acme", "beta"):
            one = Organisation(id=OrganisationId(name), name=name, kind=OrganisationKind.CARE)
            registry.add_organisation(connection, one, actor="tester", now=hub.clock.now())
            letters.set_contact(connection, name, f"it@{name}.example.org")

    await hub.writer.write(register)
    row = hub.store.row("SELECT id FROM subscriptions WHERE organisation_id = 'acme'")
    assert row is not None
    await hub.opens("webhook_failing", row[0])
    await hub.opens("late_timer", "alarm-1")

    await hub.mail(server.port).turn()

    assert [to for _, to in server.envelopes] == [list(TO), ["it@acme.example.org"]]
    assert "alarm-1" in server.messages[0].get_content()
    assert "alarm-1" not in server.messages[1].get_content()
    assert row[0] in server.messages[1].get_content()


async def test_a_contact_that_was_removed_gets_no_letter_that_was_written_before(
    hub: Hub, server: MailServer
) -> None:
    now = hub.clock.now()
    late = letters.Letter(
        id=new_id(), audience="gone", kind=LetterKind.FAULTS, subject="s", body="b", made_at=now
    )
    await hub.writer.write(lambda connection: letters.add(connection, late))

    await hub.mail(server.port).turn()

    assert (server.messages, letters.due(hub.store, now)) == ([], [])
