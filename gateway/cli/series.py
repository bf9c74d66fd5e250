"""Which series a command is about, and the time that it asks for.

--home --position --name ──> series, each with what it is called; the look is logged
--since --until          ──> microseconds from and up to, not including
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer

from gateway.cli.desk import Desk, desk
from gateway.cli.options import LONGEST
from gateway.times import moment_or_ago
from services.domain.errors import InvalidError, UnknownError
from services.domain.readings import CLOCK_TOLERANCE, Sample, Series, SeriesId
from services.readings.formats import Label
from services.readings.history import ReadingsSource
from services.store import registry
from services.store.connection import to_micros
from services.store.readings.reader import ReadingsReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The series that were asked for, and where they are kept."""

    at: Desk
    source: ReadingsSource
    series: list[Series]
    """By position and name."""
    labels: dict[SeriesId, Label]
    """What each is called."""

    def span(self, since: str | None, until: str | None) -> tuple[int, int]:
        """From when until when, in microseconds since 1970.

        Without an end it is now, or the newest reading of a clock that is a little ahead.
        """
        since_us = 0 if since is None else to_micros(moment_or_ago("since", since, now=self.at.now))
        if until is None:
            until_us = max([to_micros(self.at.now), *self._little_ahead()])
        else:
            until_us = to_micros(moment_or_ago("until", until, now=self.at.now))
        if until_us <= since_us:
            raise InvalidError("until", until or "now", expected=f"a time after {since}")
        return since_us, until_us

    def _little_ahead(self) -> Iterator[int]:
        latest = self.at.now + CLOCK_TOLERANCE
        return (to_micros(sample.at) + 1 for sample in self.last().values() if sample.at <= latest)

    def last(self) -> dict[SeriesId, Sample]:
        """The newest reading of each series, by its id."""
        return self.source.last([one.id for one in self.series])


@contextmanager
def asked_series(
    context: typer.Context,
    data: Path | None,
    *,
    home: str | None,
    position: str | None,
    name: str | None,
    limit: int = LONGEST,
) -> Generator[Asked]:
    """Find the series, and log that somebody looks at these homes.

    Raises:
        UnknownError: The home has no such position.
    """
    with desk(context, data) as at, ReadingsReader(at.folder.readings) as source:
        series = source.series(
            home_id=home, position_id=position_id_of(at, home, position), name=name, limit=limit
        )
        labels = {one.id: _label(at, one) for one in series}
        series.sort(key=lambda one: (one.home_id, labels[one.id].position, one.name))
        at.note_look((one.home_id for one in series), asked_for=home)
        yield Asked(at=at, source=source, series=series, labels=labels)


def position_id_of(at: Desk, home: str | None, name: str | None) -> str | None:
    """The id of a home's position; None when none was named.

    Raises:
        UnknownError: The home has no such position.
    """
    if home is None or name is None:
        return None
    found = registry.position(at.store, home, name)
    if found is None:
        raise UnknownError("position", name, mend=f"see `stadsnav device list --home {home}`")
    return found.id


def _label(at: Desk, series: Series) -> Label:
    _, position = registry.place(at.store, series.position_id)
    return Label(home=series.home_id, position=position, name=series.name, unit=series.unit)
