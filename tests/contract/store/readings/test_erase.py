"""Erased is erased: nothing of a home is in any table, nor anywhere in the file or its log, and nobody else's
is touched.
"""

import asyncio
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pytest

from devices.kinds import DeviceId, HomeId
from services import quarantine
from services.domain.homes import Device, DeviceState, Dialect, ForeignDevice, Home, Integration, Position
from services.domain.ids import IntegrationId, PositionId
from services.readings.batch import Batch, Doubtful
from services.readings.upkeep import erase
from services.store import integrations, registry
from services.store.connection import from_micros, to_micros
from services.store.readings import erasures, marks, segments, unknown
from services.store.readings import series as series_rows
from services.store.readings.columns import from_journal, unpack
from services.store.readings.segments import DAY_MICROS, day_of
from services.store.sqlite import SqliteConnection
from tests.support.readings_store import DiedError, SqliteReadings, series

DAY: Final = to_micros(datetime(2026, 11, 23, tzinfo=UTC))
VALUE: Final = 12_345.678_901_234_5
"""Of the home that is erased, so that its eight bytes can be looked for."""

MARKER: Final = b"said-by-somebody-of-h-1"
EVER: Final = {"since_us": -(2**62), "until_us": 2**62}

HOMES: Final = {"h-1": ("position-1", "position-2"), "h-2": ("position-3",)}
OURS: Final = (1, 2)


@pytest.fixture
def lived_in(readings: SqliteReadings) -> SqliteReadings:
    """Two homes of which something is in every table and every stage that a reading passes."""
    _settle(readings.registry)
    readings.add(*(series(number, home=home_of(number)) for number in (1, 2, 3)))
    for step in range(4):
        readings.commit(_said(DAY + step))
        readings.flush()
        readings.merge_flushes()  # what it replaces stays in the file
    readings.merge_days(today=day_of(DAY) + 1)
    readings.commit(_said(DAY + DAY_MICROS))
    readings.flush()
    readings.commit(_said(DAY + DAY_MICROS + 1))
    _fill_the_rest(readings)
    return readings


def home_of(number: int) -> str:
    return "h-1" if number in OURS else "h-2"


def _said(at: int) -> list[tuple[int, int, int, float]]:
    return [(number, at, at, VALUE if number in OURS else 7.25) for number in (1, 2, 3)]


def _settle(connection: SqliteConnection) -> None:
    with connection.transaction():
        for home_id, position_ids in HOMES.items():
            home = Home(id=HomeId(home_id), address="", co_id="", access_id="", node=home_id)
            registry.add_home(connection, home)
            for position_id in position_ids:
                position = Position(id=PositionId(position_id), home_id=home.id, name=position_id)
                registry.add_position(connection, position)
                registry.add_device(connection, _device(home.id, position))
        for id_, home_id in (("zigbee", "h-1"), ("lora", None), ("other", "h-2")):
            integration = Integration(
                id=IntegrationId(id_),
                name=id_,
                dialect=Dialect.ZIGBEE2MQTT,
                home_id=HomeId(home_id) if home_id else None,
            )
            integrations.add(connection, integration)
        for external_id, device_id in (("meter-1", "device-position-1"), ("meter-3", "device-position-3")):
            foreign = ForeignDevice(
                integration_id=IntegrationId("lora"), external_id=external_id, device_id=DeviceId(device_id)
            )
            integrations.link(connection, foreign)


def _device(home_id: HomeId, position: Position) -> Device:
    return Device(
        id=DeviceId(f"device-{position.id}"),
        home_id=home_id,
        position_id=position.id,
        position=position.name,
        profile="temperature-sensor",
        state=DeviceState.IN_SERVICE,
    )


