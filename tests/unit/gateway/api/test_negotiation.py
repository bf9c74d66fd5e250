"""Which format is written, by what the caller says it can read (RFC 9110, 12.5.1)."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.negotiation import NotAcceptableError, chosen_format
from services.readings.formats import Format


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, Format.JSON),
        ("", Format.JSON),
        ("*/*", Format.JSON),
        ("application/json", Format.JSON),
        ("TEXT/CSV", Format.CSV),
        ("text/*", Format.CSV),
        ("application/vnd.apache.parquet", Format.PARQUET),
        ("text/csv;q=0.5, application/json;q=0.4", Format.CSV),
        ("text/csv, application/json", Format.JSON),
        ("application/*;q=0.2, application/json;q=0, text/csv;q=0.1", Format.PARQUET),
        ("text/html,application/xhtml+xml,*/*;q=0.8", Format.JSON),
        ("text/csv; charset=utf-8; q=1", Format.CSV),
        ("text/csv;q=9, application/json;q=1", Format.JSON),
    ],
)
def test_the_format_that_is_wanted_most_is_chosen(accept: str | None, expected: Format) -> None:
    assert chosen_format(None, accept) is expected


@pytest.mark.parametrize("accept", ["text/html", "text/csv;q=0", "text/csv;q=often", ";", "csv", "*/json"])
def test_what_nobody_writes_is_refused_with_what_there_is(accept: str) -> None:
    with pytest.raises(NotAcceptableError) as caught:
        chosen_format(None, accept)

    assert "text/csv" in caught.value.mend


@given(asked=st.sampled_from(Format), accept=st.none() | st.text())
def test_what_the_query_says_goes_before_any_header(asked: Format, accept: str | None) -> None:
    assert chosen_format(asked, accept) is asked


@given(accept=st.text(alphabet="text/csv*;q=0.,1aé \x00"))
def test_any_header_leads_to_a_format_or_a_refusal(accept: str) -> None:
    with contextlib.suppress(NotAcceptableError):
        assert chosen_format(None, accept) in Format
