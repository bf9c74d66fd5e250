"""A real broker with the product's own configuration, for tests of anything that speaks with it.

Started without asyncio, so that tests of both kinds can use it.
"""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from broker import configuration, credentials, mosquitto
from broker.access_rules import access_file
from broker.authorities import CertificateAuthorities
from broker.certificates import IssuedCertificate, Issuer, RevokedCertificate
from broker.configuration import BrokerConfiguration, BrokerPaths, Listener
from broker.credentials import HubCredentials
from broker.files import write_file
from tests.integration.broker.client import MqttClient

PATIENCE_SECONDS = 10.0
OBSERVER = HubCredentials(password="a test sees everything", session_secret="")  # noqa: S106 - of a broker that lives for a test
OBSERVER_USER = "@observer"
OBSERVER_RULES = f"user {OBSERVER_USER}\ntopic readwrite #\ntopic read $SYS/#\n"


def now() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)


class RunningBroker:
    """Mosquitto on free ports, its files below one directory, its log as a list of lines."""

    def __init__(
        self,
        directory: Path,
        *,
        organisations: Iterable[str] = ("acme", "beta"),
        integrations: Iterable[str] = (),
    ) -> None:
        self.directory = directory
        self.executable = mosquitto.find_executable()
        self.authorities = CertificateAuthorities.open(directory / "authorities", now())
        self.paths = BrokerPaths(directory=directory / "broker")
        self.configuration = BrokerConfiguration(
            paths=self.paths,
            homes=Listener(port=mosquitto.free_port(), address=configuration.LOOPBACK),
            partners=Listener(port=mosquitto.free_port(), address=configuration.LOOPBACK),
            internal_port=mosquitto.free_port(),
            bulk_port=mosquitto.free_port(),
            run_as=configuration.running_user(),
        )
        self.log: list[str] = []
        self._logged = threading.Condition()
        self.hub = credentials.ensure_hub_credentials(directory / "hub.json")
        configuration.write_configuration(self.configuration, self.hub)
        configuration.write_anchors(self.paths, self.authorities)
        configuration.write_access_file(self.paths, organisations, integrations)
        self.write_revoked({})
        credentials.ensure_server_certificate(
            self.paths.server,
            self.authorities,
            dns_names=["localhost"],
            addresses=[IPv4Address(configuration.LOOPBACK)],
            now=now(),
        )

    @property
    def homes_port(self) -> int:
        return self.configuration.homes.port

    @property
    def partners_port(self) -> int:
        return self.configuration.partners.port

    @property
    def internal_port(self) -> int:
        return self.configuration.internal_port

    def let_observer_in(
        self,
        organisations: Iterable[str],
        integrations: Iterable[str] = (),
        *,
        shut_out: Iterable[str] = (),
    ) -> None:
        """Add a user who reads and writes everything; the rules of all others stay as they are."""
        rules = access_file(organisations, integrations, shut_out=shut_out) + OBSERVER_RULES
        write_file(self.paths.access, rules.encode())
        line = credentials.password_line(OBSERVER, b"twelve bytes")
        with self.paths.passwords.open("a") as passwords:
            passwords.write(line.replace("@hub:", f"{OBSERVER_USER}:", 1) + "\n")

    def start(self) -> None:
        self.process = subprocess.Popen(
            mosquitto.command(self.executable, self.paths.configuration),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read_log, name="broker log", daemon=True)
        self._reader.start()
        wait_until(self._listens, "the broker listens")

    def kill(self) -> None:
        self.process.kill()
        self._join()

    def stop(self) -> None:
        self.process.terminate()
        self._join()

    def reload(self) -> None:
        """Ask for it; the broker does it some milliseconds later and says nothing, so wait for the effect."""
        mosquitto.reload(self.process.pid)

    def save_state(self) -> None:
        """Have the broker write its snapshot now, and return when it is on disk."""
        snapshot = self.paths.state / "mosquitto.db"
        before = snapshot.stat().st_mtime_ns if snapshot.exists() else 0
        self.process.send_signal(signal.SIGUSR1)
        wait_until(
            lambda: snapshot.exists() and snapshot.stat().st_mtime_ns != before, "the snapshot is saved"
        )

    def issue(
        self,
        issuer: Issuer,
        client_id: str,
        *,
        at: datetime | None = None,
        valid_for: timedelta = timedelta(1),
    ) -> tuple[Path, IssuedCertificate]:
        """Make a client's folder with key.pem, cert.pem and ca.pem."""
        issued = self.authorities.issue_client(issuer, client_id, now=at or now(), valid_for=valid_for)
        folder = self.directory / "clients" / f"{issuer}-{client_id}-{issued.serial}"
        credentials.write_credentials(folder, issued, self.authorities.root_pem)
        return folder, issued

    def credentials(self, issuer: Issuer, client_id: str) -> Path:
        """A fresh client's folder, for those who do not care for its certificate's facts."""
        return self.issue(issuer, client_id)[0]

    def hub_client(self, **options: Any) -> MqttClient:
        """A client that is the hub, not connected yet; ``options`` as for MqttClient."""
        options.setdefault("client_id", self.hub.client_id("test"))
        return MqttClient(self.internal_port, login=(self.hub.user_name, self.hub.password), **options)

    def home_client(self, common_name: str, **options: Any) -> MqttClient:
        folder = self.credentials(Issuer.HOMES, common_name)
        return MqttClient(self.homes_port, folder=folder, **options)

    def partner_client(self, organisation_id: str, **options: Any) -> MqttClient:
        folder = self.credentials(Issuer.PARTNERS, organisation_id)
        return MqttClient(self.partners_port, folder=folder, **options)

    def write_organisations(self, organisation_ids: Iterable[str]) -> None:
        configuration.write_access_file(self.paths, organisation_ids)

    def write_revoked(self, revoked: Mapping[Issuer, Sequence[RevokedCertificate]]) -> None:
        configuration.write_revocation_lists(self.paths, self.authorities, revoked, now=now())

    def wait_for_line(self, text: str, *, since: int = 0) -> str:
        """The first line of the log, from line ``since`` on, that contains ``text``."""

        def find() -> str | None:
            return next((line for line in self.log[since:] if text in line), None)

        with self._logged:
            assert self._logged.wait_for(lambda: find() is not None, PATIENCE_SECONDS), (
                f"the broker never said {text!r}; it said: {self.log[since:]}"
            )
        return find() or ""

    def _listens(self) -> bool:
        assert self.process.poll() is None, self.log
        return set(self.configuration.ports) <= mosquitto.listening_ports(self.process.pid)

    def _read_log(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        with stream:
            for line in stream:
                with self._logged:
                    self.log.append(line.rstrip("\n"))
                    self._logged.notify_all()

    def _join(self) -> None:
        self.process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    """Look every 5 ms, for at most ten seconds."""
    gives_up_at = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < gives_up_at, f"waited {PATIENCE_SECONDS:g} s in vain until {what}"
        time.sleep(0.005)