def _fill_the_rest(readings: SqliteReadings) -> None:
    connection, now = readings.connection, from_micros(DAY)
    with connection.transaction():
        series_rows.note_last(connection, [(n, DAY, DAY, VALUE if n in OURS else 7.25) for n in (1, 2, 3)])
        for position_ids in HOMES.values():
            for position_id in position_ids:
                marks.set_rule_states(connection, {(position_id, "damp"): f"since-{position_id}"})
                marks.set_clocks(connection, {f"device-{position_id}": "wrong:1"})
        for integration_id, external_id in _STRANGERS:
            unknown.seen(
                connection,
                integration_id=integration_id,
                external_id=external_id,
                model="",
                example=MARKER.decode() if (integration_id, external_id) not in _OTHERS else "{}",
                messages=1,
                at=now,
            )
        for client_id, home_id, payload in _SET_ASIDE:
            quarantine.keep(
                connection,
                lane="reading",
                topic=f"up/{client_id}/{client_id}/reading",
                client_id=client_id,
                device_id=client_id,
                home_id=HomeId(home_id) if home_id else None,
                external_id=None,
                reason="it cannot be right",
                payload=payload,
                now=now,
            )


_OTHERS: Final = {("other", "bulb"), ("lora", "meter-3"), ("lora", "nobodys")}
_STRANGERS: Final = [("zigbee", "lamp"), ("lora", "meter-1"), *_OTHERS]
_SET_ASIDE: Final = [
    ("device-position-1", "h-1", MARKER),
    ("device-position-2", "h-1", MARKER * 400),
    ("device-position-2", None, MARKER),
    ("zigbee", None, MARKER),
    ("lora", "h-1", MARKER),
    ("device-position-3", "h-2", b"theirs"),
    ("lora", None, b"nobody knows whose"),
]


def cells(connection: SqliteConnection) -> Iterator[tuple[str, str, Any]]:
    """Table, column and content of everything that is stored, blobs of readings as readings."""
    for (table,) in connection.rows("SELECT name FROM sqlite_schema WHERE type = 'table'"):
        names = [row[1] for row in connection.rows(f"PRAGMA table_info({table})")]
        for row in connection.rows(f"SELECT * FROM {table}"):  # noqa: S608 - our own tables
            held = dict(zip(names, row, strict=True))
            yield from ((table, name, value) for name, value in held.items())
            if table == "journal":
                yield from (
                    (table, "readings", row) for row in from_journal(held["series"], held["points"]).rows()
                )
            if table == "pages":
                yield from ((table, "readings", row) for row in unpack(held["content"], held["count"]).rows())


MAY_SAY_WHOSE: Final = {("erasures", "home_id"), ("erasures", "position_id"), ("erasures", "series")}
"""That it was asked for is known afterwards."""


def found_of(
    connection: SqliteConnection, names: set[str], series_ids: set[int]
) -> list[tuple[str, str, Any]]:
    """Everything that says anything of these."""
    return [
        (table, column, value)
        for table, column, value in cells(connection)
        if (table, column) not in MAY_SAY_WHOSE and _tells(table, column, value, names, series_ids)
    ]


def _tells(table: str, column: str, value: Any, names: set[str], series_ids: set[int]) -> bool:
    if column == "readings":
        return value[0] in series_ids
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    is_series = column == "series" or (table, column) == ("series", "id")
    if isinstance(value, str):
        return any(name in value for name in names)
    return is_series and value in series_ids


OURS_BY_NAME: Final = {
    *("h-1", "position-1", "position-2", "device-position-1", "device-position-2"),
    *("zigbee", "lamp", "meter-1"),
}


def everything_of_h_2(readings: SqliteReadings) -> list[tuple[str, str, Any]]:
    names = {"h-2", "position-3", "device-position-3", "other", "bulb", "meter-3", "nobodys"}
    told = found_of(readings.connection, names, {3})
    return sorted({(table, column, str(value)) for table, column, value in told})


