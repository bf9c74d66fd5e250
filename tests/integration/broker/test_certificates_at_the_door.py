"""Whom the listeners let in."""

import socket
import ssl
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from broker import certificates, credentials
from broker.certificates import Issuer, RevokedCertificate
from broker.configuration import LOOPBACK
from tests.integration.broker.client import MqttClient, NotLetInError, client_context
from tests.integration.broker.running import RunningBroker, now, wait_until

WELCOME = bytes.fromhex("20020000")
"""CONNACK, accepted (MQTT 3.1.1, section 3.2)."""


def is_let_in(port: int, folder: Path) -> bool:
    try:
        with MqttClient(port, folder=folder):
            return True
    except NotLetInError:
        return False


def test_each_listener_lets_its_own_clients_in(broker: RunningBroker) -> None:
    assert is_let_in(broker.homes_port, broker.credentials(Issuer.HOMES, "p7"))
    assert is_let_in(broker.partners_port, broker.credentials(Issuer.PARTNERS, "acme"))


def test_a_partner_who_sends_the_whole_chain_along_is_refused_by_the_homes_listener(
    broker: RunningBroker,
) -> None:
    folder = broker.credentials(Issuer.PARTNERS, "acme")
    _append_root(folder)

    assert not is_let_in(broker.homes_port, folder)
    assert is_let_in(broker.partners_port, folder)


def test_a_home_that_sends_the_whole_chain_along_is_refused_by_the_partners_listener(
    broker: RunningBroker,
) -> None:
    folder = broker.credentials(Issuer.HOMES, "p7")
    _append_root(folder)

    assert not is_let_in(broker.partners_port, folder)
    assert is_let_in(broker.homes_port, folder)


def test_a_home_that_sends_its_authoritys_anchor_along_is_refused_by_the_partners_listener(
    broker: RunningBroker,
) -> None:
    folder = broker.credentials(Issuer.HOMES, "p7")
    with (folder / "cert.pem").open("ab") as chain:
        chain.write(broker.authorities.anchor_pem(Issuer.HOMES))

    assert not is_let_in(broker.partners_port, folder)


def test_a_certificate_of_another_city_with_the_same_names_is_refused(
    broker: RunningBroker, tmp_path: Path
) -> None:
    root = certificates.new_root(now())
    homes = certificates.new_issuer(Issuer.HOMES, root, now=now())
    forged = certificates.issue_client(homes, "p7", now=now(), valid_for=timedelta(days=1))
    credentials.write_credentials(tmp_path / "forged", forged, broker.authorities.root_pem)

    assert not is_let_in(broker.homes_port, tmp_path / "forged")


def test_an_expired_certificate_is_refused(broker: RunningBroker) -> None:
    expired, _ = broker.issue(
        Issuer.HOMES, "p7", at=now() - timedelta(days=2), valid_for=timedelta(days=2) - timedelta(seconds=1)
    )
    valid, _ = broker.issue(
        Issuer.HOMES, "p7", at=now() - timedelta(days=2), valid_for=timedelta(days=2) + timedelta(hours=1)
    )

    assert not is_let_in(broker.homes_port, expired)
    assert is_let_in(broker.homes_port, valid)


def test_a_client_without_a_certificate_is_refused(broker: RunningBroker) -> None:
    def connect(port: int) -> None:
        client = MqttClient(port)
        client.use_tls(ssl.create_default_context(cadata=broker.authorities.root_pem.decode()))
        with client:
            pass

    for port in (broker.homes_port, broker.partners_port):
        with pytest.raises(NotLetInError):
            connect(port)


def test_a_user_name_and_password_are_no_substitute_for_a_certificate(broker: RunningBroker) -> None:
    folder = broker.credentials(Issuer.HOMES, "p7")
    login = (broker.hub.user_name, broker.hub.password)

    with MqttClient(broker.homes_port, folder=folder, login=login) as posing:
        posing.subscribe("up/#")
        posing.publish("down/h8/d1/receipt", "from a home that knows the hub's password")
        posing.publish("up/p7/d1/alarm", "its own")
        posing.unsubscribe("up/#")

    assert broker.wait_for_line("New client connected").endswith("u'p7').")
    assert posing.arrivals == []


def test_the_internal_listener_wants_the_hubs_password(broker: RunningBroker) -> None:
    for login in (None, (broker.hub.user_name, "wrong"), ("p7", broker.hub.password)):
        with pytest.raises(NotLetInError), MqttClient(broker.internal_port, login=login):
            pass

    with MqttClient(broker.internal_port, login=(broker.hub.user_name, broker.hub.password)):
        pass


def test_the_bulk_listener_wants_the_hubs_password_and_no_certificate_in_its_place(
    broker: RunningBroker,
) -> None:
    trust = ssl.create_default_context(cadata=broker.authorities.root_pem.decode())
    bulk_port = broker.configuration.bulk_port

    for login in (None, (broker.hub.user_name, "wrong")):
        client = MqttClient(bulk_port, folder=broker.credentials(Issuer.HOMES, "p7"), login=login)
        with pytest.raises(NotLetInError), client:
            pass

    client = MqttClient(bulk_port, login=(broker.hub.user_name, broker.hub.password))
    client.use_tls(trust)
    with client:
        pass


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_tls_1_1_is_refused_and_1_2_is_not(broker: RunningBroker) -> None:
    folder = broker.credentials(Issuer.HOMES, "p7")

    def is_let_in_with(version: ssl.TLSVersion) -> bool:
        context = client_context(folder)
        context.set_ciphers("ALL:@SECLEVEL=0")  # else our own side would refuse 1.1
        context.minimum_version = context.maximum_version = version
        return _connect(broker.homes_port, context, None)[0] is not None

    assert not is_let_in_with(ssl.TLSVersion.TLSv1_1)
    assert is_let_in_with(ssl.TLSVersion.TLSv1_2)
    assert is_let_in_with(ssl.TLSVersion.TLSv1_3)


