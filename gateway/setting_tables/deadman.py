"""``[deadman]``: whom we call as long as all is well."""

from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError


class DeadmanSettings(BaseModel):
    """An address outside that expects to hear from us."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: SecretStr | None = None
    """Asked with GET; who knows it can call in our place, so it is shown nowhere."""
    every_seconds: Annotated[int, Field(ge=5, le=3_600)] = 60

    @property
    def every(self) -> timedelta:
        """Between two calls."""
        return timedelta(seconds=self.every_seconds)

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not _is_address(url.get_secret_value()):
            raise PydanticCustomError("url", "expected http:// or https:// and a host")
        return url


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