def test_before_it_there_is_something_of_the_home_in_nearly_every_table(lived_in: SqliteReadings) -> None:
    tables = {table for table, *_ in found_of(lived_in.connection, OURS_BY_NAME, set(OURS))}

    assert tables == {
        *("series", "journal", "pages", "last_values", "rule_states", "device_clocks"),
        *("unknown_devices", "quarantine"),
    }
    assert struct.pack("<d", VALUE) in _bytes(lived_in)
    assert MARKER in _bytes(lived_in)


def test_after_it_nothing_in_any_table_tells_of_the_home(lived_in: SqliteReadings) -> None:
    assert lived_in.erase("h-1")

    assert found_of(lived_in.connection, OURS_BY_NAME, set(OURS)) == []


def test_what_is_of_others_is_as_it_was(lived_in: SqliteReadings) -> None:
    before = everything_of_h_2(lived_in)
    with lived_in.reader() as reader:
        points = [chunk.at.tolist() for chunk in reader.points(series(3).id, **EVER)]

    lived_in.erase("h-1")

    assert everything_of_h_2(lived_in) == before
    with lived_in.reader() as reader:
        assert [chunk.at.tolist() for chunk in reader.points(series(3).id, **EVER)] == points
        assert [one.id for one in reader.series(limit=9)] == [3]


def test_a_position_can_be_erased_alone(lived_in: SqliteReadings) -> None:
    lived_in.erase("h-1", "position-2")

    gone = {"position-2", "device-position-2"}
    assert [cell for cell in found_of(lived_in.connection, gone, {2}) if cell[0] != "quarantine"] == []
    with lived_in.reader() as reader:
        assert [one.id for one in reader.series(limit=9)] == [1, 3]
        assert sum(len(chunk) for chunk in reader.points(series(1).id, **EVER)) == 6
    assert marks.rule_states(lived_in.connection).keys() == {("position-1", "damp"), ("position-3", "damp")}
    assert {
        row.external_id for row in unknown.unknown_devices(lived_in.connection, integration_id=None, limit=9)
    } == {
        "lamp",
        "meter-1",
        "bulb",
        "meter-3",
        "nobodys",
    }


def test_what_was_set_aside_goes_for_a_position_too_since_nobody_knows_of_which_it_tells(
    lived_in: SqliteReadings,
) -> None:
    lived_in.erase("h-1", "position-2")

    assert MARKER not in b"".join(
        row[0] for row in lived_in.connection.rows("SELECT payload FROM quarantine")
    )


def test_its_bytes_are_gone_from_the_file_and_its_log(lived_in: SqliteReadings) -> None:
    lived_in.erase("h-1")

    left = _bytes(lived_in)
    assert struct.pack("<d", VALUE) not in left
    assert MARKER not in left
    assert struct.pack("<d", 7.25) in left, "a journal row that still holds the other home"
    assert b"theirs" in left


def test_the_bytes_of_what_was_replaced_and_dropped_before_are_gone_too(lived_in: SqliteReadings) -> None:
    rows = lived_in.connection.rows("SELECT content, count FROM pages")
    pages = [content for content, count in rows if np.isin(unpack(content, count).series, OURS).any()]
    assert len(pages) > len(segments.ready(lived_in.connection)), "merged ones are still there"
    assert all(page in _bytes(lived_in) for page in pages)
    lived_in.drop()

    lived_in.erase("h-1")

    left = _bytes(lived_in)
    assert [page for page in pages if page in left] == []


def _bytes(readings: SqliteReadings) -> bytes:
    log = readings.path.with_name("readings.db-wal")
    return readings.path.read_bytes() + (log.read_bytes() if log.exists() else b"")


def test_it_counts_every_reading_once_wherever_it_was(lived_in: SqliteReadings) -> None:
    held = sum(row.series in OURS for row in lived_in.raw())

    asked = lived_in.ask("h-1")
    lived_in.do_erasures()

    done = erasures.get(lived_in.connection, asked)
    assert done is not None
    assert done.done_at == lived_in.clock.now()
    assert done.count == held == 12


