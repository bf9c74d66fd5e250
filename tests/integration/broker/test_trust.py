"""Who trusts whom, asked of OpenSSL alone: handshakes in memory, with no revocation list in the way.

Mosquitto's listeners have two locks against a partner on the homes' listener: the anchor, and a
revocation list that knows nothing of the partners' authority. These tests are about the first alone.
"""

import ssl
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from broker import credentials
from broker.authorities import CertificateAuthorities
from broker.certificates import IssuedCertificate, Issuer
from tests.integration.broker.running import now

DAY = timedelta(days=1)


@pytest.fixture
def authorities(tmp_path: Path) -> CertificateAuthorities:
    return CertificateAuthorities.open(tmp_path / "authorities", now())


@pytest.fixture
def server(tmp_path: Path, authorities: CertificateAuthorities) -> Path:
    issued = authorities.issue_server(
        dns_names=["localhost"], addresses=[IPv4Address("127.0.0.1")], now=now(), valid_for=DAY
    )
    return _folder(tmp_path / "server", issued, authorities)


@pytest.fixture
def partner(tmp_path: Path, authorities: CertificateAuthorities) -> Path:
    """A partner who sends everything along that could prove him."""
    issued = authorities.issue_client(Issuer.PARTNERS, "acme", now=now(), valid_for=DAY)
    folder = _folder(tmp_path / "partner", issued, authorities)
    with (folder / "cert.pem").open("ab") as chain:
        chain.write(authorities.root_pem)
    return folder


@pytest.fixture
def home(tmp_path: Path, authorities: CertificateAuthorities) -> Path:
    issued = authorities.issue_client(Issuer.HOMES, "p7", now=now(), valid_for=DAY)
    return _folder(tmp_path / "home", issued, authorities)


def test_an_anchor_lets_in_those_whom_its_authority_certified_and_no_others(
    authorities: CertificateAuthorities, server: Path, home: Path, partner: Path
) -> None:
    homes_listener = _listening(server, authorities.anchor_pem(Issuer.HOMES))

    _shake_hands(homes_listener, _calling(home))
    with pytest.raises(ssl.SSLCertVerificationError):
        _shake_hands(homes_listener, _calling(partner))


def test_the_root_in_an_anchors_place_would_let_everyone_in(
    authorities: CertificateAuthorities, server: Path, partner: Path
) -> None:
    """The mistake that the anchors are there to prevent, so that the test above proves something."""
    _shake_hands(_listening(server, authorities.root_pem), _calling(partner))


def test_a_home_that_trusts_the_root_knows_the_citys_server_by_its_names(
    authorities: CertificateAuthorities, server: Path, home: Path
) -> None:
    listening = _listening(server, authorities.anchor_pem(Issuer.HOMES))

    for name in ("localhost", "127.0.0.1"):
        _shake_hands(listening, _calling(home), name=name)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        _shake_hands(listening, _calling(home), name="elsewhere.example.org")


@pytest.mark.parametrize("impostor", ["home", "partner"])
def test_no_client_can_pose_as_the_server(
    authorities: CertificateAuthorities, home: Path, impostor: str, request: pytest.FixtureRequest
) -> None:
    posing = _listening(request.getfixturevalue(impostor), authorities.anchor_pem(Issuer.HOMES))
    calling = _calling(home)
    calling.check_hostname = False  # leaves the purpose as the only reason to refuse

    with pytest.raises(ssl.SSLCertVerificationError, match="unsuitable certificate purpose"):
        _shake_hands(posing, calling)


def test_the_server_can_not_pose_as_a_client(authorities: CertificateAuthorities, server: Path) -> None:
    listening = _listening(server, authorities.anchor_pem(Issuer.SERVERS))

    with pytest.raises(ssl.SSLCertVerificationError, match="unsuitable certificate purpose"):
        _shake_hands(listening, _calling(server))


def _folder(path: Path, issued: IssuedCertificate, authorities: CertificateAuthorities) -> Path:
    credentials.write_credentials(path, issued, authorities.root_pem)
    return path


def _listening(folder: Path, trusted_pem: bytes) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=trusted_pem.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def _calling(folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def _shake_hands(listening: ssl.SSLContext, calling: ssl.SSLContext, *, name: str = "localhost") -> None:
    """Raise what either side raises."""
    upwards, downwards = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        calling.wrap_bio(downwards, upwards, server_hostname=name),
        listening.wrap_bio(upwards, downwards, server_side=True),
    ]
    while sides:
        sides = [side for side in sides if not _is_done(side)]


def _is_done(side: ssl.SSLObject) -> bool:
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True
