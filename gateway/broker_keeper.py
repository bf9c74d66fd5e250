"""Keeps Mosquitto running with what we write for it: configuration, access rules, revocation lists.

    prepare ──> start ──> self-test ──> (ended? start again, same ports)
       registry changed? ──> new access file, new lists ──> reload

When the broker runs elsewhere (``broker.manage = false``) the same files are written, for the operator to
copy, and only the self-test is run.
"""

import asyncio
import ipaddress
import os
import secrets
import signal
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog

from broker import configuration as files
from broker import mosquitto, selftest
from broker.authorities import CertificateAuthorities
from broker.certificates import Issuer, RevokedCertificate
from broker.configuration import BrokerConfiguration, BrokerPaths, Listener
from broker.credentials import ensure_server_certificate, write_credentials
from gateway.children import wait_before_restart
from gateway.data_folder import DataFolder
from gateway.running import hub_access, hub_credentials, write_internal_ports
from gateway.settings import Settings
from services.domain.clock import Clock
from services.domain.homes import DeviceState
from services.store import certificates, integrations, registry
from services.store.connection import Connection

ACCEPTING_WITHIN: Final = timedelta(seconds=10)
STOP_WITHIN: Final = timedelta(seconds=10)
PORT_TRIES: Final = 5
SELFTEST_LIFETIME: Final = timedelta(hours=1)
ALL: Final = 1_000_000
ANYWHERE: Final = {"", "0.0.0.0", "::"}  # noqa: S104 - compared with, not bound to

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerPorts:
    """Where the broker listens."""

    homes: int
    partners: int
    internal: int
    bulk: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessList:
    """What of the registry the broker must know."""

    organisations: tuple[str, ...]
    revoked: dict[Issuer, tuple[RevokedCertificate, ...]]
    integrations: tuple[str, ...] = ()
    """Those in service."""
    shut_out: tuple[str, ...] = ()
    """Integrations that are suspended or retired."""


def access_list(connection: Connection, clock: Clock) -> AccessList:
    """Read what the broker must know now."""
    now = clock.now()
    accounts = integrations.integrations(connection, limit=ALL)
    return AccessList(
        organisations=tuple(item.id for item in registry.organisations(connection, limit=ALL)),
        integrations=tuple(item.id for item in accounts if item.state is DeviceState.IN_SERVICE),
        shut_out=tuple(item.id for item in accounts if item.state is not DeviceState.IN_SERVICE),
        revoked={
            issuer: tuple(
                RevokedCertificate(serial=serial, revoked_at=at)
                for serial, at in certificates.revoked(connection, issuer, now=now)
            )
            for issuer in (Issuer.HOMES, Issuer.PARTNERS)
        },
    )