@pytest.mark.parametrize("asked_for", [None, "position-1"])
def test_it_can_die_before_any_step_and_is_finished_by_the_next_run(
    lived_in: SqliteReadings, asked_for: str | None
) -> None:
    chosen, names = ({1}, {"position-1"}) if asked_for else (set(OURS), OURS_BY_NAME)
    held = sum(row.series in chosen for row in lived_in.raw())
    others = everything_of_h_2(lived_in)
    id_ = lived_in.ask("h-1", asked_for)

    deaths = 0
    for steps in range(100):
        lived_in.writer.steps_left = steps // 3  # more of them each third time, so that it comes to an end
        try:
            lived_in.do_erasures()
        except DiedError:
            deaths += 1
            lived_in.reopen()
        else:
            break

    assert deaths > 10
    told = found_of(lived_in.connection, names, chosen)
    assert [cell for cell in told if cell[0] != "quarantine"] == []
    done = erasures.get(lived_in.connection, id_)
    assert done is not None
    assert done.count == held
    assert everything_of_h_2(lived_in) == others


def test_a_series_id_is_not_given_again_when_the_newest_series_is_erased(readings: SqliteReadings) -> None:
    readings.add(series(1), series(2, home="h-2"))
    readings.erase("h-2")

    readings.reopen()

    assert series_rows.newest_id(readings.connection) == 2
    assert readings.states.add() == 3


def test_a_batch_that_was_gathered_before_brings_nothing_of_it_back(readings: SqliteReadings) -> None:
    readings.add(series(1), series(2, home="h-2"))
    readings.commit([(1, DAY, DAY, VALUE)])
    batch = Batch()
    for id_ in (1, 2):
        batch.series.append(id_)
        batch.at.append(DAY + 1)
        batch.received_at.append(DAY + 1)
        batch.value.append(1.5)
    batch.doubtful = [Doubtful(pack=0, series=id_, at=DAY - 1, received_at=DAY, value=1.5) for id_ in (1, 2)]
    batch.last_values = [(1, DAY + 1, DAY + 1, 1.5), (2, DAY + 1, DAY + 1, 1.5)]

    readings.erase("h-1")
    committed = asyncio.run(
        readings.writer.write(
            lambda connection: batch.write(connection, readings.recent, now=from_micros(DAY))
        )
    )
    readings.recent.add(committed.columns, number=committed.number)
    readings.reopen()
    readings.flush()

    assert {row.series for row in readings.raw()} == {2}
    assert readings.connection.rows("SELECT series FROM last_values") == [(2,)]


def test_what_is_said_there_afterwards_is_new_and_stays(readings: SqliteReadings) -> None:
    readings.add(series(1))
    readings.commit([(1, DAY, DAY, VALUE)])
    readings.erase("h-1")

    readings.add(series(2, position="position-1"))
    readings.commit([(2, DAY, DAY, 3.0)])
    readings.flush()

    with readings.reader() as reader:
        (found,) = reader.series(home_id="h-1", limit=9)
        assert [chunk.value.tolist() for chunk in reader.points(found.id, **EVER)] == [[3.0]]


def test_it_is_not_done_while_somebody_still_reads_what_is_erased(
    lived_in: SqliteReadings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erase, "LOG_TRIES", 2)
    answer = lived_in.reader().points(series(1).id, **EVER)
    next(answer)

    was_done = lived_in.erase("h-1")
    waiting = len(erasures.waiting(lived_in.connection))
    answer.close()  # type: ignore[attr-defined]

    assert (was_done, waiting) == (False, 1)
    assert lived_in.do_erasures()
    assert struct.pack("<d", VALUE) not in _bytes(lived_in)
    assert erasures.waiting(lived_in.connection) == []


def test_an_erasure_of_nothing_is_done(readings: SqliteReadings) -> None:
    assert readings.erase("nowhere")

    assert np.array(readings.raw()).size == 0
    assert erasures.waiting(readings.connection) == []
