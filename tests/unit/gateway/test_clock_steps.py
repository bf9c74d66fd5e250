from datetime import UTC, datetime, timedelta

from gateway.pacing import SteadyClock


class _Clocks:
    """A wall clock that can be set, beside one that cannot."""

    def __init__(self) -> None:
        self.wall = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
        self.monotonic_s = 100.0

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.monotonic_s

    def pass_time(self, by: timedelta) -> None:
        self.wall += by
        self.monotonic_s += by.total_seconds()


def test_time_that_passes_and_small_corrections_are_no_step() -> None:
    clocks = _Clocks()
    steady = SteadyClock(clocks, clocks.monotonic)

    clocks.pass_time(timedelta(hours=3))
    clocks.wall += timedelta(milliseconds=900)

    assert steady.step() == timedelta(0)


def test_a_clock_that_is_set_back_or_forward_is_noticed_once_with_how_far() -> None:
    clocks = _Clocks()
    steady = SteadyClock(clocks, clocks.monotonic)

    clocks.wall -= timedelta(hours=1)

    assert steady.step() == timedelta(hours=-1)
    assert steady.step() == timedelta(0)

    clocks.wall += timedelta(days=365)

    assert steady.step() == timedelta(days=365)
