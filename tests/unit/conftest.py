"""What unit tests share besides the town: its reading lane, see ``tests.support.reading_lane``."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.support.reading_lane import ReadingLane, readings_database
from tests.support.town import Town


@pytest.fixture
def lane(town: Town) -> Iterator[ReadingLane]:
    """``h-1`` has a humidity meter, a leak sensor and an energy meter, each with a connection of its own."""
    town.add_device("m-1", "h-1", "humidity-meter", "bathroom")
    town.add_device("l-1", "h-1", "water-leak-sensor", "sink")
    town.add_device("e-1", "h-1", "energy-meter", "mains")
    town.add_device("m-2", "h-2", "humidity-meter", "kitchen")
    with closing(readings_database()) as store:
        yield ReadingLane(town, store)
