"""Where a connection may lead: judged on the addresses that are connected to, never on names.

    host ──resolved──> every address ──each judged──> a socket to one of exactly these ──judged once more

A receiver chooses the name, and its name server chooses the answer, anew each time. So nothing is
concluded from a look-up that is not the connection's own, and one bad address spoils all. Nor is anything
concluded from how a host is written: what counts is the address that the socket is made for.
"""

import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Protocol

from aiohttp import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAT64: Final = IPv6Network("64:ff9b::/96")
"""RFC 6052, 2.1: the last 32 bits are an IPv4 address."""

_LOCAL_NAT64: Final = IPv6Network("64:ff9b:1::/48")
"""RFC 8215: a network's own translators."""

_IPV4_COMPATIBLE: Final = IPv6Network("::/96")
"""RFC 4291, 2.5.5.1: given up, and still understood here and there."""

_LAST_32_BITS: Final = 0xFFFFFFFF


class ForbiddenAddressError(OSError):
    """A name leads where the hub does not connect to."""

    def __init__(self, host: str, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{host} leads to {reason}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Destinations:
    """What may be connected to."""

    networks: tuple[Network, ...]
    """The city's own, whatever else is said of them: on any port, with TLS or without."""
    ports: frozenset[int]
    """On the public internet, where TLS is a must."""

    def check(self, host: str, address: Address, port: int, *, is_private: bool) -> None:
        """Judge one address.

        Args:
            host: The name that led there, for the message.
            address: What would be connected to.
            port: The port of it.
            is_private: Whether TLS protects the line.

        Raises:
            ForbiddenAddressError: Not there, and why.
        """
        if any(address in network for network in self.networks):
            return
        if not is_private:
            raise ForbiddenAddressError(host, "a place outside of the city's networks, without TLS")
        if port not in self.ports:
            raise ForbiddenAddressError(host, f"port {port}, which is not open for webhooks")
        if not all(_is_public(one) for one in _meant(address)):
            raise ForbiddenAddressError(host, "an address that is not of the public internet")


class LookUp(Protocol):
    """Asks for the addresses of a name."""

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Every address, IPv4 and IPv6."""


class CheckedResolver(AbstractResolver):
    """Resolves for a connection, and refuses the whole answer when one address of it is forbidden."""

    def __init__(self, look_up: LookUp, destinations: Destinations, *, is_private: bool) -> None:
        self._look_up = look_up
        self._destinations = destinations
        self._is_private = is_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses to connect to.

        Raises:
            ForbiddenAddressError: One of them is forbidden.
            OSError: The name has no address.
        """
        found = [ip_address(text) for text in await self._look_up(host, port)]
        for address in found:
            self._destinations.check(host, address, port, is_private=self._is_private)
        results = [_result(host, address, port) for address in found]
        wanted = [one for one in results if family in {socket.AF_UNSPEC, one["family"]}]
        if not wanted:
            raise OSError(f"{host} has no address")
        return wanted

    async def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedSockets:
    """Makes the sockets of connections, for addresses that may be connected to and for no other."""

    destinations: Destinations
    is_private: bool

    def __call__(self, info: AddrInfoType) -> socket.socket:
        """A socket for one address, as ``getaddrinfo`` describes it.

        Raises:
            ForbiddenAddressError: Not there.
        """
        family, kind, protocol, _, (host, port, *_) = info
        try:
            address = ip_address(host)
        except ValueError:
            raise ForbiddenAddressError(str(host), "something that is not an address") from None
        self.destinations.check(str(host), address, int(port), is_private=self.is_private)
        return socket.socket(family, kind, protocol)


def _meant(address: Address) -> Iterator[Address]:
    """An address, and those that it carries inside: a translator on the way may go there."""
    yield address
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            yield address.ipv4_mapped
        if address.sixtofour is not None:
            yield address.sixtofour
        if address in _NAT64 or address in _IPV4_COMPATIBLE:
            yield IPv4Address(int(address) & _LAST_32_BITS)


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and (address.is_site_local or address in _LOCAL_NAT64):
        return False  # not so in the tables of Python 3.11
    return address.is_global and not address.is_multicast


def _result(host: str, address: Address, port: int) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=str(address),
        port=port,
        family=socket.AF_INET6 if address.version == 6 else socket.AF_INET,  # noqa: PLR2004
        proto=socket.IPPROTO_TCP,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )
