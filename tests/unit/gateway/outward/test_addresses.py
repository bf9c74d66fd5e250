"""A webhook leads to the public internet, over TLS and few ports, or into the city's own networks."""

import socket
from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.outward.addresses import (
    CheckedResolver,
    CheckedSockets,
    Destinations,
    ForbiddenAddressError,
)

PUBLIC: Final = "93.184.215.14"
PUBLIC_6: Final = "2606:4700::6810:84e5"
INTERNET: Final = Destinations(networks=(), ports=frozenset({443, 8443}))
CITY: Final = Destinations(
    networks=(ip_network("10.1.0.0/16"), ip_network("fd00:1::/32")), ports=frozenset({443})
)

NEVER: Final = (
    "0.0.0.0",  # noqa: S104 - this machine, for Linux
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",  # carrier-grade NAT, RFC 6598
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",  # where clouds keep credentials
    "172.16.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",  # IPv4-compatible
    "::ffff:127.0.0.1",  # IPv4-mapped
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",  # NAT64, RFC 6052
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",  # a network's own NAT64, RFC 8215
    "100::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",  # Teredo of 127.0.0.1
    "2001:db8::1",
    "2002:7f00:1::",  # 6to4 of 127.0.0.1
    "2002:a9fe:a9fe::1",
    "fc00::1",
    "fd00::1",
    "fe80::1",
    "fe80::1%lo",
    "fec0::1",  # site-local
    "ff02::1",
)


def info(
    address: str, port: int = 443
) -> tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int]]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port)


class NameServer:
    """Gives one answer after the other, then the last one again and again."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)

    async def __call__(self, host: str, port: int) -> Sequence[str]:  # noqa: ARG002 - the port's names
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.mark.parametrize("address", NEVER)
def test_no_socket_is_made_for_an_address_that_is_not_of_the_public_internet(address: str) -> None:
    sockets = CheckedSockets(destinations=INTERNET, is_private=True)

    with pytest.raises(ForbiddenAddressError, match="not of the public internet"):
        sockets(info(address))


@pytest.mark.parametrize("address", NEVER)
async def test_one_such_address_spoils_the_whole_answer(address: str) -> None:
    resolver = CheckedResolver(NameServer([PUBLIC, address]), INTERNET, is_private=True)

    with pytest.raises(ForbiddenAddressError):
        await resolver.resolve("hook.example.org", 443)


@pytest.mark.parametrize(
    "address", [PUBLIC, PUBLIC_6, f"::ffff:{PUBLIC}", f"64:ff9b::{PUBLIC}", "2002:5db8:d70e::1"]
)
def test_the_public_internet_is_open_also_through_translators(address: str) -> None:
    with CheckedSockets(destinations=INTERNET, is_private=True)(info(str(ip_address(address)))) as made:
        assert made.type is socket.SOCK_STREAM


@pytest.mark.parametrize(
    "host", ["2130706433", "017700000001", "0x7f000001", "127.1", "localhost", "", "127。0。0。1"]
)
def test_what_is_not_written_as_an_address_never_becomes_a_socket(host: str) -> None:
    """A socket would take it: the system reads a number, or asks a name server behind our back."""
    sockets = CheckedSockets(destinations=INTERNET, is_private=True)

    with pytest.raises(ForbiddenAddressError, match="not an address"):
        sockets(info(host))


@pytest.mark.parametrize("port", [22, 25, 80, 6379, 8080])
def test_few_ports_are_open_on_the_public_internet(port: int) -> None:
    with pytest.raises(ForbiddenAddressError, match=f"port {port}"):
        INTERNET.check("hook.example.org", ip_address(PUBLIC), port, is_private=True)


def test_without_tls_nothing_leaves_the_citys_networks() -> None:
    with pytest.raises(ForbiddenAddressError, match="without TLS"):
        CITY.check("hook.example.org", ip_address(PUBLIC), 443, is_private=False)

    CITY.check("hook.city.example", ip_address("10.1.2.3"), 8080, is_private=False)


@pytest.mark.parametrize(
    ("address", "is_open"),
    [
        ("10.1.0.0", True),
        ("10.1.255.255", True),
        ("fd00:1::5", True),
        ("10.0.255.255", False),
        ("10.2.0.0", False),
    ],
)
def test_of_private_networks_those_are_open_that_the_city_has_named(address: str, *, is_open: bool) -> None:
    try:
        CITY.check("hook.city.example", ip_address(address), 443, is_private=True)
    except ForbiddenAddressError:
        assert not is_open
    else:
        assert is_open


async def test_an_answer_that_was_good_once_is_judged_again_when_it_has_changed() -> None:
    """Rebinding: the name server answers well for the check, and with the loopback for the connection."""
    resolver = CheckedResolver(NameServer([PUBLIC], ["127.0.0.1"]), INTERNET, is_private=True)

    [first] = await resolver.resolve("hook.example.org", 443)
    with pytest.raises(ForbiddenAddressError):
        await resolver.resolve("hook.example.org", 443)

    assert first["host"] == PUBLIC
    assert first["flags"] & socket.AI_NUMERICHOST  # nobody asks for it a second time


async def test_a_family_without_addresses_is_no_address_at_all() -> None:
    resolver = CheckedResolver(NameServer([PUBLIC]), INTERNET, is_private=True)

    with pytest.raises(OSError, match="has no address"):
        await resolver.resolve("hook.example.org", 443, socket.AF_INET6)


@given(inner=st.ip_addresses(v=4), network=st.sampled_from(["::ffff:0:0", "64:ff9b::", "::"]))
def test_an_ipv4_address_inside_another_one_is_judged_like_itself(inner: object, network: str) -> None:
    outer = ip_address(int(ip_address(network)) + int(ip_address(str(inner))))

    if not _is_open(str(inner)):
        assert not _is_open(str(outer))


def _is_open(address: str) -> bool:
    try:
        INTERNET.check("hook.example.org", ip_address(address), 443, is_private=True)
    except ForbiddenAddressError:
        return False
    return True
