"""Measured values: which series they belong to, and many of them at once.

    position + name  =  series         "humidity meter, bathroom" + "humidity"
    series + time    =  one reading    the same again is the same reading

Single values are ``Sample``; many are ``Points``, in columns, since a city's day is a billion of them.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NewType

import numpy as np
from numpy.typing import NDArray

from devices.kinds import DataClass, HomeId
from services.domain.ids import PositionId

SeriesId = NewType("SeriesId", int)

CLOCK_TOLERANCE: Final = timedelta(minutes=5)
"""A device's clock that is further ahead than this is wrong: its values count from their receipt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Everything that one position says under one name, whichever hardware stood there."""

    id: SeriesId
    home_id: HomeId
    position_id: PositionId
    name: str
    """The reading's name in the profile."""
    unit: str
    """A primary SenML unit."""
    data_class: DataClass
    """Whose grants cover it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One reading of a series."""

    at: datetime
    """The device's own clock."""
    received_at: datetime
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Readings of one series in columns of one length, by ascending ``at``; no ``at`` twice."""

    at: NDArray[np.int64]
    """Microseconds since 1970, UTC, by the device's own clock."""
    received_at: NDArray[np.int64]
    """Microseconds since 1970, UTC, by ours."""
    value: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.at)
