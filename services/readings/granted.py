"""The history that an organisation may see: which series, and from when on.

    series ──a grant in force now covers it──> from that grant's start ──anything said since?──> known

A grant is about the time from its start: what was measured before it, perhaps in the time of another
resident, is not shown, and a series in which nothing was said since is as if it were not there. Of several
grants the one that reaches back furthest is the right by which all of an answer is given.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import numpy as np

from services.access import Subject, covers, is_in_force
from services.domain.homes import Grant
from services.domain.ids import OrganisationId
from services.domain.readings import Points, Sample, Series, SeriesId
from services.store import registry
from services.store.connection import Connection, to_micros

HOMES_AT_ONCE: Final = 200
"""Homes that one page looks at; a page that finds little may be short, and says where the next begins."""

BATCH_ROWS: Final = 50_000
"""Readings that are taken out of the store at once, and held until they are sent."""

_MOST_GRANTS: Final = 1_000
_MOST_SERIES: Final = 10_000
_BEHIND_ALL: Final = "\U0010ffff"

Key = tuple[str, str, str]
"""Home, position's id and name: the order of a list of series."""


class HistorySource(Protocol):
    """Where readings are kept, for looking only."""

    def get(self, series_id: int) -> Series | None:
        """The series with this id."""

    def series(
        self,
        *,
        home_id: str | None = None,
        position_id: str | None = None,
        name: str | None = None,
        limit: int,
    ) -> list[Series]:
        """The series that match everything that is asked for, by position and name."""

    def last(self, series_ids: Sequence[SeriesId]) -> dict[SeriesId, Sample]:
        """The newest reading of each series that has any."""

    def points(self, series_id: SeriesId, *, since_us: int, until_us: int) -> Generator[Points]:
        """The readings with ``since_us <= at < until_us`` in chunks, ascending, from one snapshot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A series that an organisation may know, and by what right."""

    series: Series
    position: str
    """The position's name."""
    grant: Grant
    last: Sample
    """The newest reading; made under the grant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which series are looked for; None: any."""

    home_id: str | None = None
    position: str | None = None
    """By its name, at that home."""
    name: str | None = None
    after: Key = ("", "", "")
    """Only those behind this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some series, in the order of their keys."""

    known: list[Known]
    following: Key | None
    """Where the next page begins; None: there is none."""


class History:
    """The history as one organisation may see it at one moment. For one thread at a time."""

    def __init__(
        self, registry_reader: Connection, source: HistorySource, *, organisation_id: str, now: datetime
    ) -> None:
        self._registry = registry_reader
        self._source = source
        self._organisation_id = OrganisationId(organisation_id)
        self._now = now

    def find(self, series_id: int) -> Known | None:
        """One series; None for what is not granted, as for what does not exist."""
        series = self._source.get(series_id)
        grants = self._grants(series.home_id if series else "")  # asked in either case: both take as long
        grant = right(self._organisation_id, series, grants, at=self._now) if series else None
        return next(iter(self._known([(series, grant)])), None) if series and grant else None

    def page(self, asked: Asked, *, limit: int) -> Page:
        """Series by home, position and name, at most ``limit``."""
        homes = self._homes(asked)
        candidates = [candidate for home_id in homes for candidate in self._candidates(asked, home_id)]
        chosen = candidates[:limit]
        following = None
        if len(candidates) > limit:
            following = _key(chosen[-1][0])
        elif len(homes) == HOMES_AT_ONCE:
            following = (homes[-1], _BEHIND_ALL, "")
        return Page(known=self._known(chosen), following=following)

    def _homes(self, asked: Asked) -> list[str]:
        if asked.home_id is not None:
            return [asked.home_id]
        return registry.homes_granted_to(
            self._registry, self._organisation_id, at=self._now, first=asked.after[0], limit=HOMES_AT_ONCE
        )

    def _candidates(self, asked: Asked, home_id: str) -> Iterator[tuple[Series, Grant]]:
        """The series of a home that are granted, whether or not anything was said in them."""
        grants = self._grants(home_id)
        position = registry.position(self._registry, home_id, asked.position) if asked.position else None
        if not grants or (asked.position and position is None):
            return
        position_id = position.id if position else None
        for series in self._source.series(
            home_id=home_id, position_id=position_id, name=asked.name, limit=_MOST_SERIES
        ):
            grant = right(self._organisation_id, series, grants, at=self._now)
            if grant is not None and _key(series) > asked.after:
                yield series, grant

    def _grants(self, home_id: str) -> list[Grant]:
        return registry.grants(
            self._registry, home_id=home_id, organisation_id=self._organisation_id, limit=_MOST_GRANTS
        )

    def _known(self, candidates: Sequence[tuple[Series, Grant]]) -> list[Known]:
        last = self._source.last([series.id for series, _ in candidates])
        return [
            Known(series=series, position=self._position(series), grant=grant, last=last[series.id])
            for series, grant in candidates
            if series.id in last and is_since(last[series.id], grant)
        ]

    def _position(self, series: Series) -> str:
        return registry.place(self._registry, series.position_id)[1]


