"""``[outward]``: where webhooks may lead."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Port = Annotated[int, Field(ge=1, le=65_535)]


class OutwardSettings(BaseModel):
    """Which addresses the hub connects to when a receiver has named them."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """The city's own: reached although they are not of the public internet, on any port, also without TLS."""
    ports: tuple[Port, ...] = (443, 8443)
    """On the public internet."""
    ca_file: Path | None = None
    """Trust for the receivers' certificates beside the machine's own."""