class BrokerKeeper:
    """One Mosquitto and its files."""

    def __init__(
        self, folder: DataFolder, settings: Settings, clock: Clock, *, on_restart: Callable[[], None]
    ) -> None:
        self._on_restart = on_restart
        self._folder = folder
        self._settings = settings
        self._clock = clock
        self._paths = BrokerPaths(directory=folder.broker)
        self._authorities = CertificateAuthorities.open(folder.pki, clock.now())
        self._process: mosquitto.BrokerProcess | None = None
        self._is_stopping = False
        self.ports = BrokerPorts(homes=settings.mqtt_port, partners=settings.partner_port, internal=0, bulk=0)

    @property
    def pid(self) -> int | None:
        """Of the managed broker."""
        return self._process.pid if self._process is not None else None

    async def start(self, access: AccessList) -> None:
        """Write everything, start the broker and try it.

        Raises:
            MosquittoMissingError, MosquittoTooOldError, BrokerEndedError, BrokerUnfitError: In a
                sentence each, with what would mend it.
        """
        self.write_access(access)
        self._write_server_certificate()
        if self._settings.broker.manage:
            executable = self._executable()
            mosquitto.installed_version(executable)
            await self._start_on_some_port(executable)
        await self._try_it()

    async def run(self) -> None:
        """Start the broker again whenever it ends, until stopped. It must have been started once."""
        failures = 0
        while self._process is not None and not self._is_stopping:
            code = await self._process.wait()
            if self._is_stopping:
                return
            pause = wait_before_restart(failures)
            failures += 1
            _log.error("broker_ended", code=code, again_in_s=pause.total_seconds())
            await asyncio.sleep(pause.total_seconds())
            try:
                await self._start_on(self.ports, self._executable())
                self._on_restart()
                failures = 0
            except Exception as error:  # noqa: BLE001 - the supervisor's guard: a full disk may have room later
                _log.error("broker_not_started", reason=str(error))
                await self._process.stop(deadline=STOP_WITHIN)

    async def stop(self) -> None:
        """Let the broker write its state and end."""
        self._is_stopping = True
        if self._process is not None:
            await self._process.stop(deadline=STOP_WITHIN)

    def kill(self) -> None:
        """End a broker that runs and does not answer; ``run`` starts it again."""
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGKILL)

    def write_access(self, access: AccessList) -> None:
        """Write who may do what and which certificates no longer hold."""
        files.write_anchors(self._paths, self._authorities)
        files.write_access_file(
            self._paths, access.organisations, access.integrations, shut_out=access.shut_out
        )
        files.write_revocation_lists(self._paths, self._authorities, access.revoked, now=self._clock.now())

    def reload(self) -> None:
        """Have a managed broker take what ``write_access`` wrote."""
        if self._process is not None and self.pid is not None:
            mosquitto.reload(self.pid)
            _log.info("broker_reloaded")

    def _executable(self) -> Path:
        chosen = self._settings.broker.executable
        return Path(chosen) if chosen else mosquitto.find_executable()

    async def _start_on_some_port(self, executable: Path) -> None:
        """Start; where any port will do and somebody was faster, try others."""
        for attempt in range(PORT_TRIES):
            ports = BrokerPorts(
                homes=self._settings.mqtt_port or mosquitto.free_port(),
                partners=self._settings.partner_port or mosquitto.free_port(),
                internal=mosquitto.free_port(),
                bulk=mosquitto.free_port(),
            )
            try:
                await self._start_on(ports, executable)
            except mosquitto.PortTakenError:
                if attempt == PORT_TRIES - 1:
                    raise
            else:
                return

    async def _start_on(self, ports: BrokerPorts, executable: Path) -> None:
        bind = None if self._settings.bind in ANYWHERE else self._settings.bind
        plan = BrokerConfiguration(
            paths=self._paths,
            homes=Listener(port=ports.homes, address=bind),
            partners=Listener(port=ports.partners, address=bind),
            internal_port=ports.internal,
            bulk_port=ports.bulk,
            run_as=files.running_user(),
        )
        files.write_configuration(plan, hub_credentials(self._folder))
        write_internal_ports(self._folder, internal=ports.internal, bulk=ports.bulk)
        command = mosquitto.command(executable, self._paths.configuration)
        self._process = mosquitto.BrokerProcess(command, on_line=_note_line)
        await self._process.start()
        await self._process.wait_until_accepting(plan.ports, deadline=ACCEPTING_WITHIN)
        self.ports = ports
        _log.info("broker_started", pid=self.pid, homes=ports.homes, partners=ports.partners)

    def _write_server_certificate(self) -> None:
        names = {"localhost", socket.gethostname(), *self._settings.server_names}
        addresses = {ipaddress.ip_address(text) for text in ("127.0.0.1", "::1")}
        for text in (*self._settings.server_names, self._settings.bind):
            try:
                addresses.add(ipaddress.ip_address(text))
            except ValueError:
                continue
            names.discard(text)
        ensure_server_certificate(
            self._paths.server,
            self._authorities,
            dns_names=sorted(names),
            addresses=sorted(addresses, key=str),
            now=self._clock.now(),
        )

    async def _try_it(self) -> None:
        broker = self._settings.broker
        client_id = f"stadsnav-selftest-{secrets.token_hex(8)}"
        issued = self._authorities.issue_client(
            Issuer.HOMES, client_id, now=self._clock.now(), valid_for=SELFTEST_LIFETIME
        )
        host = self._settings.bind if broker.manage and self._settings.bind not in ANYWHERE else "localhost"
        with tempfile.TemporaryDirectory(dir=self._folder.run) as name:
            write_credentials(Path(name), issued, self._authorities.root_pem)
            await selftest.check(
                hub_access(self._folder, self._settings).address,
                homes_host=host if broker.manage else broker.host,
                homes_port=self.ports.homes,
                credentials=Path(name),
                client_id=client_id,
            )


def _note_line(line: str) -> None:
    is_telling = line.startswith(("Error", "Warning")) or "error" in line.lower()
    if is_telling and not any(text in line for text in _ORDINARY):
        _log.warning("broker_says", line=line)


_ORDINARY: Final = ("unexpected eof while reading", "should not be run as root")
"""A client that left without goodbye; and that we run it as root where we are root ourselves."""
