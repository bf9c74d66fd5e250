"""Who is at the other end of a TLS connection, by the certificate that the handshake has verified.

uvicorn does not say; ``gateway.web_connection``, which leans on its inside, hands us the connection.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.x509.oid import NameOID
from starlette.types import Scope

from gateway.web_connection import EXTENSION

if TYPE_CHECKING:
    import ssl
    from asyncio import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Whom a certificate names."""

    name: str
    """Its CN: the organisation."""
    serial: str
    """Lower-case hexadecimal, as the store has it."""


def peer_of(scope: Scope) -> Peer | None:
    """Whom the certificate of a request's connection names; None: none was shown."""
    transport: Transport | None = scope.get("extensions", {}).get(EXTENSION)
    tls: ssl.SSLObject | None = None if transport is None else transport.get_extra_info("ssl_object")
    raw = None if tls is None else tls.getpeercert(binary_form=True)
    if raw is None:
        return None
    certificate = x509.load_der_x509_certificate(raw)
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(names) != 1:
        return None
    return Peer(name=str(names[0].value), serial=f"{certificate.serial_number:x}")
