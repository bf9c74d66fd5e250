"""What an identity provider says of itself, and its keys: fetched when they are needed, and kept.

keys ──10 min──> fetched again       a key that is not known ──> fetched again, at most every 30 s
provider away ──> the keys that are known hold for a day: machines go on without it
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import structlog

from gateway.identity.documents import Documents, ProviderAwayError
from gateway.setting_tables.identity import private_url

KEYS_FRESH: Final = timedelta(minutes=10)
KEYS_KEPT: Final = timedelta(days=1)
ASKED_AGAIN: Final = timedelta(seconds=30)
"""Whoever shows us tokens with keys that nobody has does not make us ask for them each time."""
MOST_KEYS: Final = 64

_log = structlog.get_logger(__name__)

Key = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """Where a provider does what (OpenID Connect Discovery 1.0)."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class Issuer:
    """One provider."""

    def __init__(self, url: str, documents: Documents) -> None:
        self.url = url
        self._documents = documents
        self._metadata: Metadata | None = None
        self._keys: Sequence[Key] = ()
        self._fetched_s = self._tried_s = float("-inf")
        self._turn = asyncio.Lock()

    async def metadata(self) -> Metadata:
        """Where it does what.

        Raises:
            ProviderAwayError: It does not say, or something that cannot be right.
        """
        if self._metadata is None:
            document = await self._documents.get(f"{self.url.rstrip('/')}/.well-known/openid-configuration")
            if document.get("issuer") != self.url:
                raise ProviderAwayError("it calls itself something else than the setting `issuer` does")
            self._metadata = Metadata(
                authorization_endpoint=_address(document, "authorization_endpoint"),
                token_endpoint=_address(document, "token_endpoint"),
                jwks_uri=_address(document, "jwks_uri"),
            )
        return self._metadata

    async def keys(self, key_id: str | None) -> Sequence[Key]:
        """Its keys, with the one of that name if it has it.

        Raises:
            ProviderAwayError: It does not say, and has not for a day.
        """
        async with self._turn:
            if self._is_to_fetch(key_id):
                await self._fetch()
            if self._age_s() > KEYS_KEPT.total_seconds():
                raise ProviderAwayError("its keys are not known")
            return self._keys

    def _is_to_fetch(self, key_id: str | None) -> bool:
        if _now_s() - self._tried_s < ASKED_AGAIN.total_seconds():
            return False
        is_known = key_id is None or any(key.get("kid") == key_id for key in self._keys)
        return not is_known or self._age_s() > KEYS_FRESH.total_seconds()

    async def _fetch(self) -> None:
        """Its keys as they are now; those that are known stay when it is away."""
        self._tried_s = _now_s()
        try:
            document = await self._documents.get((await self.metadata()).jwks_uri)
        except ProviderAwayError as error:
            _log.warning("identity_provider_away", reason=error.reason)
            return
        found = document.get("keys")
        if not isinstance(found, list):
            _log.warning("identity_provider_away", reason="no keys in its key set")
            return
        self._keys = [key for key in found[:MOST_KEYS] if isinstance(key, dict)]
        self._fetched_s = _now_s()

    def _age_s(self) -> float:
        return _now_s() - self._fetched_s


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _address(document: Mapping[str, Any], name: str) -> str:
    url = document.get(name)
    try:
        if isinstance(url, str):
            parts = urlsplit(url)
            private_url(f"{parts.scheme}://{parts.netloc}{parts.path}")
            return url
    except ValueError:
        pass
    raise ProviderAwayError(f"its {name} cannot be used")
