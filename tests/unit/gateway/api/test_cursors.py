"""A cursor leads back to its place, and nothing else is one."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.cursors import Cursors
from services.domain.errors import InvalidError

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)

CURSORS = Cursors(b"s" * 32)
REFUSED = "`next` of an answer before"


@given(key=st.tuples(texts, texts, st.integers()))
def test_a_cursor_leads_back_to_its_place_and_needs_no_quoting(key: tuple[str, str, int]) -> None:
    cursor = CURSORS.of("homes", key)

    assert CURSORS.after("homes", cursor, ("", "", 0)) == key
    assert set(cursor) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


def test_nobody_reads_the_place_in_a_cursor() -> None:
    cursor = CURSORS.of("alarms", ("0192-a-strangers-alarm",))

    assert b"0192" not in base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))


def test_without_a_cursor_a_list_begins_at_its_beginning() -> None:
    assert CURSORS.after("homes", None, ("",)) == ("",)


@given(cursor=st.text(max_size=40) | st.text("abcABC019-_=", max_size=60))
def test_what_nobody_was_given_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidError, match=REFUSED):
        CURSORS.after("homes", cursor, ("",))


@given(place=st.integers(0), change=st.integers(1, 63))
def test_a_changed_cursor_is_refused(place: int, change: int) -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    cursor = CURSORS.of("homes", ("h-100",))
    place %= len(cursor) - 1  # of the last letter not every bit counts
    other = alphabet[(alphabet.index(cursor[place]) + change) % 64]

    with pytest.raises(InvalidError, match=REFUSED):
        CURSORS.after("homes", cursor[:place] + other + cursor[place + 1 :], ("",))


def test_a_cursor_belongs_to_the_list_that_gave_it_and_to_the_hub_that_made_it() -> None:
    with pytest.raises(InvalidError, match=REFUSED):
        CURSORS.after("devices", CURSORS.of("homes", ("h-1",)), ("",))
    with pytest.raises(InvalidError, match=REFUSED):
        CURSORS.after("homes", Cursors(b"t" * 32).of("homes", ("h-1",)), ("",))
