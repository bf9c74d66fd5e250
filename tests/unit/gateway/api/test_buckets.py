"""How often somebody may ask: a burst, then a steady rate, each for themselves."""

from gateway.api import buckets
from gateway.api.buckets import Buckets


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_burst_is_let_through_and_then_a_steady_rate() -> None:
    clock = Clock()
    filled = Buckets(per_second=2, burst=3, clock_s=clock)

    burst = [filled.take("a") for _ in range(4)]
    clock.now_s += 0.5
    later = [filled.take("a") for _ in range(2)]

    assert burst == [0, 0, 0, 0.5]
    assert later == [0, 0.5]


def test_who_waits_as_long_as_they_are_told_is_let_through() -> None:
    clock = Clock()
    filled = Buckets(per_second=0.3, burst=1, clock_s=clock)
    filled.take("a")

    clock.now_s += filled.take("a") + 1e-9

    assert filled.take("a") == 0


def test_one_does_not_take_from_another() -> None:
    filled = Buckets(per_second=1, burst=1, clock_s=Clock())

    assert [filled.take(key) for key in "abab"] == [0, 0, 1, 1]


def test_without_a_rate_nobody_waits() -> None:
    filled = Buckets(per_second=0, burst=1, clock_s=Clock())

    assert {filled.take("a") for _ in range(100)} == {0}


def test_however_many_ask_only_so_many_are_remembered() -> None:
    filled = Buckets(per_second=1, burst=1, clock_s=Clock())

    for number in range(buckets.MOST_BUCKETS + 100):
        filled.take(str(number))

    assert len(filled._filled) == buckets.MOST_BUCKETS
