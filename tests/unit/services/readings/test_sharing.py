"""Which readings may leave, and to whom: judged at the release, by every grant that is in force then."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.codecs.senml import MAX_BYTES, decode
from devices.kinds import DataClass
from services.access import Subject, covers, is_in_force
from services.domain.homes import Grant
from services.domain.ids import PositionId
from services.domain.readings import Series, SeriesId
from services.readings import sharing as sharings
from services.readings.sharing import Share, Sharing
from services.store import registry
from services.store.connection import to_micros
from services.store.readings import series as series_rows
from services.store.readings.columns import Columns, columns_of
from services.store.sqlite import SqliteConnection
from tests.support.clock import START, FrozenClock
from tests.support.reading_lane import readings_database
from tests.support.stores import memory_database
from tests.support.town import SOURCE, Town

HOUR = timedelta(hours=1)


class Street:
    """A town with four series, and what of their readings may leave."""

    def __init__(self, town: Town, store: SqliteConnection) -> None:
        self.town, self.store = town, store
        town.add_device("m-1", "h-1", "humidity-meter", "bathroom")
        town.add_device("t-1", "h-1", "temperature-sensor", "hall")
        town.add_device("l-1", "h-1", "water-leak-sensor", "sink")
        town.add_device("m-2", "h-2", "humidity-meter", "kitchen")
        self.bath = self._add(1, "m-1", "humidity", "%RH", DataClass.CLIMATE)
        self.hall = self._add(2, "t-1", "temperature", "Cel", DataClass.CLIMATE)
        self.sink = self._add(3, "l-1", "leak", "/", DataClass.PROPERTY)
        self.kitchen = self._add(4, "m-2", "humidity", "%RH", DataClass.CLIMATE)
        self.sharing = Sharing(town.connection, store, source=SOURCE)

    def _add(self, number: int, device_id: str, name: str, unit: str, data_class: DataClass) -> Series:
        device = self.town.device(device_id)
        series = Series(
            id=SeriesId(number),
            home_id=device.home_id,
            position_id=device.position_id,
            name=name,
            unit=unit,
            data_class=data_class,
        )
        with self.store.transaction():
            series_rows.add(self.store, series)
        return series

    def shares(self, *of: Series, count: int = 1, now: datetime | None = None) -> list[Share]:
        """What may leave of ``count`` readings of each series."""
        return self.sharing.shares([self.columns(of, count)], now=now or self.town.now)

    def columns(self, of: Sequence[Series], count: int = 1) -> Columns:
        now_us = to_micros(self.town.now)
        rows = [(item.id, now_us - at * 1_000_000, now_us, 20.0 + at) for at in range(count) for item in of]
        return columns_of(*zip(*rows, strict=True))


@pytest.fixture
def street(town: Town) -> Iterator[Street]:
    with closing(readings_database()) as store:
        yield Street(town, store)


@dataclass(frozen=True, order=True)
class Told:
    """Who learns of what."""

    organisation: str
    position: str
    name: str


def told(shares: Sequence[Share]) -> set[Told]:
    found = set()
    for share in shares:
        document = json.loads(share.payload)
        for record in decode(json.dumps(document["data"]).encode(), received_us=0):
            position_id, name = record.name.removeprefix(f"{SOURCE}:").split(":")
            found.add(Told(share.key.organisation_id, position_id, name))
    return found


def expected(*rights: tuple[str, Series]) -> set[Told]:
    return {Told(organisation, item.position_id, item.name) for organisation, item in rights}


def test_without_a_grant_nothing_leaves(street: Street) -> None:
    street.town.grant("acme", "h-1", "safety")

    assert street.shares(street.bath, street.sink) == []


def test_a_grant_of_a_home_covers_its_class_at_every_position_and_no_other_home(street: Street) -> None:
    street.town.grant("acme", "h-1", "climate")

    shares = street.shares(street.bath, street.hall, street.sink, street.kitchen)

    assert told(shares) == expected(("acme", street.bath), ("acme", street.hall))


def test_a_landlord_that_may_know_of_property_never_sees_what_tells_of_people(street: Street) -> None:
    street.town.grant("beta", "h-1", "property")

    assert told(street.shares(street.bath, street.sink)) == expected(("beta", street.sink))


def test_a_grant_of_one_position_covers_that_position_only(street: Street) -> None:
    street.town.grant("acme", "h-1", "climate", position="hall")

    assert told(street.shares(street.bath, street.hall)) == expected(("acme", street.hall))


def test_organisations_whose_rights_overlap_each_get_what_is_theirs_once(street: Street) -> None:
    street.town.grant("acme", "h-1", "climate")
    street.town.grant("acme", "h-1", "climate", position="hall", step=2)
    street.town.grant("beta", "h-1", "climate", position="hall")
    street.town.grant("beta", "h-1", "property")

    shares = street.shares(street.bath, street.hall, street.sink)

    assert told(shares) == expected(
        ("acme", street.bath), ("acme", street.hall), ("beta", street.hall), ("beta", street.sink)
    )
    assert len(shares) == 4, "one event for each organisation, position and class"


def test_of_several_rights_the_earliest_step_of_the_chain_is_the_one_that_is_named(street: Street) -> None:
    street.town.grant("acme", "h-1", "climate", step=2)
    first = street.town.grant("acme", "h-1", "climate", step=1)

    [share] = street.shares(street.bath)

    assert share.key.grant_id == first.id


def test_a_grant_that_is_withdrawn_holds_no_more_at_the_next_release(street: Street) -> None:
    grant = street.town.grant("acme", "h-1", "climate")
    assert len(street.shares(street.bath)) == 1
    assert not street.sharing.has_changed()

    street.town.revoke(grant)

    assert street.sharing.has_changed()
    assert street.shares(street.bath) == []


def test_a_grant_that_is_new_holds_at_the_next_release(street: Street) -> None:
    assert street.shares(street.bath, street.kitchen) == []

    street.town.grant("acme", "h-2", "climate")

    assert told(street.shares(street.bath, street.kitchen)) == expected(("acme", street.kitchen))


def test_a_grant_holds_from_its_start_up_to_its_end(street: Street, clock: FrozenClock) -> None:
    begins, ends = clock.now() + HOUR, clock.now() + 2 * HOUR
    street.town.grant("acme", "h-1", "climate", valid_from=begins, valid_until=ends)

    moments = [begins - timedelta(seconds=1), begins, ends - timedelta(seconds=1), ends]

    assert [len(street.shares(street.bath, now=moment)) for moment in moments] == [0, 1, 1, 0]


def test_an_event_is_a_cloud_event_that_carries_senml(street: Street, clock: FrozenClock) -> None:
    grant = street.town.grant("acme", "h-1", "climate")

    [share] = street.shares(street.bath, count=3)

    document = json.loads(share.payload)
    data = document.pop("data")
    assert document.pop("id")
    assert document == {
        "specversion": "1.0",
        "source": SOURCE,
        "type": "se.stadsnav.reading.v1",
        "subject": "h-1",
        "time": "2026-11-23T08:15:02.120Z",
        "datacontenttype": "application/senml+json",
        "home": "h-1",
        "position": "bathroom",
        "dataclass": "climate",
        "grant": grant.id,
        "purpose": grant.purpose,
    }
    records = decode(json.dumps(data).encode(), received_us=0)
    assert {record.name for record in records} == {f"{SOURCE}:{street.bath.position_id}:humidity"}
    assert [(record.unit, record.value) for record in records] == [
        ("%RH", 22.0), ("%RH", 21.0), ("%RH", 20.0),
    ]  # fmt: skip
    assert records[-1].at_us == to_micros(clock.now())
    assert (share.count, share.key.grant_id, share.key.home_id) == (3, grant.id, "h-1")


def test_many_readings_leave_in_events_that_a_broker_takes(street: Street) -> None:
    street.town.grant("acme", "h-1", "climate")
    clock_us = to_micros(street.town.now)
    rows = [(street.bath.id, clock_us - at * 86_400_000_000 - 1, clock_us, 1 / 3 + at) for at in range(1_000)]

    shares = street.sharing.shares([columns_of(*zip(*rows, strict=True))], now=street.town.now)

    assert sum(share.count for share in shares) == 1_000
    assert max(share.count for share in shares) == sharings.RECORDS_PER_EVENT
    assert max(len(share.payload) for share in shares) < MAX_BYTES * 3 // 4
    assert len({json.loads(share.payload)["id"] for share in shares}) == len(shares)


def test_a_position_that_is_renamed_is_told_by_its_new_name(street: Street) -> None:
    street.town.grant("acme", "h-1", "climate")
    street.shares(street.bath)

    with street.town.connection.transaction():
        street.town.connection.run(
            "UPDATE positions SET name = 'wet room' WHERE id = ?", street.bath.position_id
        )

    assert json.loads(street.shares(street.bath)[0].payload)["position"] == "wet room"


def test_a_series_that_is_erased_meanwhile_is_left_out(street: Street) -> None:
    street.town.grant("acme", "h-1", "climate")
    gone = replace(street.bath, id=SeriesId(77))

    assert told(street.shares(gone, street.hall)) == expected(("acme", street.hall))


def test_a_reading_that_is_there_twice_leaves_once(street: Street) -> None:
    street.town.grant("acme", "h-1", "climate")
    columns = street.columns([street.bath])

    [share] = street.sharing.shares([columns, columns], now=street.town.now)

    assert share.count == 1


GRANTS = st.lists(
    st.fixed_dictionaries(
        {
            "organisation_id": st.sampled_from(["acme", "beta"]),
            "home_id": st.sampled_from(["h-1", "h-2"]),
            "data_class": st.sampled_from(["climate", "property", "safety"]),
            "valid_from": st.sampled_from([START - HOUR, START, START + HOUR]),
            "valid_until": st.sampled_from([None, START + HOUR, START + 2 * HOUR]),
            "step": st.integers(1, 2),
        },
        optional={"position": st.sampled_from(["hall", "bathroom"]), "revoked": st.just(value=True)},
    ),
    max_size=6,
)


@given(wanted=GRANTS, hours=st.integers(0, 3))
def test_who_learns_of_what_is_what_a_slow_judge_says(wanted: list[dict[str, Any]], hours: int) -> None:
    with closing(memory_database()) as database, closing(readings_database()) as store:
        town = Town(database, FrozenClock())
        town.settle()
        street = Street(town, store)
        for members in wanted:
            granted(town, dict(members))
        now = town.now + hours * HOUR
        every = [street.bath, street.hall, street.sink, street.kitchen]

        found = told(street.shares(*every, now=now))

        grants = registry.grants(database, home_id=None, organisation_id=None, limit=100)
        assert found == {Told(*right) for item in every for right in rights(item, grants, now)}


def granted(town: Town, members: dict[str, Any]) -> None:
    """A grant, where it can be one; revoked at once if it is to be."""
    if members["home_id"] == "h-2":
        members.pop("position", None)
    if members["valid_until"] is not None and members["valid_until"] <= members["valid_from"]:
        members["valid_until"] = None
    is_revoked = members.pop("revoked", False)
    grant = town.grant(**members)
    if is_revoked:
        town.revoke(grant)


def rights(item: Series, grants: Sequence[Grant], now: datetime) -> Iterator[tuple[str, str, str]]:
    subject = Subject(
        home_id=item.home_id, position_id=PositionId(item.position_id), data_class=item.data_class
    )
    for grant in grants:
        if covers(grant, subject) and is_in_force(grant, now):
            yield grant.organisation_id, item.position_id, item.name
