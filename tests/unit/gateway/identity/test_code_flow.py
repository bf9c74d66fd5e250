"""The code flow and the provider's keys, over a provider that says whatever a test wants it to say."""

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc import jwk, jws
from pydantic import SecretStr

from gateway.identity.code_flow import CodeFlow, CodeRefusedError
from gateway.identity.documents import ProviderAwayError
from gateway.identity.issuer import Issuer
from gateway.identity.jwts import BadTokenError
from gateway.setting_tables.identity import IdentitySettings
from tests.support.clock import START

ISSUER: Final = "https://id.example.org"
KEY: Final = jwk.ECKey.generate_key("P-256", {"kid": "k-1"})
NOW_S: Final = int(START.timestamp())
SETTINGS: Final = IdentitySettings(issuer=ISSUER, client_id="hub", client_secret=SecretStr("hub:secret"))


class Provider:
    """Answers as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.metadata: dict[str, Any] = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/auth",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/jwks",
        }
        self.claims: dict[str, Any] = {}
        self.is_away = False
        self.asked: list[str] = []
        self.form: Mapping[str, str] = {}
        self.authorization: str | None = None

    async def get(self, url: str) -> dict[str, Any]:
        self.asked.append(urlsplit(url).path)
        if self.is_away:
            raise ProviderAwayError("away")
        return {"keys": [KEY.as_dict(private=False)]} if url.endswith("/jwks") else self.metadata

    async def post(self, url: str, form: Mapping[str, str], authorization: str | None) -> dict[str, Any]:
        assert url == f"{ISSUER}/token"
        self.form, self.authorization = form, authorization
        said = {"iss": ISSUER, "aud": "hub", "sub": "s-1", "iat": NOW_S, "exp": NOW_S + 300} | self.claims
        header = {"alg": "ES256", "kid": "k-1"}
        return {"id_token": jws.serialize_compact(header, json.dumps(said).encode(), KEY)}


class Browser:
    """Goes to the provider and comes back."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.flow = CodeFlow(Issuer(ISSUER, provider), provider, SETTINGS)
        self.query: dict[str, str] = {}
        self.cookie = ""

    async def go(self) -> None:
        where, self.cookie = await self.flow.start(
            redirect_uri="https://hub.example.org/auth/oidc/callback", next_="/", now=START
        )
        self.query = dict(parse_qsl(urlsplit(where).query))
        self.provider.claims["nonce"] = self.query["nonce"]

    async def come_back(self, **changed: str) -> Any:
        query = {"state": self.query["state"], "code": "c-1"} | changed
        vouched, _ = await self.flow.finish(query, self.cookie, now=START + timedelta(minutes=1))
        return vouched


@pytest.fixture
def provider() -> Provider:
    return Provider()


async def test_whoever_the_provider_vouches_for_is_known_by_issuer_and_subject(provider: Provider) -> None:
    browser = Browser(provider)
    await browser.go()
    provider.claims |= {"name": "Anna A", "preferred_username": "anna", "groups": ["nurses", 7]}

    vouched = await browser.come_back()

    assert (vouched.identity.issuer, vouched.identity.subject) == (ISSUER, "s-1")
    assert (vouched.name, vouched.login, vouched.groups) == ("Anna A", "anna", {"nurses"})
    assert provider.form["code_verifier"] not in json.dumps(browser.query)
    assert provider.authorization == "Basic aHViOmh1YiUzQXNlY3JldA=="  # hub : hub%3Asecret


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"azp": "another"},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"aud": "another"},
        {"aud": ["another"]},
        {"iss": "https://evil.example.org"},
        {"exp": NOW_S - 60},
    ],
    ids=str,
)
async def test_an_id_token_that_was_not_made_for_this_sign_in_is_refused(
    provider: Provider, claims: dict[str, Any]
) -> None:
    browser = Browser(provider)
    await browser.go()
    provider.claims |= claims

    with pytest.raises((CodeRefusedError, BadTokenError)):
        await browser.come_back()


@pytest.mark.parametrize("cookie", ["", "x", "eA==", None])
async def test_without_the_cookie_of_the_browser_that_went_nobody_comes_back(
    provider: Provider, cookie: str | None
) -> None:
    browser = Browser(provider)
    await browser.go()

    with pytest.raises(CodeRefusedError, match="not the browser"):
        await browser.flow.finish({"state": browser.query["state"], "code": "c"}, cookie, now=START)


async def test_the_cookie_shows_nothing(provider: Provider) -> None:
    browser = Browser(provider)
    await browser.go()

    assert browser.query["state"] not in browser.cookie
    assert browser.query["nonce"] not in browser.cookie


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": f"{ISSUER}/"},
        {"authorization_endpoint": "http://id.example.org/auth"},
        {"token_endpoint": "file:///etc/passwd"},
        {"jwks_uri": None},
    ],
    ids=str,
)
async def test_a_provider_that_says_what_cannot_be_right_is_not_used(
    provider: Provider, wrong: dict[str, Any]
) -> None:
    provider.metadata |= wrong

    with pytest.raises(ProviderAwayError):
        await Browser(provider).go()


async def test_keys_are_asked_for_once_however_many_unknown_ones_are_shown(provider: Provider) -> None:
    issuer = Issuer(ISSUER, provider)

    for number in range(50):
        await issuer.keys(f"unknown-{number}")

    assert provider.asked == ["/.well-known/openid-configuration", "/jwks"]


async def test_keys_that_are_known_hold_while_the_provider_is_away(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = Issuer(ISSUER, provider)
    loop = asyncio.get_running_loop()
    began_s = loop.time()

    async def keys_after(seconds: float) -> int:
        monkeypatch.setattr("gateway.identity.issuer._now_s", lambda: began_s + seconds)
        return len(await issuer.keys("k-1"))

    assert await keys_after(0) == 1
    provider.is_away = True
    assert await keys_after(86_000) == 1
    with pytest.raises(ProviderAwayError):
        await keys_after(86_500)
    provider.is_away = False
    assert await keys_after(86_600) == 1
