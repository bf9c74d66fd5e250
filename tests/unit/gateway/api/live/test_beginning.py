"""Where a stream begins, by what its receiver has seen last."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.live.beginning import ResetReason, beginning

START = b"id: 00000000000000000042\nevent: start\n"


@pytest.mark.parametrize("last", [None, ""])
def test_without_a_number_it_starts_from_now(last: str | None) -> None:
    begun = beginning(last, oldest=1, newest=42)

    assert (begun.position, begun.resumes, begun.reset) == (42, False, None)
    assert begun.frame.startswith(START)


@pytest.mark.parametrize("last", ["41", "00000000000000000041"])
def test_a_number_is_the_same_with_leading_zeros_and_without(last: str) -> None:
    begun = beginning(last, oldest=1, newest=42)

    assert (begun.position, begun.resumes, begun.frame) == (41, True, b"")


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        ("43", ResetReason.FUTURE),
        ("99999999999999999999", ResetReason.FUTURE),
        ("3", ResetReason.TOO_OLD),
        ("-1", ResetReason.MALFORMED),
        ("4e1", ResetReason.MALFORMED),
        ("٤٢", ResetReason.MALFORMED),
        ("000000000000000000042", ResetReason.MALFORMED),
    ],
)
def test_what_cannot_be_resumed_is_said_and_goes_on_from_now(last: str, reason: ResetReason) -> None:
    begun = beginning(last, oldest=5, newest=42)

    assert (begun.position, begun.resumes, begun.reset) == (42, False, reason)
    assert begun.frame == (
        b"id: 00000000000000000042\nevent: reset\ndata: "
        b'{"reason":"%s","oldest":"00000000000000000005","newest":"00000000000000000042"}\n\n'
        % reason.encode()
    )


def test_the_number_before_the_oldest_that_is_kept_can_be_resumed() -> None:
    assert beginning("4", oldest=5, newest=42).resumes


def test_where_nothing_is_kept_only_the_newest_number_can_be_resumed() -> None:
    assert beginning("42", oldest=None, newest=42).resumes
    assert beginning("41", oldest=None, newest=42).reset is ResetReason.TOO_OLD


@given(
    last=st.one_of(st.none(), st.text(max_size=30)),
    oldest=st.integers(1, 50),
    newest=st.integers(0, 50),
)
def test_any_text_either_resumes_without_a_gap_or_says_where_it_goes_on(
    last: str | None, oldest: int, newest: int
) -> None:
    begun = beginning(last, oldest=oldest, newest=newest)

    if begun.resumes:
        assert oldest - 1 <= begun.position <= newest
        assert begun.frame == b""
    else:
        assert begun.position == newest
        assert begun.frame.startswith(b"id: ")
        assert begun.frame.endswith(b"\n\n")
