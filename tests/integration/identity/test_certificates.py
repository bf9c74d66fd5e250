"""Organisations' machines by their certificates, on a TLS connection of the web process's own."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import partial
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from broker.authorities import CertificateAuthorities
from broker.certificates import Issuer
from gateway import settings
from gateway.data_folder import DataFolder, open_folder
from gateway.enrolment import issue_organisation_credentials
from gateway.web_process import _config
from services.domain.clock import SystemClock
from services.store import certificates
from services.store.migrations import migrate
from services.store.sqlite import SqliteConnection
from tests.support.clock import FrozenClock
from tests.support.town import TESTER, Town

CLOCK = SystemClock()
DAY = timedelta(days=1)


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """A hub with a TLS certificate of its own, that asks clients for theirs."""
    folder = open_folder(tmp_path / "data")
    issued = CertificateAuthorities.open(folder.pki, CLOCK.now()).issue_server(
        dns_names=["localhost"], addresses=[], now=CLOCK.now(), valid_for=DAY
    )
    (tmp_path / "cert.pem").write_bytes(issued.certificate_pem)
    (tmp_path / "key.pem").write_bytes(issued.key_pem)
    (folder.path / "stadsnav.toml").write_text(
        f'[web]\ncertificate_file = "{tmp_path}/cert.pem"\nkey_file = "{tmp_path}/key.pem"\n'
        "client_certificates = true\n"
    )
    return folder


@pytest.fixture
def town(folder: DataFolder) -> Iterator[Town]:
    with closing(SqliteConnection(folder.database)) as connection:
        migrate(connection)
        town = Town(connection, FrozenClock(CLOCK.now()))
        town.settle()
        yield town


@contextmanager
def served(folder: DataFolder) -> Iterator[int]:
    """The web process's own server, on a free port."""
    server = uvicorn.Server(_config(folder, settings.load(folder.path), CLOCK))
    bound = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=partial(server.run, sockets=[bound]), name="web")
    thread.start()
    try:
        gives_up_at = time.monotonic() + 10
        while not server.started and time.monotonic() < gives_up_at:
            time.sleep(0.01)
        yield bound.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
        bound.close()


def credentials(folder: DataFolder, town: Town, out: Path, organisation_id: str = "acme") -> Path:
    """The files of ``stadsnav org credentials``."""
    authorities = CertificateAuthorities.open(folder.pki, CLOCK.now())
    issue_organisation_credentials(
        town.connection, authorities, organisation_id, directory=out, actor=TESTER, now=CLOCK.now()
    )
    return out


def asked(folder: DataFolder, port: int, shown: Path | None, **more: Any) -> tuple[int, dict[str, Any]]:
    """Ask who we are, with these credentials."""
    root = CertificateAuthorities.open(folder.pki, CLOCK.now()).root_pem
    context = ssl.create_default_context(cadata=root.decode())
    if shown is not None:
        context.load_cert_chain(shown / "cert.pem", shown / "key.pem")
    connection = HTTPSConnection("localhost", port, context=context, timeout=10)
    try:
        connection.request(more.pop("method", "GET"), "/api/v1/session", **more)
        response = connection.getresponse()
        return response.status, json.loads(response.read() or b"{}")
    finally:
        connection.close()


def test_an_organisations_certificate_is_its_machine_until_it_is_revoked(
    folder: DataFolder, town: Town, tmp_path: Path
) -> None:
    first = credentials(folder, town, tmp_path / "first")

    with served(folder) as port:
        status, me = asked(folder, port, first)
        nobody, _ = asked(folder, port, None)
        foreign, problem = asked(
            folder, port, first, method="DELETE", headers={"Origin": "https://evil.example.org"}
        )
        second = credentials(folder, town, tmp_path / "second")
        after, _ = asked(folder, port, first)
        renewed, _ = asked(folder, port, second)
        town.write(partial(certificates.revoke_of, issuer="partners", subject="acme", at=CLOCK.now()))
        revoked, _ = asked(folder, port, second)

    assert (status, me["id"], me["organisation"], me["means"]) == (
        200,
        "certificate:acme",
        "acme",
        "certificate",
    )
    assert (nobody, after, renewed, revoked) == (401, 401, 200, 401)
    assert (foreign, problem["code"]) == (403, "foreign_page")


def test_certificates_of_homes_and_of_strangers_do_not_get_through_the_handshake(
    folder: DataFolder, town: Town, tmp_path: Path
) -> None:
    assert town.now
    authorities = CertificateAuthorities.open(folder.pki, CLOCK.now())
    strangers = CertificateAuthorities.open(tmp_path / "other-pki", CLOCK.now())
    refused = []

    with served(folder) as port:
        for number, issued in enumerate(
            (
                authorities.issue_client(Issuer.HOMES, "acme", now=CLOCK.now(), valid_for=DAY),
                strangers.issue_client(Issuer.PARTNERS, "acme", now=CLOCK.now(), valid_for=DAY),
            )
        ):
            out = tmp_path / f"bad-{number}"
            out.mkdir()
            (out / "cert.pem").write_bytes(issued.certificate_pem)
            (out / "key.pem").write_bytes(issued.key_pem)
            with pytest.raises((ssl.SSLError, ConnectionError)):
                asked(folder, port, out)
            refused.append(number)

    assert refused == [0, 1]


def test_a_bearer_token_goes_before_a_certificate(folder: DataFolder, town: Town, tmp_path: Path) -> None:
    shown = credentials(folder, town, tmp_path / "first")

    with served(folder) as port:
        status, _ = asked(folder, port, shown, headers={"Authorization": "Bearer stadsnav_wrong"})

    assert status == 401


def test_old_tls_is_refused(folder: DataFolder, town: Town) -> None:
    assert town.now
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1

    with (
        served(folder) as port,
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(plain)