def right(organisation_id: str, series: Series, grants: Iterable[Grant], *, at: datetime) -> Grant | None:
    """The grant in force by which an organisation may know a series: the one that began first."""
    subject = Subject(home_id=series.home_id, position_id=series.position_id, data_class=series.data_class)
    covering = (
        grant
        for grant in grants
        if grant.organisation_id == organisation_id and covers(grant, subject) and is_in_force(grant, at)
    )
    return min(covering, key=lambda grant: (grant.valid_from, grant.id), default=None)


def still_holds(connection: Connection, grant: Grant, *, at: datetime) -> bool:
    """Whether a grant that an answer is given by is in force yet."""
    now = registry.grant(connection, grant.id)
    return now is not None and is_in_force(now, at)


def is_since(sample: Sample, grant: Grant) -> bool:
    """Whether a reading is of the grant's time, by the device's clock and by ours."""
    return min(sample.at, sample.received_at) >= grant.valid_from


def readings(source: HistorySource, known: Known, *, since_us: int, until_us: int) -> Iterator[Points]:
    """What may be seen of a series, ascending, in batches that each come from a snapshot of their own.

    So one who reads slowly keeps no snapshot open, which would keep the store from tidying up. What
    comes late for a time that has gone by already is missed.
    """
    start_us = max(since_us, to_micros(known.grant.valid_from))
    while True:
        batch = _batch(source, known.series.id, since_us=start_us, until_us=until_us)
        if not batch:
            return
        yield from _shown(batch, known.grant)
        start_us = int(batch[-1].at[-1]) + 1


def snapshot(source: HistorySource, known: Known, *, since_us: int, until_us: int) -> Iterator[Points]:
    """The same from one snapshot: to be read at once."""
    start_us = max(since_us, to_micros(known.grant.valid_from))
    with closing(source.points(known.series.id, since_us=start_us, until_us=until_us)) as chunks:
        yield from _shown(chunks, known.grant)


def _batch(source: HistorySource, series_id: SeriesId, *, since_us: int, until_us: int) -> list[Points]:
    batch: list[Points] = []
    rows = 0
    with closing(source.points(series_id, since_us=since_us, until_us=until_us)) as chunks:
        for chunk in chunks:
            batch.append(chunk)
            rows += len(chunk)
            if rows >= BATCH_ROWS:
                break
    return batch


def _shown(chunks: Iterable[Points], grant: Grant) -> Iterator[Points]:
    """Without what was received before the grant, whatever the device's clock said."""
    from_us = to_micros(grant.valid_from)
    for chunk in chunks:
        is_shown = np.minimum(chunk.at, chunk.received_at) >= from_us
        if is_shown.all():
            yield chunk
        elif is_shown.any():
            yield Points(
                at=chunk.at[is_shown],
                received_at=chunk.received_at[is_shown],
                value=chunk.value[is_shown],
            )


def _key(series: Series) -> Key:
    return (series.home_id, series.position_id, series.name)
