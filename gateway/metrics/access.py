"""Who may see the figures: whoever asks from a network of the settings, and callers whose roles permit it.

Behind a proxy on this machine everybody comes from the loopback: the proxy must not pass ``/metrics`` on, or
``networks`` is left empty and monitoring shows a token.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.requests import Request

Network = IPv4Network | IPv6Network


def is_near(request: Request, networks: Sequence[Network]) -> bool:
    """Whether a request comes from one of these networks itself, not through somebody who says so."""
    if request.client is None or "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        return False
    try:
        address = ip_address(request.client.host)
    except ValueError:  # a test client, a socket file
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)
