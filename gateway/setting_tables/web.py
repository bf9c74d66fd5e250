"""``[web]``: the HTTP side's names, certificate, proxies and bounds."""

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

LOOPBACK_HOSTS: Final = ("localhost", "127.0.0.1", "[::1]")


def network(text: str) -> str:
    """An address or a network.

    Raises:
        ValueError: It is neither.
    """
    try:
        ip_network(text)
    except ValueError:
        raise PydanticCustomError("network", "expected an address or a network such as 10.1.0.0/24") from None
    return text


def https_origin(url: str) -> str:
    """Where people reach the hub, without a path.

    Raises:
        ValueError: It is not a plain origin.
    """
    parts = urlsplit(url)
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or url != f"{parts.scheme}://{parts.netloc}"
    ):
        raise PydanticCustomError("url", "expected an origin such as https://hub.example.org, without a path")
    return url


class WebSettings(BaseModel):
    """How the HTTP side is reached, and by whom."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    hosts: tuple[str, ...] = ()
    """Names that it answers to beside ``server_names`` and the loopback's."""
    public_url: Annotated[str, AfterValidator(https_origin)] | None = None
    """Where people reach it, as ``https://hub.example.org``; wanted when a proxy speaks TLS for it."""
    certificate_file: Path | None = None
    """Its own TLS certificate with what leads to the authority (PEM); None: a proxy speaks TLS, or nobody."""
    key_file: Path | None = None
    client_certificates: bool = False
    """Whether organisations may show the certificates of ``stadsnav org credentials``; with its own TLS."""
    proxies: tuple[Annotated[str, AfterValidator(network)], ...] = ()
    """Whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed; of nobody else."""
    requests_per_second: Annotated[int, Field(ge=0, le=100_000)] = 100
    """Of one caller, in the long run; 0: no bound. Answering alarms is never counted."""
    burst: Annotated[int, Field(ge=1, le=1_000_000)] = 1_000
    """Of one caller, at once."""
    security_contact: tuple[str, ...] = ()
    """Where to report a weakness: ``mailto:…`` or ``https://…`` (RFC 9116)."""
    security_policy: str | None = None
    """The address of what the city promises to those who report."""

    @property
    def is_tls(self) -> bool:
        """Whether it speaks TLS itself."""
        return self.certificate_file is not None

    @property
    def is_https(self) -> bool:
        """Whether browsers reach it by https only."""
        return self.is_tls or (self.public_url or "").startswith("https://")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.certificate_file is None) != (self.key_file is None):
            raise PydanticCustomError("key_file", "certificate_file and key_file belong together")
        if self.client_certificates and not self.is_tls:
            raise PydanticCustomError(
                "client_certificates", "a proxy would hide them: set certificate_file and key_file"
            )
        return self
