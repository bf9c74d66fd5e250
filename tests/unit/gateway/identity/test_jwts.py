"""Which signed tokens are believed: a few good ones, and none of a corpus of bad ones (attack A21)."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from joserfc import jwe, jwk, jws

from gateway.identity import jwts
from gateway.identity.jwts import LONGEST, BadTokenError, Expected
from gateway.setting_tables.identity import Algorithm
from tests.support.clock import START


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


ISSUER: Final = "https://id.example.org"
AUDIENCE: Final = "urn:stadsnav:api"
EXPECTED: Final = Expected(issuer=ISSUER, audience=AUDIENCE, algorithms=tuple(Algorithm))
NOW_S: Final = int(START.timestamp())

RSA: Final = jwk.RSAKey.generate_key(2048, {"kid": "rsa"})
SMALL_RSA: Final = rsa.generate_private_key(65_537, 1_024)  # noqa: S505 - that it is small is the point
EC: Final = jwk.ECKey.generate_key("P-256", {"kid": "ec"})
EC_384: Final = jwk.ECKey.generate_key("P-384", {"kid": "ec-384"})
ED: Final = jwk.OKPKey.generate_key("Ed25519", {"kid": "ed"})
STRANGER: Final = jwk.RSAKey.generate_key(2048, {"kid": "rsa"})
SECRET: Final = jwk.OctKey.generate_key(256, {"kid": "oct"})
KEYS: Final = [
    *(key.as_dict(private=False) for key in (RSA, EC, EC_384, ED)),
    {
        "kty": "RSA",
        "kid": "small",
        "e": "AQAB",
        "n": encoded(SMALL_RSA.public_key().public_numbers().n.to_bytes(128, "big")),
    },
    RSA.as_dict(private=False, kid="for-encryption", use="enc"),
    {"kty": "oct", "kid": "empty", "k": ""},
    {"kty": "RSA", "kid": "broken", "n": "AQAB", "e": "!"},
]
PUBLIC_PEM: Final = RSA.public_key.public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)

CLAIMS: Final = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "acme-backend",
    "client_id": "acme-backend",
    "iat": NOW_S,
    "exp": NOW_S + 600,
}


def token(
    *,
    key: Any = RSA,
    header: dict[str, Any] | None = None,
    payload: bytes | None = None,
    **claims: Any,
) -> str:
    """A signed token; None as a claim's value leaves it out."""
    said = {name: value for name, value in (CLAIMS | claims).items() if value is not None}
    full = {"alg": "RS256", "kid": "rsa", "typ": "at+jwt"} | (header or {})
    full = {name: value for name, value in full.items() if value is not None}
    registry = jws.JWSRegistry(algorithms=[full["alg"]], strict_check_header=False)
    body = json.dumps(said).encode() if payload is None else payload
    return jws.serialize_compact(full, body, key, algorithms=[full["alg"]], registry=registry)


def with_raw_header(raw: bytes) -> str:
    """A token whose header is just these bytes, signed with the right key all the same."""
    signing = f"{encoded(raw)}.{encoded(json.dumps(CLAIMS).encode())}"
    good = jws.JWSRegistry.algorithms["RS256"].sign(signing.encode(), RSA)  # type: ignore[arg-type]
    return f"{signing}.{encoded(good)}"


def with_header(**more: Any) -> str:
    """A token with more in its header, rightly signed."""
    return with_raw_header(json.dumps({"alg": "RS256", "kid": "rsa", **more}).encode())


def unsigned(algorithm: str) -> str:
    header = encoded(json.dumps({"alg": algorithm, "kid": "rsa"}).encode())
    return f"{header}.{encoded(json.dumps(CLAIMS).encode())}."


def keyed_with(secret: bytes, kid: str = "rsa", algorithm: str = "HS256") -> str:
    """A token with a MAC where a signature should be."""
    header = encoded(json.dumps({"alg": algorithm, "kid": kid}).encode())
    signing = f"{header}.{encoded(json.dumps(CLAIMS).encode())}"
    return f"{signing}.{encoded(hmac.new(secret, signing.encode(), hashlib.sha256).digest())}"


