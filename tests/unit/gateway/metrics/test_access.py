"""Who is near enough to see the figures: by the connection itself, whatever anybody writes in a header."""

import pytest
from starlette.requests import Request

from gateway.metrics.access import is_near
from gateway.setting_tables.metrics import LOOPBACK, MetricsSettings


def asks(host: str | None, **headers: str) -> Request:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "client": None if host is None else (host, 50_000), "headers": named})


@pytest.mark.parametrize(
    ("networks", "host", "is_so"),
    [
        (["10.20.0.0/24"], "10.20.0.9", True),
        (["10.20.0.0/24"], "::ffff:10.20.0.9", True),
        (["10.20.0.0/24"], "10.20.1.9", False),
        (["10.20.0.0/24"], "127.0.0.1", False),
        (["2001:db8::/32"], "2001:db8::1", True),
        ([], "127.0.0.1", False),
    ],
)
def test_the_networks_of_the_settings_decide(networks: list[str], host: str, *, is_so: bool) -> None:
    chosen = MetricsSettings.model_validate({"networks": networks})

    assert is_near(asks(host), chosen.networks) is is_so


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_without_a_setting_it_is_this_machine(host: str) -> None:
    assert MetricsSettings().networks == LOOPBACK
    assert is_near(asks(host), LOOPBACK)


@pytest.mark.parametrize("header", ["x_forwarded_for", "forwarded"])
def test_who_comes_through_a_proxy_is_not_near(header: str) -> None:
    assert not is_near(asks("127.0.0.1", **{header: "127.0.0.1"}), LOOPBACK)


@pytest.mark.parametrize("host", [None, "testclient", "", "localhost"])
def test_who_has_no_address_is_not_near(host: str | None) -> None:
    assert not is_near(asks(host), LOOPBACK)
