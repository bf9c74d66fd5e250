"""``[metrics]``: who may see the figures without showing anything."""

from ipaddress import IPv4Network, IPv6Network
from typing import Final

from pydantic import BaseModel, ConfigDict, IPvAnyNetwork

LOOPBACK: Final = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


class MetricsSettings(BaseModel):
    """Who may see ``/metrics`` without a token."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    networks: tuple[IPvAnyNetwork, ...] = LOOPBACK
    """Where monitoring asks from; this machine when not given. Empty: only who shows a token that may."""
