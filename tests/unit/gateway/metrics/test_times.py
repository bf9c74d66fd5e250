"""A histogram adds up, in the form that Prometheus reads."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from gateway.metrics.times import FAST_SECONDS, Times


def exposed(times: Times) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(times)
    lines = generate_latest(registry).decode().splitlines()
    return {
        name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")
    }


def bucket(bound: float | str, lane: str = "alarm") -> str:
    return f'took_seconds_bucket{{lane="{lane}",le="{bound}"}}'


@given(st.lists(st.floats(min_value=0, max_value=100)))
def test_each_bucket_counts_what_took_no_longer_and_all_are_counted_once(seconds: list[float]) -> None:
    times = Times("took_seconds", "how long", label="lane")
    for one in seconds:
        times.observe(one, "alarm")

    found = exposed(times)

    if not seconds:
        assert found == {}
        return
    for bound in FAST_SECONDS:
        assert found[bucket(bound)] == sum(one <= bound for one in seconds)
    assert found[bucket("+Inf")] == found['took_seconds_count{lane="alarm"}'] == len(seconds)
    assert abs(found['took_seconds_sum{lane="alarm"}'] - sum(seconds)) < 1e-6


def test_labels_are_counted_apart() -> None:
    times = Times("took_seconds", "how long", label="lane")

    times.observe(0.002, "alarm")
    times.observe(0.002, "status")
    times.observe(0.002, "status")

    found = exposed(times)
    assert (found[bucket("+Inf")], found[bucket("+Inf", "status")]) == (1, 2)


def test_a_clock_that_was_set_back_makes_no_time_negative() -> None:
    times = Times("took_seconds", "how long", label="lane")

    times.observe(-5.0, "alarm")

    assert exposed(times)['took_seconds_sum{lane="alarm"}'] == 0.0
