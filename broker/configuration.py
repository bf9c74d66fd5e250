"""Mosquitto's configuration: what we write, where, and why each line is as it is.

    homes     8883  TLS, certificate of the homes' authority      user = CN; integrations come here too
    partners  8884  TLS, certificate of the partners' authority   user = whole subject
    internal        loopback, password                            user = @hub
    bulk            loopback, TLS, password                       user = @hub

``render`` is the text alone; the ``write_…`` functions put it and what it names on disk. After
``write_access_file`` or ``write_revocation_lists`` the broker wants a reload (``broker.mosquitto``);
after ``write_configuration`` with other ports, a restart.

Works with Mosquitto 2.0.11 and newer. Since 2.1 ``acl_file`` and ``password_file`` are deprecated in
favour of plugins that Debian 12 does not have; they work until 3.0.
"""

import os
import pwd
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from broker import limits
from broker.access_rules import access_file
from broker.authorities import CertificateAuthorities
from broker.certificates import REVOCATION_LIST_LIFETIME, Issuer, RevokedCertificate
from broker.credentials import PASSWORD_SALT_BYTES, HubCredentials, password_line
from broker.files import make_private_directory, write_file
from broker.limits import Limit

LOOPBACK: Final = "127.0.0.1"
CLIENT_ISSUERS: Final = (Issuer.HOMES, Issuer.PARTNERS)

USER_NAME_OPTION: Final = {
    Issuer.HOMES: "use_identity_as_username true",
    # The subject is "CN=care-one": a home whose id is care-one is another user.
    Issuer.PARTNERS: "use_subject_as_username true",
}
CONNECTIONS: Final = {
    Issuer.HOMES: limits.HOME_CONNECTIONS,
    Issuer.PARTNERS: limits.PARTNER_CONNECTIONS,
}


class ConfigurationPathError(ValueError):
    """A path that Mosquitto's configuration cannot carry."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"Cannot name {str(path)!r} in mosquitto.conf: expected an absolute path on one line"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Where clients connect."""

    port: int
    address: str | None = None
    """None means every address of the machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerPaths:
    """Where the broker's files are: all below one directory that only we can enter."""

    directory: Path

    @property
    def configuration(self) -> Path:
        """``mosquitto -c`` takes this."""
        return self.directory / "mosquitto.conf"

    @property
    def access(self) -> Path:
        """Who may read and write which topics."""
        return self.directory / "access.conf"

    @property
    def passwords(self) -> Path:
        """The hub's user alone."""
        return self.directory / "passwords"

    @property
    def server(self) -> Path:
        """The broker's own key and chain."""
        return self.directory / "server.pem"

    @property
    def state(self) -> Path:
        """The directory of Mosquitto's snapshot."""
        return self.directory / "state"

    @property
    def root(self) -> Path:
        """What the hub itself trusts."""
        return self.directory / "root.pem"

    def anchor(self, issuer: Issuer) -> Path:
        """What a listener trusts."""
        return self.directory / f"{issuer}.anchor.pem"

    def revoked(self, issuer: Issuer) -> Path:
        """What it trusts no more."""
        return self.directory / f"{issuer}.revoked.pem"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerConfiguration:
    """What differs from one installation to the next. Everything else is a constant with a reason."""

    paths: BrokerPaths
    homes: Listener
    partners: Listener
    internal_port: int
    bulk_port: int
    run_as: str | None
    """The user whom a broker that is started as root becomes; None where we are not root."""

    @property
    def internal(self) -> Listener:
        """Where the hub connects."""
        return Listener(port=self.internal_port, address=LOOPBACK)

    @property
    def bulk(self) -> Listener:
        """Where the hub's reading session connects."""
        return Listener(port=self.bulk_port, address=LOOPBACK)

    @property
    def ports(self) -> tuple[int, int, int, int]:
        """What a broker that is ready listens on."""
        return self.homes.port, self.partners.port, self.internal_port, self.bulk_port


def running_user() -> str | None:
    """The user that a broker of ours must stay to reach our files: root stays root."""
    return pwd.getpwuid(0).pw_name if os.geteuid() == 0 else None


def render(configuration: BrokerConfiguration) -> str:
    """The text of mosquitto.conf.

    Raises:
        ConfigurationPathError: The directory's path is relative or has a line break.
    """
    paths = configuration.paths
    if not paths.directory.is_absolute() or any(c in str(paths.directory) for c in "\r\n"):
        raise ConfigurationPathError(paths.directory)
    sections = [
        ["# Written by Stadsnav from broker/configuration.py; changes here are lost."],
        [f"user {configuration.run_as}"] if configuration.run_as else [],
        _security(paths),
        _delivery(paths),
        _log(),
        _tls_listener(Issuer.HOMES, configuration.homes, paths),
        _tls_listener(Issuer.PARTNERS, configuration.partners, paths),
        _listener(configuration.internal, limits.HUB_CONNECTIONS),
        _bulk_listener(configuration.bulk, paths),
    ]
    return "\n".join("".join(f"{line}\n" for line in section) for section in sections if section)


