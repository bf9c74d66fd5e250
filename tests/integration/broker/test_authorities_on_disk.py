"""What is made once is found again, whole, and by its owner alone."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509

from broker import credentials
from broker.authorities import AuthorityFileError, CertificateAuthorities
from broker.certificates import Issuer
from broker.credentials import HubCredentialsError, ensure_hub_credentials, ensure_server_certificate
from broker.files import ExposedFileError, write_file

NOW = datetime(2026, 11, 23, 8, 15, tzinfo=UTC)
DAY = timedelta(days=1)
ADDRESS = IPv4Address("127.0.0.1")


@pytest.fixture
def authorities(tmp_path: Path) -> CertificateAuthorities:
    return CertificateAuthorities.open(tmp_path / "authorities", NOW)


def test_opening_again_finds_the_same_authorities(
    tmp_path: Path, authorities: CertificateAuthorities
) -> None:
    again = CertificateAuthorities.open(tmp_path / "authorities", NOW + DAY)

    assert again.root_pem == authorities.root_pem
    assert [again.anchor_pem(issuer) for issuer in Issuer] == [
        authorities.anchor_pem(issuer) for issuer in Issuer
    ]


def test_processes_that_open_at_the_same_time_all_get_the_same_authorities(tmp_path: Path) -> None:
    openers = [
        subprocess.Popen(
            [sys.executable, "-c", OPENER, str(tmp_path / "authorities")], stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]

    seen = {opener.communicate(timeout=30)[0] for opener in openers}

    assert [opener.returncode for opener in openers] == [0, 0, 0, 0]
    assert len(seen) == 1


def test_keys_are_for_their_owner_alone(tmp_path: Path, authorities: CertificateAuthorities) -> None:
    directory = tmp_path / "authorities"

    assert directory.stat().st_mode & 0o777 == 0o700
    assert {(directory / f"{name}.pem").stat().st_mode & 0o777 for name in ("root", *Issuer)} == {0o600}
    assert authorities


@pytest.mark.parametrize("name", ["root.pem", "homes.pem"])
def test_a_key_that_others_can_read_is_refused_with_the_mend(tmp_path: Path, name: str) -> None:
    CertificateAuthorities.open(tmp_path / "authorities", NOW)
    (tmp_path / "authorities" / name).chmod(0o640)

    with pytest.raises(ExposedFileError, match=rf"mode 640.*chmod 600 .*{name}"):
        CertificateAuthorities.open(tmp_path / "authorities", NOW)


def test_a_directory_that_others_can_enter_is_refused_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / "authorities").mkdir(mode=0o755)

    with pytest.raises(ExposedFileError, match="chmod 700"):
        CertificateAuthorities.open(tmp_path / "authorities", NOW)


@pytest.mark.parametrize("name", ["root.pem", "homes.pem", "partners.pem", "servers.pem"])
def test_an_authority_that_was_there_and_is_gone_is_not_made_anew(tmp_path: Path, name: str) -> None:
    CertificateAuthorities.open(tmp_path / "authorities", NOW)
    (tmp_path / "authorities" / name).unlink()

    with pytest.raises(AuthorityFileError, match=f"{name}: it is gone; restore"):
        CertificateAuthorities.open(tmp_path / "authorities", NOW)
    assert not (tmp_path / "authorities" / name).exists()


def test_a_first_start_that_was_interrupted_goes_on_where_it_stopped(tmp_path: Path) -> None:
    directory = tmp_path / "authorities"
    first = CertificateAuthorities.open(directory, NOW)
    for name in ("complete", "servers.pem"):
        (directory / name).unlink()

    resumed = CertificateAuthorities.open(directory, NOW)

    assert resumed.root_pem == first.root_pem
    assert resumed.anchor_pem(Issuer.HOMES) == first.anchor_pem(Issuer.HOMES)
    assert CertificateAuthorities.open(directory, NOW).anchor_pem(Issuer.SERVERS) == resumed.anchor_pem(
        Issuer.SERVERS
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "not a key and certificates"), (b"-----BEGIN PRIVATE KEY-----\n", "not a key and certificates")],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes, problem: str) -> None:
    CertificateAuthorities.open(tmp_path / "authorities", NOW)
    write_file(tmp_path / "authorities" / "homes.pem", content)

    with pytest.raises(AuthorityFileError, match=problem):
        CertificateAuthorities.open(tmp_path / "authorities", NOW)


def test_an_authority_of_another_root_is_refused(tmp_path: Path) -> None:
    CertificateAuthorities.open(tmp_path / "authorities", NOW)
    CertificateAuthorities.open(tmp_path / "other", NOW)
    (tmp_path / "other" / "homes.pem").replace(tmp_path / "authorities" / "homes.pem")

    with pytest.raises(AuthorityFileError, match="not signed by the root beside it"):
        CertificateAuthorities.open(tmp_path / "authorities", NOW)


def test_a_key_that_does_not_belong_to_its_certificate_is_refused(tmp_path: Path) -> None:
    CertificateAuthorities.open(tmp_path / "authorities", NOW)
    homes, partners = (tmp_path / "authorities" / f"{name}.pem" for name in ("homes", "partners"))
    end_of_key = b"-----END PRIVATE KEY-----\n"
    key = partners.read_bytes().partition(end_of_key)[0]
    write_file(homes, key + end_of_key + homes.read_bytes().partition(end_of_key)[2])

    with pytest.raises(AuthorityFileError, match="do not belong together"):
        CertificateAuthorities.open(tmp_path / "authorities", NOW)


def test_credentials_come_with_a_key_for_their_owner_alone(
    tmp_path: Path, authorities: CertificateAuthorities
) -> None:
    issued = authorities.issue_client(Issuer.HOMES, "p7", now=NOW, valid_for=DAY)

    credentials.write_credentials(tmp_path / "p7", issued, authorities.root_pem)

    assert {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "p7").iterdir()} == {
        "key.pem": 0o600,
        "cert.pem": 0o644,
        "ca.pem": 0o644,
    }
    assert (tmp_path / "p7" / "cert.pem").read_bytes() == issued.certificate_pem


def test_credentials_that_cannot_be_written_whole_leave_no_old_key_beside_a_new_certificate(
    tmp_path: Path, authorities: CertificateAuthorities
) -> None:
    old, new = (authorities.issue_client(Issuer.HOMES, "p7", now=NOW, valid_for=DAY) for _ in range(2))
    credentials.write_credentials(tmp_path / "p7", old, authorities.root_pem)
    (tmp_path / "p7" / "cert.pem").unlink()
    (tmp_path / "p7" / "cert.pem").mkdir()

    with pytest.raises(IsADirectoryError):
        credentials.write_credentials(tmp_path / "p7", new, authorities.root_pem)

    assert sorted(path.name for path in (tmp_path / "p7").iterdir()) == ["ca.pem", "cert.pem"]


class TestServerCertificate:
    def test_is_kept_while_it_serves_every_name_for_30_days(
        self, tmp_path: Path, authorities: CertificateAuthorities
    ) -> None:
        made = _ensure(tmp_path, authorities, NOW)

        later = _ensure(tmp_path, authorities, made.not_after - timedelta(days=30))

        assert made.is_new
        assert not later.is_new

    def test_is_renewed_in_its_last_30_days(
        self, tmp_path: Path, authorities: CertificateAuthorities
    ) -> None:
        made = _ensure(tmp_path, authorities, NOW)

        later = _ensure(tmp_path, authorities, made.not_after - timedelta(days=29))

        assert later.is_new
        assert later.not_after > made.not_after

    def test_is_renewed_for_a_name_that_it_lacks_and_not_for_one_that_it_has_too_many(
        self, tmp_path: Path, authorities: CertificateAuthorities
    ) -> None:
        _ensure(tmp_path, authorities, NOW, "localhost", "hub.example.org")

        assert not _ensure(tmp_path, authorities, NOW).is_new
        assert _ensure(tmp_path, authorities, NOW, "localhost", "new.example.org").is_new

    def test_is_made_anew_where_the_stored_one_is_damaged_or_of_other_authorities(
        self, tmp_path: Path, authorities: CertificateAuthorities
    ) -> None:
        write_file(tmp_path / "server.pem", b"half a file")
        assert _ensure(tmp_path, authorities, NOW).is_new

        others = CertificateAuthorities.open(tmp_path / "others", NOW)
        assert _ensure(tmp_path, others, NOW).is_new

    def test_its_file_is_for_its_owner_alone(
        self, tmp_path: Path, authorities: CertificateAuthorities
    ) -> None:
        _ensure(tmp_path, authorities, NOW)

        assert (tmp_path / "server.pem").stat().st_mode & 0o777 == 0o600
        (tmp_path / "server.pem").chmod(0o644)
        with pytest.raises(ExposedFileError):
            _ensure(tmp_path, authorities, NOW)


def test_the_hubs_credentials_are_made_once(tmp_path: Path) -> None:
    made = ensure_hub_credentials(tmp_path / "hub.json")

    assert ensure_hub_credentials(tmp_path / "hub.json") == made
    assert (tmp_path / "hub.json").stat().st_mode & 0o777 == 0o600
    assert made.password not in repr(made)
    assert made.session_secret not in repr(made)


def test_hub_credentials_that_cannot_be_read_are_refused_with_the_mend_and_without_the_secret(
    tmp_path: Path,
) -> None:
    write_file(tmp_path / "hub.json", b'{"password": "very secret"}')

    with pytest.raises(HubCredentialsError, match=r"hub\.json: expected JSON with password") as caught:
        ensure_hub_credentials(tmp_path / "hub.json")

    assert "very secret" not in str(caught.value)


def test_a_file_that_could_not_be_replaced_stays_as_it_was_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()

    with pytest.raises(IsADirectoryError):
        write_file(tmp_path / "taken", b"new")

    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_issuing_keeps_no_copy_of_the_key(tmp_path: Path, authorities: CertificateAuthorities) -> None:
    issued = authorities.issue_client(Issuer.HOMES, "p7", now=NOW, valid_for=DAY)

    assert issued.key_pem not in b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert "PRIVATE" not in repr(issued)
    assert x509.load_pem_x509_certificate(issued.certificate_pem)


def _ensure(
    directory: Path, authorities: CertificateAuthorities, at: datetime, *dns_names: str
) -> credentials.ServerCertificate:
    return ensure_server_certificate(
        directory / "server.pem",
        authorities,
        dns_names=dns_names or ["localhost"],
        addresses=[ADDRESS],
        now=at,
    )


OPENER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from broker.authorities import CertificateAuthorities
from broker.certificates import Issuer
found = CertificateAuthorities.open(Path(sys.argv[1]), datetime(2026, 11, 23, tzinfo=UTC))
print(found.root_pem, [found.anchor_pem(issuer) for issuer in Issuer])
"""
