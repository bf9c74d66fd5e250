"""What may be seen of a history, against a slow judge; and in which portions it is taken from the store."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.kinds import DataClass, HomeId
from services.domain.homes import Grant
from services.domain.ids import OrganisationId, PositionId
from services.domain.readings import Points, Sample, Series, SeriesId
from services.readings import granted
from services.readings.granted import Known, right
from services.store.connection import from_micros
from tests.support.clock import START
from tests.support.histories import points, series
from tests.support.rows import ACME, BETA, grant_of

MINUTE = timedelta(minutes=1)
EPOCH_GRANT = 100
"""When the grant of the histories here begins, in microseconds since 1970."""

moments = st.integers(80, 130)
histories = st.dictionaries(moments, st.integers(-20, 20), max_size=50)


@dataclass(slots=True)
class Source:
    """A ``HistorySource`` of one series in chunks of a few readings; counts the snapshots that are open."""

    held: Points
    chunk: int = 3
    snapshots: int = 0
    open_now: int = 0
    taken: list[int] = field(default_factory=list)

    def get(self, series_id: int) -> Series | None:
        return series(series_id)

    def series(
        self,
        *,
        home_id: str | None = None,
        position_id: str | None = None,
        name: str | None = None,
        limit: int,
    ) -> list[Series]:
        raise NotImplementedError

    def last(self, series_ids: Sequence[SeriesId]) -> dict[SeriesId, Sample]:
        raise NotImplementedError

    def points(self, series_id: SeriesId, *, since_us: int, until_us: int) -> Generator[Points]:  # noqa: ARG002
        self.snapshots += 1
        self.open_now += 1
        self.taken.append(0)
        try:
            inside = np.flatnonzero((self.held.at >= since_us) & (self.held.at < until_us))
            for start in range(0, len(inside), self.chunk):
                rows = inside[start : start + self.chunk]
                self.taken[-1] += len(rows)
                yield Points(
                    at=self.held.at[rows],
                    received_at=self.held.received_at[rows],
                    value=self.held.value[rows],
                )
        finally:
            self.open_now -= 1


def known_since(begin_us: int) -> Known:
    sample = Sample(at=START, received_at=START, value=1.0)
    grant = grant_of(home_id=HomeId("h-1"), data_class=DataClass.CLIMATE, valid_from=from_micros(begin_us))
    return Known(series=series(1), position="bathroom", grant=grant, last=sample)


@given(delays=histories, window=st.tuples(moments, moments), batch=st.integers(1, 20))
def test_what_is_shown_is_what_the_slow_judge_shows_whatever_the_portions(
    delays: dict[int, int], window: tuple[int, int], batch: int
) -> None:
    since, until = window
    at = np.array(sorted(delays), np.int64)
    received_at = at + np.array([delays[moment] for moment in at.tolist()], np.int64)
    source = Source(Points(at=at, received_at=received_at, value=at.astype(float)))
    judged = [
        moment
        for moment in at.tolist()
        if since <= moment < until and moment >= EPOCH_GRANT and moment + delays[moment] >= EPOCH_GRANT
    ]
    span = {"since_us": since, "until_us": until}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(granted, "BATCH_ROWS", batch)
        in_batches = list(granted.readings(source, known_since(EPOCH_GRANT), **span))
    at_once = list(granted.snapshot(source, known_since(EPOCH_GRANT), **span))

    assert [moment for chunk in in_batches for moment in chunk.at.tolist()] == judged
    assert [moment for chunk in at_once for moment in chunk.at.tolist()] == judged
    assert source.open_now == 0


def test_no_snapshot_is_open_while_readings_are_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(granted, "BATCH_ROWS", 10)
    source = Source(points([(moment, 1.0) for moment in range(100)]))

    shown = granted.readings(source, known_since(0), since_us=0, until_us=100)
    open_meanwhile = [source.open_now for _ in islice(shown, 20)]

    assert set(open_meanwhile) == {0}
    assert source.snapshots > 3
    assert max(source.taken) <= 12  # a batch and the rest of its last chunk


grants = st.builds(
    grant_of,
    st.sampled_from([ACME, BETA]),
    home_id=st.sampled_from([HomeId("h-1"), HomeId("h-2")]),
    position_id=st.sampled_from([None, PositionId("position-1"), PositionId("position-2")]),
    data_class=st.sampled_from([DataClass.CLIMATE, DataClass.CARE]),
    valid_from=st.integers(-3, 1).map(lambda minutes: START + minutes * MINUTE),
    valid_until=st.none() | st.integers(0, 2).map(lambda minutes: START + minutes * MINUTE),
    revoked_at=st.none() | st.integers(-1, 1).map(lambda minutes: START + minutes * MINUTE),
)


@given(held=st.lists(grants, max_size=8))
def test_the_right_is_a_grant_in_force_that_reaches_back_furthest(held: list[Grant]) -> None:
    def is_right(grant: Grant) -> bool:
        if grant.organisation_id != "acme" or grant.home_id != "h-1":
            return False
        if grant.data_class != "climate" or grant.position_id == "position-2":
            return False
        if grant.valid_from > START or (grant.valid_until and grant.valid_until <= START):
            return False
        return grant.revoked_at is None

    rights = [grant for grant in held if is_right(grant)]

    found = right(OrganisationId("acme"), series(1), held, at=START)

    assert (found is None) == (not rights)
    if found is not None:
        assert found in rights
        assert found.valid_from == min(grant.valid_from for grant in rights)
