"""A cursor leads back to its place, and nothing else is one."""

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.cursors import cursor_of, key_of
from services.domain.errors import InvalidError

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(key=st.tuples(texts, texts, texts))
def test_a_cursor_leads_back_to_its_place_and_needs_no_quoting(key: tuple[str, str, str]) -> None:
    cursor = cursor_of(key)

    assert key_of(cursor) == key
    assert set(cursor) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


@given(cursor=st.text(max_size=40) | st.text("abcABC019-_=", max_size=40))
def test_any_text_is_a_place_or_is_refused(cursor: str) -> None:
    with contextlib.suppress(InvalidError):
        assert len(key_of(cursor)) == 3


@pytest.mark.parametrize("document", [None, [], ["a", "b"], ["a", "b", 1], {"a": 1}, "abc", ["a"] * 4])
def test_what_is_written_like_one_and_is_none_is_refused(document: object) -> None:
    forged = base64.urlsafe_b64encode(json.dumps(document).encode()).decode()

    with pytest.raises(InvalidError, match="`next` of an answer before"):
        key_of(forged)
