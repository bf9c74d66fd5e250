from dataclasses import replace
from pathlib import Path

import pytest

from broker.certificates import Issuer
from broker.configuration import BrokerConfiguration, BrokerPaths, ConfigurationPathError, Listener, render
from broker.limits import GLOBAL_LIMITS, HUB_CONNECTIONS, LISTENER_LIMITS

PATHS = BrokerPaths(directory=Path("/srv/stadsnav/broker"))
CONFIGURATION = BrokerConfiguration(
    paths=PATHS,
    homes=Listener(port=8883),
    partners=Listener(port=8884, address="10.0.0.7"),
    internal_port=1884,
    bulk_port=1885,
    run_as="root",
)


def sections() -> list[list[str]]:
    """The lines before the first listener, then those of each."""
    found: list[list[str]] = [[]]
    for line in render(CONFIGURATION).splitlines():
        if line.startswith("listener "):
            found.append([])
        found[-1].append(line)
    return found


def test_homes_are_known_by_their_name_and_partners_by_their_whole_subject() -> None:
    _, homes, partners, *_ = sections()

    assert "use_identity_as_username true" in homes
    assert "use_subject_as_username true" in partners
    assert not any("use_identity" in line for line in partners)


@pytest.mark.parametrize(("position", "issuer"), [(1, Issuer.HOMES), (2, Issuer.PARTNERS)])
def test_a_tls_listener_trusts_its_own_anchor_and_wants_a_certificate_that_is_not_revoked(
    position: int, issuer: Issuer
) -> None:
    lines = sections()[position]

    assert f"cafile {PATHS.anchor(issuer)}" in lines
    assert f"crlfile {PATHS.revoked(issuer)}" in lines
    assert "require_certificate true" in lines
    assert "tls_version tlsv1.2" in lines


def test_the_listeners_without_client_certificates_are_on_the_loopback_only() -> None:
    general, homes, partners, internal, bulk = sections()

    assert homes[0] == "listener 8883"
    assert partners[0] == "listener 8884 10.0.0.7"
    assert internal[0] == "listener 1884 127.0.0.1"
    assert not any("cafile" in line for line in internal)
    assert bulk[0] == "listener 1885 127.0.0.1"
    assert f"certfile {PATHS.server}" in bulk
    assert "allow_anonymous false" in general


def test_all_listeners_share_one_set_of_rules() -> None:
    """Rules per listener make Mosquitto 2.0.12 to 2.0.22 drop what arrives for a client that is offline."""
    general, *listeners = sections()

    assert "per_listener_settings" not in render(CONFIGURATION)
    assert f"acl_file {PATHS.access}" in general
    assert f"password_file {PATHS.passwords}" in general
    assert not any("acl_file" in line or "password_file" in line for lines in listeners for line in lines)


def test_nothing_of_qos_0_is_queued_and_no_alarm_waits_to_share_a_packet() -> None:
    general = sections()[0]

    assert "queue_qos0_messages false" in general
    assert "set_tcp_nodelay true" in general


def test_every_limit_is_set() -> None:
    lines = render(CONFIGURATION).splitlines()

    assert [
        line for line in lines if line.partition(" ")[0] in {limit.option for limit in GLOBAL_LIMITS}
    ] == [limit.line for limit in GLOBAL_LIMITS]
    assert [line for line in lines if line.startswith("max_connections")] == [
        *(limit.line for limit in LISTENER_LIMITS),
        HUB_CONNECTIONS.line,  # the hub has two listeners
    ]


def test_whoever_is_not_root_names_no_user() -> None:
    assert "user root" in render(CONFIGURATION)
    assert "user " not in render(replace(CONFIGURATION, run_as=None))


@pytest.mark.parametrize("directory", ["relative/broker", "/srv/two\nlines"])
def test_a_directory_that_the_file_cannot_carry_is_refused(directory: str) -> None:
    paths = BrokerPaths(directory=Path(directory))

    with pytest.raises(ConfigurationPathError, match="expected an absolute path on one line"):
        render(replace(CONFIGURATION, paths=paths))
