"""People sign in at the city's identity provider: code flow with PKCE (OpenID Connect Core, 3.1; RFC 7636).

    start ─> the browser goes there, with a sealed cookie of ours ─> back with a code ─> ID token ─> who it is

State, nonce and verifier are only in that cookie: whoever comes back must be the browser that went. Its key
lives as long as this process; who was under way when it ended begins again.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.identity import jwts
from gateway.identity.documents import Documents
from gateway.identity.issuer import Issuer
from gateway.identity.jwts import Claims, Expected
from gateway.setting_tables.identity import IdentitySettings
from services.domain.accounts import Identity
from services.identity.provided import Vouched

WITHIN: Final = timedelta(minutes=10)
LONGEST_SUBJECT: Final = 255
_NONCE_BYTES: Final = 12


class CodeRefusedError(Exception):
    """Whoever came back is not signed in. The reason is for our log."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"Signing in at the provider failed: {reason}")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class UnderWay:
    """What we remember of a browser that went to the provider."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    next: str
    started_at_s: float


class CodeFlow:
    """Sends people there, and takes in who comes back."""

    def __init__(self, issuer: Issuer, documents: Documents, settings: IdentitySettings) -> None:
        self._issuer = issuer
        self._documents = documents
        self._settings = settings
        self._cipher = AESGCM(AESGCM.generate_key(256))

    async def start(self, *, redirect_uri: str, next_: str, now: datetime) -> tuple[str, str]:
        """Where the browser goes, and the cookie that it takes along.

        Raises:
            ProviderAwayError: There is nobody to go to.
        """
        endpoint = (await self._issuer.metadata()).authorization_endpoint
        under_way = UnderWay(
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
            redirect_uri=redirect_uri,
            next=next_,
            started_at_s=now.timestamp(),
        )
        challenge = hashlib.sha256(under_way.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self._settings.scopes),
            "state": under_way.state,
            "nonce": under_way.nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in endpoint else "?"
        return f"{endpoint}{joint}{urlencode(query)}", self._sealed(under_way)

    async def finish(
        self, query: Mapping[str, str], cookie: str | None, *, now: datetime
    ) -> tuple[Vouched, UnderWay]:
        """Who came back.

        Raises:
            CodeRefusedError: Not the browser that went, too late, or the provider does not vouch for them.
            BadTokenError: The ID token is not believed.
            ProviderAwayError: The provider cannot be asked.
        """
        under_way = self._unsealed(cookie, now=now)
        if not hmac.compare_digest(query.get("state", "").encode(), under_way.state.encode()):
            raise CodeRefusedError("state")
        if query.get("iss", self._issuer.url) != self._issuer.url:  # RFC 9207
            raise CodeRefusedError("another issuer answers")
        code = query.get("code")
        if not code:
            raise CodeRefusedError("the provider has refused")
        claims = await self._claims(code, under_way, now=now)
        return self._vouched(claims), under_way

    async def _claims(self, code: str, under_way: UnderWay, *, now: datetime) -> Claims:
        """The claims of the ID token that a code stands for."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": under_way.redirect_uri,
            "code_verifier": under_way.verifier,
        }
        secret = self._settings.client_secret
        auth = _basic(self._settings.client_id, secret.get_secret_value()) if secret else None
        if auth is None:
            form["client_id"] = self._settings.client_id
        answer = await self._documents.post((await self._issuer.metadata()).token_endpoint, form, auth)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise CodeRefusedError("there is no ID token for the code")
        expected = Expected(
            issuer=self._issuer.url,
            audience=self._settings.client_id,
            algorithms=self._settings.algorithms,
        )
        keys = await self._issuer.keys(jwts.header_of(token, expected).key_id)
        claims = jwts.verified(token, keys, expected, now=now)
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), under_way.nonce.encode()):
            raise CodeRefusedError("nonce")
        if claims.get("azp", self._settings.client_id) != self._settings.client_id:
            raise CodeRefusedError("made for another client")
        return claims

    def _vouched(self, claims: Claims) -> Vouched:
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
            raise CodeRefusedError("subject")
        groups = claims.get(self._settings.groups_claim)
        login = _text(claims, "preferred_username") or _text(claims, "email")
        return Vouched(
            identity=Identity(issuer=self._issuer.url, subject=subject),
            name=_text(claims, "name") or login,
            login=login,
            groups=frozenset(group for group in groups if isinstance(group, str))
            if isinstance(groups, list)
            else frozenset(),
        )

    def _sealed(self, under_way: UnderWay) -> str:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, json.dumps(asdict(under_way)).encode(), None)
        return base64.urlsafe_b64encode(nonce + sealed).decode()

    def _unsealed(self, cookie: str | None, *, now: datetime) -> UnderWay:
        try:
            raw = base64.urlsafe_b64decode(cookie or "")
            document = json.loads(self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], None))
        except (ValueError, InvalidTag):
            raise CodeRefusedError("not the browser that went") from None
        under_way = UnderWay(**document)
        if now - datetime.fromtimestamp(under_way.started_at_s, UTC) > WITHIN:
            raise CodeRefusedError("too late")
        return under_way


def _basic(client_id: str, secret: str) -> str:
    """A client's secret as a header (RFC 6749, 2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _text(claims: Claims, name: str) -> str:
    """A claim as a line of text; empty: there is none."""
    value: Any = claims.get(name)
    is_line = isinstance(value, str) and value.isprintable()
    return value.strip()[:200] if is_line else ""
