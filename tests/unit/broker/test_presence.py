"""Mosquitto's log lines as hints that a partner listens: those it really writes, and no others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.presence import organisation_in


@pytest.mark.parametrize(
    ("line", "organisation_id"),
    [
        ("1763885702: New client connected from 10.0.0.7:51812 as desk-1 (p5, c0, k60, u'CN=acme').", "acme"),
        ("1763885702: New client connected from ::1:51812 as x (p2, c0, k60, u'CN=care-one').", "care-one"),
        ("New client connected from 127.0.0.1 as mosqpub|1 (p4, c0, k5, u'CN=a').", "a"),
        ("1763885702: desk-1 1 care/acme/event", "acme"),
        ("desk-1 0 care/acme/event", "acme"),
        ("desk-1 2 care/care-one/event", "care-one"),
    ],
)
def test_a_partner_that_comes_back_or_subscribes_is_recognised(line: str, organisation_id: str) -> None:
    assert organisation_in(line) == organisation_id


@pytest.mark.parametrize(
    "line",
    [
        "",
        "New client connected from 10.0.0.7:1 as desk-1 (p5, c1, k60, u'CN=acme').",
        "New client connected from 10.0.0.7:1 as p-1 (p5, c0, k60, u'p-1').",
        "New client connected from 127.0.0.1:1 as x (p5, c0, k15, u'@hub').",
        "New client connected from 10.0.0.7:1 as desk-1 (p5, c0, k60, u'CN=Acme').",
        "Client desk-1 disconnected.",
        "desk-1 1 care/acme/reply",
        "desk-1 1 care/+/event",
        "desk-1 1 care/acme/event/more",
        "p-1 1 down/p-1/#",
        "New connection from 10.0.0.7:51812 on port 8884.",
    ],
)
def test_any_other_line_is_no_hint(line: str) -> None:
    assert organisation_in(line) is None


def test_a_new_session_is_no_hint_since_it_has_not_subscribed_yet() -> None:
    """What is sent before its subscription would be lost."""
    line = "New client connected from 10.0.0.7:1 as d (p5, c{}, k60, u'CN=acme')."

    assert [organisation_in(line.format(clean)) for clean in (0, 1)] == ["acme", None]


@given(line=st.text(max_size=120))
def test_any_line_is_read_without_a_fault(line: str) -> None:
    organisation_in(line)