def with_small_key() -> str:
    header = encoded(json.dumps({"alg": "RS256", "kid": "small"}).encode())
    signing = f"{header}.{encoded(json.dumps(CLAIMS).encode())}"
    signature = SMALL_RSA.sign(signing.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signing}.{encoded(signature)}"


def changed_claims() -> str:
    header, _, signature = token().split(".")
    return f"{header}.{encoded(json.dumps(CLAIMS | {'client_id': 'beta'}).encode())}.{signature}"


def claims_of(text: str) -> jwts.Claims:
    return jwts.verified(text, KEYS, EXPECTED, now=START)


@pytest.mark.parametrize(
    ("key", "header"),
    [
        (RSA, {}),
        (RSA, {"alg": "PS256", "typ": "JWT"}),
        (EC, {"alg": "ES256", "kid": "ec", "typ": None}),
        (EC_384, {"alg": "ES384", "kid": "ec-384"}),
        (ED, {"alg": "Ed25519", "kid": "ed"}),
        (EC, {"alg": "ES256", "kid": None}),
    ],
    ids=str,
)
def test_a_token_that_the_issuer_has_signed_for_us_is_believed(key: Any, header: dict[str, Any]) -> None:
    assert claims_of(token(key=key, header=header))["client_id"] == "acme-backend"


def test_our_audience_may_be_one_of_several() -> None:
    assert claims_of(token(aud=["urn:other", AUDIENCE]))["sub"] == "acme-backend"


