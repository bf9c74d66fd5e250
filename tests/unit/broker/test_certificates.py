import re
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from broker import certificates
from broker.certificates import (
    BACKDATED_BY,
    Authority,
    ClientIdError,
    IssuedCertificate,
    Issuer,
    NoServerNameError,
    RevokedCertificate,
    SerialError,
    to_pem,
)

NOW = datetime(2026, 11, 23, 8, 15, tzinfo=UTC)
DAY = timedelta(days=1)
ROOT = certificates.new_root(NOW)
HOMES, PARTNERS, SERVERS = (certificates.new_issuer(issuer, ROOT, now=NOW) for issuer in Issuer)


def home(client_id: str = "p7") -> IssuedCertificate:
    return certificates.issue_client(HOMES, client_id, now=NOW, valid_for=DAY)


def server(*dns_names: str) -> IssuedCertificate:
    return certificates.issue_server(
        SERVERS, dns_names=dns_names, addresses=[ip_address("10.0.0.7")], now=NOW, valid_for=DAY
    )


def leaf(issued: IssuedCertificate) -> x509.Certificate:
    return x509.load_pem_x509_certificates(issued.certificate_pem)[0]


def purposes(certificate: x509.Certificate) -> list[x509.ObjectIdentifier]:
    return list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def constraints(certificate: x509.Certificate) -> x509.BasicConstraints:
    return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value


def test_the_root_signs_authorities_and_those_sign_no_further_ones() -> None:
    assert constraints(ROOT.certificate).path_length == 1
    assert {constraints(a.certificate).path_length for a in (HOMES, PARTNERS, SERVERS)} == {0}
    assert constraints(leaf(home())).ca is False


@pytest.mark.parametrize("authority", [HOMES, PARTNERS, SERVERS])
def test_an_anchor_has_the_key_subject_and_key_identifier_of_the_certificate_that_the_root_signed(
    authority: Authority,
) -> None:
    signed, anchor = authority.certificate, authority.anchor

    signed.verify_directly_issued_by(ROOT.certificate)
    anchor.verify_directly_issued_by(anchor)
    assert anchor.public_key() == signed.public_key()
    assert anchor.subject == signed.subject
    assert key_identifier(anchor) == key_identifier(signed)
    assert anchor.serial_number != signed.serial_number


def key_identifier(certificate: x509.Certificate) -> bytes:
    return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest


def test_every_key_is_of_the_curve_p_256_and_every_signature_of_sha_256() -> None:
    for certificate in (ROOT.certificate, HOMES.certificate, HOMES.anchor, leaf(home()), leaf(server())):
        key = certificate.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert isinstance(key.curve, ec.SECP256R1)
        assert certificate.signature_hash_algorithm is not None
        assert certificate.signature_hash_algorithm.name == "sha256"


def test_a_client_certificate_holds_the_id_and_no_other_word_about_anyone() -> None:
    certificate = leaf(home("p7"))

    assert certificate.subject.rfc4514_string() == "CN=p7"
    assert purposes(certificate) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert {extension.oid._name for extension in certificate.extensions} == {
        "subjectKeyIdentifier",
        "authorityKeyIdentifier",
        "basicConstraints",
        "keyUsage",
        "extendedKeyUsage",
    }


def test_a_server_certificate_is_for_servers_only_and_holds_its_names() -> None:
    certificate = leaf(server("hub.example.org", "localhost"))

    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["hub.example.org", "localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [ip_address("10.0.0.7")]
    assert purposes(certificate) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_a_server_certificate_without_a_name_is_refused() -> None:
    with pytest.raises(NoServerNameError, match="expected a DNS name or an address"):
        certificates.issue_server(SERVERS, dns_names=[], addresses=[], now=NOW, valid_for=DAY)


def test_serial_numbers_are_long_and_never_the_same() -> None:
    serials = {int(home().serial, 16) for _ in range(50)}

    assert len(serials) == 50
    assert max(serials).bit_length() > 150


def test_what_is_issued_is_good_at_once_for_a_clock_that_is_five_minutes_late() -> None:
    assert leaf(home()).not_valid_before_utc == NOW - BACKDATED_BY == NOW - timedelta(minutes=5)
    assert HOMES.certificate.not_valid_before_utc == NOW - BACKDATED_BY


def test_the_facts_that_come_with_a_certificate_are_the_certificates() -> None:
    issued = home()
    certificate = leaf(issued)

    assert issued.serial == f"{certificate.serial_number:x}"
    assert issued.not_after == certificate.not_valid_after_utc == NOW + DAY
    assert re.fullmatch("[0-9a-f]{64}", issued.fingerprint_sha256)
    assert issued.certificate_pem.endswith(to_pem(HOMES.certificate))


def test_nothing_outlives_the_authority_that_issued_it() -> None:
    century = timedelta(days=36_500)

    assert HOMES.certificate.not_valid_after_utc <= ROOT.certificate.not_valid_after_utc
    issued = certificates.issue_client(HOMES, "p7", now=NOW, valid_for=century)
    assert issued.not_after == HOMES.certificate.not_valid_after_utc
    revoked = certificates.revocation_list(HOMES, [], now=NOW, valid_for=century)
    assert x509.load_pem_x509_crl(revoked).next_update_utc == HOMES.certificate.not_valid_after_utc


@pytest.mark.parametrize(
    "client_id", ["@hub", "CN=acme", "", "P7", "p7/p8", "+", "#", "p7\n", "-p7", "a" * 64, "ä"]
)
def test_an_id_that_could_pose_as_somebody_else_gets_no_certificate(client_id: str) -> None:
    with pytest.raises(ClientIdError, match="expected 1 to 63 of a-z"):
        home(client_id)


def test_a_revocation_list_names_its_serials_and_its_authority() -> None:
    issued = home()
    revoked = [RevokedCertificate(serial=issued.serial, revoked_at=NOW)]

    found = x509.load_pem_x509_crl(certificates.revocation_list(HOMES, revoked, now=NOW, valid_for=DAY))

    assert found.is_signature_valid(HOMES.key.public_key())
    assert found.get_revoked_certificate_by_serial_number(int(issued.serial, 16)) is not None
    assert found.get_revoked_certificate_by_serial_number(int(home().serial, 16)) is None
    assert found.last_update_utc == NOW - BACKDATED_BY


def test_a_serial_that_is_no_number_is_refused() -> None:
    revoked = [RevokedCertificate(serial="p7", revoked_at=NOW)]

    with pytest.raises(SerialError, match="Cannot revoke serial 'p7': expected hexadecimal digits"):
        certificates.revocation_list(HOMES, revoked, now=NOW, valid_for=DAY)


@given(st.text(max_size=70))
def test_any_text_gets_either_a_certificate_with_exactly_that_name_or_none(text: str) -> None:
    try:
        issued = home(text)
    except ClientIdError:
        assert not re.fullmatch("[a-z0-9][a-z0-9-]{0,62}", text)
    else:
        assert leaf(issued).subject.rfc4514_string() == f"CN={text}"
