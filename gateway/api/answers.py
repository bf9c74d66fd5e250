"""What is answered, member by member; see ``docs/history.md`` for the rows."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from devices.kinds import DataClass
from gateway.api.pages import PageOf
from services.readings.granted import Known, Page


class SeriesItem(BaseModel):
    """What one position of a home says under one name, whichever hardware stood there."""

    id: int = Field(description="For `series` of `/api/v1/readings`.")
    home: str
    position: str = Field(description="The position's name.")
    position_id: str = Field(description="Part of the SenML name on `care/{org}/reading`; never changes.")
    name: str = Field(description="As `humidity`.", examples=["humidity"])
    unit: str = Field(description="SenML (RFC 8428, RFC 8798).", examples=["%RH"])
    data_class: DataClass = Field(serialization_alias="class", description="Whose grants cover it.")


class LastItem(SeriesItem):
    """A series with its newest reading."""

    at: datetime = Field(description="When it was measured, by the device's own clock.")
    received_at: datetime = Field(description="When it was received, by ours.")
    value: float = Field(description="In `unit`.")


class SeriesPage(PageOf[SeriesItem]):
    """Series by home, position and name."""


class LastPage(PageOf[LastItem]):
    """The newest reading of each series."""


class ReadingRow(BaseModel):
    """One reading."""

    home: str
    position: str
    name: str
    unit: str
    at: datetime
    received_at: datetime
    value: float


class BucketRow(BaseModel):
    """The readings of one span of time, where there are any."""

    home: str
    position: str
    name: str
    unit: str
    start: datetime = Field(description="Its first moment.")
    count: int = Field(ge=1)
    min: float
    max: float
    mean: float = Field(description="Of the readings, each counting the same.")
    last: float


def series_page(page: Page, *, following: str | None) -> SeriesPage:
    """A page of series as it is answered.

    Args:
        page: What was found.
        following: The cursor of the next.
    """
    return SeriesPage(items=[SeriesItem(**_series(known)) for known in page.known], next=following)


def last_page(page: Page, *, following: str | None) -> LastPage:
    """The same with the newest reading of each."""
    items = [
        LastItem(
            **_series(known),
            at=known.last.at,
            received_at=known.last.received_at,
            value=known.last.value,
        )
        for known in page.known
    ]
    return LastPage(items=items, next=following)


def _series(known: Known) -> dict[str, Any]:
    series = known.series
    return {
        "id": series.id,
        "home": series.home_id,
        "position": known.position,
        "position_id": series.position_id,
        "name": series.name,
        "unit": series.unit,
        "data_class": series.data_class,
    }
