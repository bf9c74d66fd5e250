"""What a plot says in words, and in which unit."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.plots.plot import LimitLine, Plot, duration_text, plot_of
from services.domain.readings import Sample
from services.readings.history import downsample
from tests.support.clock import START
from tests.support.histories import points, series


def test_the_description_says_everything_to_somebody_who_does_not_see_the_plot(week: Plot) -> None:
    assert week.description == (
        "humidity at bathroom meter, home h-1, 16 Nov 2026 09:15 to 23 Nov 2026 09:15 "
        "(local time, Europe/Stockholm (CET)). Lowest 60 %RH, highest 93 %RH. Gaps without readings: 2. "
        "Limit: damp above 75 %RH. Limit: far above 1000 %RH. "
        "Last 61.2 %RH, 2 min ago (23 Nov 2026 09:13)."
    )


def test_a_plot_of_nothing_says_so(silence: Plot) -> None:
    assert "No readings in this time. Never heard." in silence.description
    assert silence.runs == []


def test_both_names_of_local_time_stand_below_an_axis_over_a_change_of_clocks(week: Plot) -> None:
    long = replace(week, since=START - timedelta(days=60))

    assert long.time_label == "local time, Europe/Stockholm (CEST/CET)"


def test_the_line_is_in_runs_without_the_gap_and_the_spike_is_in_the_range(week: Plot) -> None:
    assert [run.stop - run.start == 1 for run in week.runs] == [False, True, False]
    assert week.value_range[1] > 93


def test_a_limit_far_from_the_readings_is_not_drawn_and_does_not_flatten_them(week: Plot) -> None:
    assert [limit.label for limit in week.drawn_limits] == ["damp above"]
    assert week.value_range[1] < 100


def test_the_age_counts_from_when_we_heard_it_where_the_clock_is_far_ahead(week: Plot) -> None:
    ahead = Sample(at=START + timedelta(days=365), received_at=START - timedelta(hours=3), value=1.0)

    assert "3 h ago (23 Nov 2026 06:15)" in replace(week, last=ahead).last_text


@pytest.mark.parametrize(
    ("unit", "value", "shown"),
    [
        ("Cel", 21.25, "21.2 °C"),
        ("J", 3.6e9, "1000 kWh"),
        ("Pa", 101_325.0, "1013 hPa"),
        ("/", 1.0, "1"),
        ("W", 12_345.6, "12346 W"),
        ("V", 0.00123, "0.001 V"),
        ("A", -3.456, "-3.46 A"),
    ],
)
def test_values_are_in_the_unit_that_people_use(unit: str, value: float, shown: str) -> None:
    buckets = downsample([points([(1, value)])], since_us=0, until_us=10, buckets=5)
    plot = plot_of(
        series(unit=unit),
        position="meter",
        buckets=buckets,
        span=(START - timedelta(days=1), START),
        last=Sample(at=START, received_at=START, value=value),
        now=START,
        zone=START.tzinfo,  # type: ignore[arg-type]
        limits=[LimitLine(label="above", value=value)],
    )

    assert plot.last is not None
    assert plot.with_unit(plot.last.value) == shown
    assert plot.limits[0].value == plot.last.value == plot.buckets.max[0] == plot.buckets.last[0]


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(), "0 s"),
        (timedelta(seconds=-5), "0 s"),
        (timedelta(seconds=59.6), "1 min"),
        (timedelta(minutes=90), "1 h 30 min"),
        (timedelta(hours=1, seconds=5), "1 h"),
        (timedelta(days=1), "1 day"),
        (timedelta(days=3, hours=4, minutes=5), "3 days 4 h"),
    ],
)
def test_a_duration_is_its_two_largest_units(duration: timedelta, text: str) -> None:
    assert duration_text(duration) == text
