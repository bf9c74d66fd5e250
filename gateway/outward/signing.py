"""Standard Webhooks signatures: what a receiver checks that a request is ours and of now.

    webhook-signature = "v1,"  base64 HMAC-SHA256(secret, id.timestamp.body)
                        "v1a," base64 Ed25519(private key, id.timestamp.body)     one for each secret

Source: the Standard Webhooks specification, "Signature scheme".
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.domain.subscriptions import Signature


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Signer:
    """Signs with one secret, or with the new and the old one of a rotation."""

    signature: Signature
    secrets: tuple[bytes, ...]
    """32 bytes each: shared (HMAC), or private keys (Ed25519)."""

    def headers(self, event_id: str, body: bytes, at: datetime) -> dict[str, str]:
        """What goes with a request.

        Args:
            event_id: The same at each attempt; without ``.``.
            body: Exactly what is sent.
            at: The time of this attempt; receivers take five minutes around it.
        """
        timestamp = str(int(at.timestamp()))
        signed = b".".join((event_id.encode(), timestamp.encode(), body))
        return {
            "webhook-id": event_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(self._signatures(signed)),
        }

    def _signatures(self, signed: bytes) -> Sequence[str]:
        if self.signature is Signature.HMAC:
            digests = [hmac.digest(secret, signed, hashlib.sha256) for secret in self.secrets]
            return [f"v1,{base64.b64encode(digest).decode()}" for digest in digests]
        keys = [Ed25519PrivateKey.from_private_bytes(secret) for secret in self.secrets]
        return [f"v1a,{base64.b64encode(key.sign(signed)).decode()}" for key in keys]
