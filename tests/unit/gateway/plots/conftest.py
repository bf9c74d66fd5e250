"""A week of a humidity meter, with a spike of a minute, a gap of a day, and a minute in the middle of it."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.plots.plot import LimitLine, Plot, plot_of
from services.domain.readings import Sample
from services.readings.history import downsample
from services.store.connection import to_micros
from tests.support.clock import START
from tests.support.histories import points, series

SPIKE = 93.0
MINUTE_US = 60_000_000
DAY_MINUTES = 24 * 60


@pytest.fixture
def week() -> Plot:
    since = START - timedelta(days=7)
    minutes = [
        minute
        for minute in range(7 * DAY_MINUTES)
        if not 3 * DAY_MINUTES <= minute < 4 * DAY_MINUTES or minute == 3.5 * DAY_MINUTES
    ]
    since_us, until_us = to_micros(since), to_micros(START)
    history = points((since_us + minute * MINUTE_US, 60 + minute % 7) for minute in minutes)
    history.value[2_000] = SPIKE
    return plot_of(
        series(),
        position="bathroom meter",
        buckets=downsample([history], since_us=since_us, until_us=until_us, buckets=500),
        span=(since, START),
        last=Sample(at=START - timedelta(minutes=2), received_at=START, value=61.234),
        now=START,
        zone=ZoneInfo("Europe/Stockholm"),
        limits=[LimitLine(label="damp above", value=75), LimitLine(label="far above", value=1_000)],
    )


@pytest.fixture
def silence() -> Plot:
    """The same meter where nothing was ever heard."""
    return plot_of(
        series(),
        position="bathroom meter",
        buckets=downsample([], since_us=0, until_us=10, buckets=5),
        span=(START - timedelta(days=1), START),
        last=None,
        now=START,
        zone=ZoneInfo("Europe/Stockholm"),
    )
