"""``[mail]``: the server that letters about the hub leave by, and whom they go to."""

import re
from datetime import time, timedelta
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from services.supervision.wording import Language

_ADDRESS: Final = re.compile(r"[^\s@<>,;:\"()\[\]\\\x00-\x20\x7f-\uffff]{1,64}@[A-Za-z0-9.-]{1,253}")


def mail_address(text: str) -> str:
    """An address that can stand in a header as it is.

    Raises:
        ValueError: It is none.
    """
    if not _ADDRESS.fullmatch(text):
        raise PydanticCustomError(
            "address", "expected an address such as drift@example.org, and nothing more"
        )
    return text


Address = Annotated[str, AfterValidator(mail_address)]


class Security(StrEnum):
    """How the way to the server is kept private."""

    STARTTLS = "starttls"
    """It begins in the clear and is refused when the server cannot change to TLS."""
    TLS = "tls"
    NONE = "none"
    """Only to the machine itself, or with ``insecure``."""


class MailSettings(BaseModel):
    """Letters about faults, and one a day about how it went."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_by_name=True, serialize_by_alias=True
    )

    server: str | None = None
    """Host name; None: nothing is sent."""
    port: Annotated[int, Field(ge=1, le=65_535)] = 587
    security: Security = Security.STARTTLS
    insecure: bool = False
    """Whether letters and the password may travel in the clear beyond this machine."""
    ca_file: Path | None = None
    """Trust for the server's certificate; None: the machine's own."""
    username: str | None = None
    password: SecretStr | None = None
    sender: Annotated[Address | None, Field(alias="from")] = None
    to: tuple[Address, ...] = ()
    """Of the city; organisations have a contact address of their own: ``stadsnav org contact``."""
    language: Language = Language.SWEDISH
    faults_every_minutes: Annotated[int, Field(ge=1, le=1_440)] = 5
    """At most one letter about faults in so long."""
    digest: bool = True
    """Whether there is a letter a day about how it went."""
    digest_at: time = time(7, 0)
    """When it is written, by Swedish time."""

    @property
    def faults_every(self) -> timedelta:
        """Between two letters about faults."""
        return timedelta(minutes=self.faults_every_minutes)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.server is None:
            return self
        if self.sender is None or not self.to:
            raise PydanticCustomError("from", "mail needs `from` and `to` beside `server`")
        if self.security is Security.NONE and not self.insecure and not _is_loopback(self.server):
            raise PydanticCustomError(
                "security", "letters and password would travel in the clear: use starttls or tls"
            )
        return self


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
