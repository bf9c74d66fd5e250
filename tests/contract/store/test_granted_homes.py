"""The homes of which an organisation may know anything, page by page."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from devices.kinds import DataClass, HomeId
from services.store import registry
from tests.support.clock import START
from tests.support.rows import ACME, BETA, HOME, grant_of
from tests.support.stores import Database

HOUR = timedelta(hours=1)
HOMES = [HomeId(f"h-{number}") for number in range(1, 7)]


@pytest.fixture
def granted(settled: Database) -> Database:
    """``acme``: h-1 twice, h-3 for an hour, h-4 no more, h-5 in an hour. ``beta``: h-6."""
    with settled.transaction():
        for home_id in HOMES[1:]:
            registry.add_home(settled, replace(HOME, id=home_id))
        for grant in (
            grant_of(home_id=HOMES[0]),
            grant_of(home_id=HOMES[0], data_class=DataClass.CARE),
            grant_of(home_id=HOMES[2], valid_until=START + HOUR),
            grant_of(home_id=HOMES[3], revoked_at=START),
            grant_of(home_id=HOMES[4], valid_from=START + HOUR),
            grant_of(BETA, home_id=HOMES[5]),
        ):
            registry.add_grant(settled, grant)
    return settled


def homes(database: Database, *, at: datetime = START, first: str = "", limit: int = 10) -> list[str]:
    return registry.homes_granted_to(database, ACME.id, at=at, first=first, limit=limit)


def test_a_home_is_there_once_while_any_grant_holds(granted: Database) -> None:
    assert homes(granted, at=START - HOUR) == []
    assert homes(granted) == ["h-1", "h-3"]
    assert homes(granted, at=START + HOUR) == ["h-1", "h-5"]


def test_pages_begin_where_they_are_told_and_end_when_they_are_full(granted: Database) -> None:
    assert homes(granted, first="h-1", limit=1) == ["h-1"]
    assert homes(granted, first="h-2") == ["h-3"]
    assert homes(granted, first="h-4") == []


def test_the_others_are_asked_for_by_their_own_name(granted: Database) -> None:
    assert registry.homes_granted_to(granted, BETA.id, at=START, first="", limit=10) == ["h-6"]
    assert registry.homes_granted_to(granted, "nobody", at=START, first="", limit=10) == []