BAD: Final[dict[str, Callable[[], str]]] = {
    "nothing": str,
    "no token": lambda: "a.b",
    "four parts": lambda: f"{token()}.x",
    "not ASCII": lambda: token() + "é",
    "huge": lambda: token(filler="x" * LONGEST),
    "encrypted, with a bomb inside": lambda: jwe.encrypt_compact(
        {"alg": "dir", "enc": "A256GCM", "zip": "DEF"}, b"0" * 10_000, SECRET
    ),
    "no algorithm": lambda: with_raw_header(b'{"kid":"rsa"}'),
    "algorithm none": lambda: unsigned("none"),
    "algorithm NONE": lambda: unsigned("NONE"),
    "algorithm empty": lambda: unsigned(""),
    "algorithm is a list": lambda: with_raw_header(b'{"alg":["RS256"],"kid":"rsa"}'),
    "MAC with the public key": lambda: keyed_with(PUBLIC_PEM),
    "MAC with the public key as DER": lambda: keyed_with(
        RSA.public_key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    ),
    "MAC with an empty key": lambda: keyed_with(b"", "empty"),
    "MAC that calls itself RS256": lambda: keyed_with(PUBLIC_PEM, algorithm="RS256"),
    "weak algorithm": lambda: token(header={"alg": "RS512"}),
    "another kind of key": lambda: token(key=EC, header={"alg": "ES256", "kid": "rsa"}),
    "another curve": lambda: token(key=EC_384, header={"alg": "ES384", "kid": "ec"}),
    "small key": with_small_key,
    "a key for encryption": lambda: token(header={"kid": "for-encryption"}),
    "a key that is none": lambda: token(header={"kid": "broken"}),
    "nobody's key": lambda: token(header={"kid": "gone"}),
    "key id is a path": lambda: token(header={"kid": "../../../../dev/null"}),
    "key id is SQL": lambda: token(header={"kid": "x' UNION SELECT 'k"}),
    "key id is an address": lambda: token(header={"kid": "https://evil.example.org/jwks"}),
    "key id is a number": lambda: with_header(kid=7),
    "key id is long": lambda: with_header(kid="x" * 1_000),
    "no key id, and several fit": lambda: token(header={"kid": None}),
    "a stranger's key of the same name": lambda: token(key=STRANGER),
    "brings its key along": lambda: with_header(jwk=STRANGER.as_dict(private=False)),
    "says where its keys are": lambda: with_header(jku="https://evil.example.org/jwks"),
    "says where its certificate is": lambda: with_header(x5u="https://evil.example.org/cert"),
    "brings its certificate along": lambda: with_header(x5c=["MIIB"]),
    "must be understood": lambda: with_header(crit=["exp"]),
    "must be understood, nothing": lambda: with_header(crit=[]),
    "unencoded payload": lambda: with_header(crit=["b64"], b64=False),
    "another type": lambda: with_header(typ="secevent+jwt"),
    "type is a number": lambda: with_header(typ=1),
    "header twice the same name": lambda: with_raw_header(b'{"alg":"none","alg":"RS256","kid":"rsa"}'),
    "header is a list": lambda: with_raw_header(b'["RS256"]'),
    "header nested deeply": lambda: with_raw_header(b"[" * 5_000),
    "header is not JSON": lambda: with_raw_header(b"\xff\xfe"),
    "claims twice the same name": lambda: token(
        payload=json.dumps(CLAIMS).encode()[:-1] + b',"client_id":"beta"}'
    ),
    "claims are not JSON": lambda: token(payload=b"acme"),
    "claims are a list": lambda: token(payload=b"[]"),
    "claims with NaN": lambda: token(payload=json.dumps(CLAIMS | {"exp": float("nan")}).encode()),
    "claims with a number out of bounds": lambda: token(
        payload=json.dumps(CLAIMS).encode().replace(b'"exp": ', b'"exp": 1e999, "e": ')
    ),
    "changed claims": changed_claims,
    "no signature": lambda: token().rpartition(".")[0] + ".",
    "another issuer": lambda: token(iss="https://id.example.org.evil.org"),
    "issuer with a slash": lambda: token(iss=f"{ISSUER}/"),
    "no issuer": lambda: token(iss=None),
    "issuer is a list": lambda: token(iss=[ISSUER]),
    "another audience": lambda: token(aud="urn:other"),
    "no audience": lambda: token(aud=None),
    "audience with a number": lambda: token(aud=[AUDIENCE, 1]),
    "ended": lambda: token(exp=NOW_S - 31),
    "no end": lambda: token(exp=None),
    "end is a text": lambda: token(exp=str(NOW_S + 600)),
    "end is true": lambda: token(exp=True),
    "not yet": lambda: token(nbf=NOW_S + 31),
    "made in the future": lambda: token(iat=NOW_S + 31),
    "says not when it was made": lambda: token(iat=None),
    "holds for a week": lambda: token(exp=NOW_S + 7 * 86_400),
}


def test_the_corpus_has_what_the_attack_matrix_asks_for() -> None:
    assert len(BAD) >= 40


@pytest.mark.parametrize("make", BAD.values(), ids=BAD.keys())
def test_no_bad_token_is_believed(make: Callable[[], str]) -> None:
    with pytest.raises(BadTokenError):
        claims_of(make())


def test_what_the_city_does_not_allow_is_not_believed() -> None:
    only = Expected(issuer=ISSUER, audience=AUDIENCE, algorithms=["ES256"])

    with pytest.raises(BadTokenError, match="algorithm"):
        jwts.verified(token(), KEYS, only, now=START)


@pytest.mark.parametrize(("after", "is_believed"), [(629, True), (630, False)])
def test_clocks_may_differ_by_half_a_minute(after: int, is_believed: bool) -> None:  # noqa: FBT001
    later = START + timedelta(seconds=after)

    if is_believed:
        jwts.verified(token(), KEYS, EXPECTED, now=later)
    else:
        with pytest.raises(BadTokenError, match="time"):
            jwts.verified(token(), KEYS, EXPECTED, now=later)


def test_no_reason_names_what_the_token_says() -> None:
    with pytest.raises(BadTokenError) as caught:
        claims_of(token(iss="https://personal-data.example.org"))

    assert "personal" not in str(caught.value)