def test_a_revoked_certificate_is_refused_after_a_reload_and_others_are_not(broker: RunningBroker) -> None:
    folder, issued = broker.issue(Issuer.HOMES, "p7")
    renewed = broker.credentials(Issuer.HOMES, "p7")
    assert is_let_in(broker.homes_port, folder)

    broker.write_revoked({Issuer.HOMES: [RevokedCertificate(serial=issued.serial, revoked_at=now())]})
    broker.reload()

    wait_until(lambda: not is_let_in(broker.homes_port, folder), "the revoked one is refused")
    assert is_let_in(broker.homes_port, renewed)


def test_a_certificate_that_is_taken_off_the_list_is_let_in_again(broker: RunningBroker) -> None:
    folder, issued = broker.issue(Issuer.PARTNERS, "acme")
    broker.write_revoked({Issuer.PARTNERS: [RevokedCertificate(serial=issued.serial, revoked_at=now())]})
    broker.reload()
    wait_until(lambda: not is_let_in(broker.partners_port, folder), "the revoked one is refused")

    broker.write_revoked({})
    broker.reload()

    wait_until(lambda: is_let_in(broker.partners_port, folder), "it is let in again")


def test_a_reload_leaves_open_connections_as_they_are(broker: RunningBroker) -> None:
    folder = broker.credentials(Issuer.HOMES, "p7")
    refused, issued = broker.issue(Issuer.HOMES, "h8")
    with MqttClient(broker.homes_port, folder=folder) as home, broker.hub_client() as hub:
        home.subscribe("down/p7/#")

        broker.write_revoked({Issuer.HOMES: [RevokedCertificate(serial=issued.serial, revoked_at=now())]})
        broker.reload()
        wait_until(lambda: not is_let_in(broker.homes_port, refused), "the reload happened")

        hub.publish("down/p7/d1/receipt", "after the reload")
        home.wait_for_payload("after the reload")


def test_a_reload_brings_the_brokers_renewed_certificate(broker: RunningBroker) -> None:
    context = client_context(broker.credentials(Issuer.HOMES, "p7"))

    def serial() -> object:
        raw = socket.create_connection((LOOPBACK, broker.homes_port), timeout=10)
        with context.wrap_socket(raw, server_hostname=LOOPBACK) as stream:
            return (stream.getpeercert() or {}).get("serialNumber")

    old = serial()
    credentials.ensure_server_certificate(
        broker.paths.server,
        broker.authorities,
        dns_names=["new.example.org"],
        addresses=[IPv4Address(LOOPBACK)],
        now=now(),
    )
    broker.reload()

    wait_until(lambda: serial() != old, "the new certificate is shown")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_resumed_tls_session_does_not_get_around_a_revocation(
    broker: RunningBroker, version: ssl.TLSVersion
) -> None:
    folder, issued = broker.issue(Issuer.HOMES, "p7")
    context = client_context(folder)
    context.minimum_version = context.maximum_version = version
    session, _ = _connect(broker.homes_port, context, None)
    session, was_resumed = _connect(broker.homes_port, context, session)
    assert was_resumed

    broker.write_revoked({Issuer.HOMES: [RevokedCertificate(serial=issued.serial, revoked_at=now())]})
    broker.reload()

    wait_until(lambda: not is_let_in(broker.homes_port, folder), "the reload happened")
    assert _connect(broker.homes_port, context, session) == (None, False)


def test_an_organisation_that_is_struck_off_hears_nothing_more_on_its_open_connection(
    broker: RunningBroker,
) -> None:
    with broker.partner_client("acme") as partner, broker.hub_client() as hub:
        partner.subscribe("care/acme/event")

        def hears() -> bool:
            partner.arrivals.clear()
            hub.publish("care/acme/event", "an alarm")
            partner.unsubscribe("nothing")  # answered after what went before
            return partner.payloads() == ["an alarm"]

        assert hears()
        broker.write_organisations(["beta"])
        broker.reload()

        wait_until(lambda: not hears(), "the partner hears nothing more")
        assert not hears()


def test_an_organisation_that_is_added_is_heard_on_its_open_connection(broker: RunningBroker) -> None:
    with broker.partner_client("newcomer") as partner, broker.hub_client() as hub:
        hub.subscribe("care/+/action")
        partner.publish("care/newcomer/action", "too early")
        broker.write_organisations(["acme", "beta", "newcomer"])
        broker.reload()

        def is_heard() -> bool:
            partner.publish("care/newcomer/action", "in time")
            hub.unsubscribe("nothing")
            return "in time" in hub.payloads()

        wait_until(is_heard, "the newcomer is heard")
        assert "too early" not in hub.payloads()


def _append_root(folder: Path) -> None:
    with (folder / "cert.pem").open("ab") as chain:
        chain.write((folder / "ca.pem").read_bytes())


def _connect(
    port: int, context: ssl.SSLContext, session: ssl.SSLSession | None
) -> tuple[ssl.SSLSession | None, bool]:
    """Connect, offering to resume ``session``.

    Returns:
        The session to resume the next time, None where the broker did not let us in; whether it resumed.
    """
    raw = socket.create_connection((LOOPBACK, port), timeout=10)
    try:
        with context.wrap_socket(raw, server_hostname=LOOPBACK, session=session) as stream:
            stream.sendall(bytes.fromhex("100e 0004 4d515454 04 02 003c 0002 7037"))  # CONNECT 3.1.1 as "p7"
            welcome = stream.recv(4)
            return (stream.session if welcome == WELCOME else None), stream.session_reused or False
    except OSError:
        return None, False
