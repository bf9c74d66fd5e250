"""The TLS of the HTTP side, when no proxy speaks it: TLS 1.2 and 1.3, clients' certificates if wanted."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from broker.authorities import CertificateAuthorities
from broker.certificates import Issuer
from gateway.data_folder import DataFolder
from gateway.setting_tables.web import WebSettings
from services.domain.clock import Clock
from services.domain.errors import RefusedError


class CertificateUnusableError(RefusedError):
    """The web server's certificate or key cannot be used."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        super().__init__(
            f"Cannot serve TLS with {path}: {problem}; mend web.certificate_file and web.key_file"
        )


def context(web: WebSettings, folder: DataFolder, clock: Clock) -> ssl.SSLContext | None:
    """How connections are secured; None: they are not.

    Raises:
        CertificateUnusableError: The files are missing, unreadable, or do not belong together.
    """
    if web.certificate_file is None:
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        made.load_cert_chain(web.certificate_file, web.key_file)
    except (OSError, ssl.SSLError) as error:
        raise CertificateUnusableError(web.certificate_file, str(error)) from error
    if web.client_certificates:
        authorities = CertificateAuthorities.open(folder.pki, clock.now())
        made.load_verify_locations(cadata=authorities.anchor_pem(Issuer.PARTNERS).decode())
        made.verify_mode = ssl.CERT_OPTIONAL
    return made


def factory(made: ssl.SSLContext) -> Callable[[Any, Any], ssl.SSLContext]:
    """The same, in the way that uvicorn takes it."""
    return lambda _config, _default: made
