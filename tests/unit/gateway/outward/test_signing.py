"""Signatures that the published library verifies, and that nobody else can make."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.outward.signing import Signer
from services.domain.clock import SystemClock
from services.domain.subscriptions import Signature

NEW, OLD, OTHER = b"n" * 32, b"o" * 32, b"x" * 32
EVENT: Final = "0192f0c1-7f3e-7aaa-8bbb-0123456789ab"
BODY: Final = '{"name":"Åsa","n":1}'.encode()


def whsec(secret: bytes) -> str:
    return "whsec_" + base64.b64encode(secret).decode()


def shared(*secrets: bytes) -> Signer:
    return Signer(signature=Signature.HMAC, secrets=secrets)


def now() -> datetime:
    """The library takes no other clock."""
    return SystemClock().now()


def test_the_published_library_verifies_ours() -> None:
    headers = shared(NEW).headers(EVENT, BODY, now())

    assert Webhook(whsec(NEW)).verify(BODY, headers) == json.loads(BODY)


@pytest.mark.parametrize("secret", [NEW, OLD])
def test_during_a_rotation_it_verifies_with_either_secret(secret: bytes) -> None:
    headers = shared(NEW, OLD).headers(EVENT, BODY, now())

    Webhook(whsec(secret)).verify(BODY, headers)
    assert len(headers["webhook-signature"].split()) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": EVENT[:-1] + "0"},
        {"webhook-timestamp": "1"},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": ""},
    ],
)
def test_whatever_of_it_is_changed_it_is_not_verified(change: dict[str, str]) -> None:
    headers = shared(NEW).headers(EVENT, BODY, now()) | change

    with pytest.raises(WebhookVerificationError):
        Webhook(whsec(NEW)).verify(BODY, headers)


def test_neither_another_body_nor_another_secret_is_verified() -> None:
    headers = shared(NEW).headers(EVENT, BODY, now())

    with pytest.raises(WebhookVerificationError):
        Webhook(whsec(NEW)).verify(BODY + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(whsec(OTHER)).verify(BODY, headers)


def test_what_is_sent_later_is_signed_for_its_own_time() -> None:
    """Receivers refuse what is five minutes old: that must not meet the tenth attempt."""
    old = shared(NEW).headers(EVENT, BODY, now() - timedelta(minutes=6))
    again = shared(NEW).headers(EVENT, BODY, now())

    with pytest.raises(WebhookVerificationError):
        Webhook(whsec(NEW)).verify(BODY, old)
    Webhook(whsec(NEW)).verify(BODY, again)
    assert old["webhook-id"] == again["webhook-id"]


@given(body=st.binary(max_size=200), moment=st.datetimes(datetime(2026, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001 - hypothesis takes naive ones
def test_who_keeps_the_public_key_alone_verifies_too(body: bytes, moment: datetime) -> None:
    private = Ed25519PrivateKey.from_private_bytes(NEW)
    signer = Signer(signature=Signature.ED25519, secrets=(NEW, OLD))

    headers = signer.headers(EVENT, body, moment.replace(tzinfo=UTC))

    first, second = headers["webhook-signature"].split()
    signed = b".".join((EVENT.encode(), headers["webhook-timestamp"].encode(), body))
    private.public_key().verify(_raw(first), signed)
    Ed25519PrivateKey.from_private_bytes(OLD).public_key().verify(_raw(second), signed)
    with pytest.raises(InvalidSignature):
        private.public_key().verify(_raw(first), signed + b" ")


def test_a_signer_shows_no_secret() -> None:
    assert "nnn" not in repr(shared(NEW))


def _raw(signature: str) -> bytes:
    version, _, text = signature.partition(",")
    assert version == "v1a"
    return base64.b64decode(text, validate=True)