def write_configuration(configuration: BrokerConfiguration, hub: HubCredentials) -> None:
    """Write mosquitto.conf and the hub's password, and make the directory of the state."""
    paths = configuration.paths
    make_private_directory(paths.directory)
    make_private_directory(paths.state)
    salt = secrets.token_bytes(PASSWORD_SALT_BYTES)
    write_file(paths.passwords, f"{password_line(hub, salt)}\n".encode())
    write_file(paths.configuration, render(configuration).encode())


def write_access_file(
    paths: BrokerPaths,
    organisation_ids: Iterable[str],
    integration_ids: Iterable[str] = (),
    *,
    shut_out: Iterable[str] = (),
) -> None:
    """Let these organisations and integrations in, and no others; see ``access_file``.

    A reload takes it at once, for sessions that are open too.
    """
    make_private_directory(paths.directory)
    content = access_file(organisation_ids, integration_ids, shut_out=shut_out)
    write_file(paths.access, content.encode())


def write_anchors(paths: BrokerPaths, authorities: CertificateAuthorities) -> None:
    """Write what the listeners of homes and partners trust, and what the hub trusts."""
    make_private_directory(paths.directory)
    write_file(paths.root, authorities.root_pem)
    for issuer in CLIENT_ISSUERS:
        write_file(paths.anchor(issuer), authorities.anchor_pem(issuer))


def write_revocation_lists(
    paths: BrokerPaths,
    authorities: CertificateAuthorities,
    revoked: Mapping[Issuer, Sequence[RevokedCertificate]],
    *,
    now: datetime,
) -> None:
    """Write the complete lists; an issuer that is not named has revoked nothing.

    A reload takes them for the next handshake. A connection that is open stays open.
    """
    make_private_directory(paths.directory)
    for issuer in CLIENT_ISSUERS:
        serials = revoked.get(issuer, ())
        content = authorities.revocation_list(issuer, serials, now=now, valid_for=REVOCATION_LIST_LIFETIME)
        write_file(paths.revoked(issuer), content)


def _security(paths: BrokerPaths) -> list[str]:
    return [
        # One set for all listeners. With ``per_listener_settings true``, Mosquitto 2.0.12 to 2.0.22 drop
        # whatever arrives for a client that is offline: alarms would not wait for the hub.
        "allow_anonymous false",
        f"acl_file {paths.access}",
        f"password_file {paths.passwords}",
    ]


def _delivery(paths: BrokerPaths) -> list[str]:
    return [
        "persistence true",
        f"persistence_location {paths.state}/",
        # Events go to partners with QoS 0: with true they would wait for an offline partner, and
        # arrive after the grant that covered them was withdrawn.
        "queue_qos0_messages false",
        "set_tcp_nodelay true",  # an alarm does not wait to share a packet
        *(limit.line for limit in limits.GLOBAL_LIMITS),
    ]


def _log() -> list[str]:
    return [
        "log_dest stderr",
        "log_dest topic",  # $SYS/broker/log/…: the hub learns from it that a partner came online
        *(f"log_type {severity}" for severity in ("error", "warning", "notice", "subscribe")),
        "log_timestamp false",  # ours has one
        "connection_messages true",
    ]


def _tls_listener(issuer: Issuer, listener: Listener, paths: BrokerPaths) -> list[str]:
    return [
        *_listener(listener, CONNECTIONS[issuer]),
        f"cafile {paths.anchor(issuer)}",
        f"crlfile {paths.revoked(issuer)}",
        f"certfile {paths.server}",
        f"keyfile {paths.server}",
        "tls_version tlsv1.2",  # at least
        "require_certificate true",
        USER_NAME_OPTION[issuer],
    ]


def _bulk_listener(listener: Listener, paths: BrokerPaths) -> list[str]:
    """For the session that floods come through, with TLS on purpose.

    Mosquitto reads one packet of a plain connection in a turn of its loop, so the PUBACKs of one session
    would wait behind the packets of all homes; of a TLS record it reads all that are in it.
    """
    return [
        *_listener(listener, limits.HUB_CONNECTIONS),
        f"certfile {paths.server}",
        f"keyfile {paths.server}",
        "tls_version tlsv1.2",
    ]


def _listener(listener: Listener, connections: Limit) -> list[str]:
    address = f" {listener.address}" if listener.address else ""
    return [f"listener {listener.port}{address}", connections.line]
