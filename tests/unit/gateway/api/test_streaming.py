"""Parts of an answer: bounded, in order, and none after the right has ended."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.streaming import PART_BYTES, WithdrawnError, guarded

sizes = st.lists(st.integers(0, 3 * PART_BYTES + 1), max_size=5)


@given(sizes=sizes)
def test_parts_are_the_pieces_cut_small(sizes: list[int]) -> None:
    pieces = [bytes([number]) * size for number, size in enumerate(sizes)]

    parts = list(guarded(pieces, lambda: True))

    assert b"".join(parts) == b"".join(pieces)
    assert all(0 < len(part) <= PART_BYTES for part in parts)


@given(sizes=sizes, last=st.integers(0, 6))
def test_no_part_leaves_once_the_right_has_ended(sizes: list[int], last: int) -> None:
    pieces = [bytes(size) for size in sizes]
    whole = list(guarded(pieces, lambda: True))
    left: list[bytes] = []

    try:
        for part in guarded(pieces, lambda: len(left) < last):
            left.append(part)  # noqa: PERF402 - asked for between two parts
        was_cut = False
    except WithdrawnError:
        was_cut = True

    assert left == whole[:last]
    assert was_cut == (len(whole) > last)


def test_a_piece_is_made_only_when_the_one_before_has_left() -> None:
    made = []

    def pieces() -> Iterator[bytes]:
        for number in range(3):
            made.append(number)
            yield b"x"

    parts = guarded(pieces(), lambda: True)
    next(parts)

    assert made == [0]
    parts.close()
    with pytest.raises(StopIteration):
        next(parts)
