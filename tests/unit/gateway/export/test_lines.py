"""Readings as line protocol: exact, the same every time, and without a name of anybody."""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.kinds import DataClass, HomeId
from gateway.export.lines import Lines
from gateway.export.pseudonyms import Pseudonyms
from services.domain.ids import PositionId
from services.domain.readings import Series, SeriesId
from services.store.migrations import READINGS, migrate
from services.store.readings import series as series_rows
from services.store.readings.columns import columns_of
from services.store.sqlite import SqliteConnection

AT = 1_763_971_200_000_123
HUMIDITY = Series(
    id=SeriesId(1),
    home_id=HomeId("h-storgatan-1"),
    position_id=PositionId("position-bathroom"),
    name="humidity",
    unit="%RH",
    data_class=DataClass.CLIMATE,
)
KNOWN_AS = Pseudonyms(b"k" * 32)


@pytest.fixture(scope="module")
def readings() -> Iterator[SqliteConnection]:
    with closing(SqliteConnection(Path(":memory:"))) as connection:
        migrate(connection, READINGS)
        for series in (
            HUMIDITY,
            replace(HUMIDITY, id=SeriesId(2), name="presence", unit="/", data_class=DataClass.CARE),
            replace(HUMIDITY, id=SeriesId(3), name="odd name,=", unit="a b,=c"),
            replace(HUMIDITY, id=SeriesId(4), name="plain", unit=""),
        ):
            series_rows.add(connection, series)
        yield connection


def line_of(readings: SqliteConnection, value: float, *, series: int = 1, at: int = AT) -> list[str]:
    return Lines(readings, KNOWN_AS).of(columns_of([series], [at], [at + 1], [value]))


def test_a_reading_is_a_point_with_the_devices_time_in_microseconds(readings: SqliteConnection) -> None:
    [line] = line_of(readings, 61.5)

    tag = KNOWN_AS.tag("position-bathroom")
    assert line == f"humidity,class=climate,position={tag},unit=%RH value=61.5 {AT}"


def test_no_line_names_the_home_or_the_position(readings: SqliteConnection) -> None:
    [line] = line_of(readings, 61.5)

    assert "storgatan" not in line
    assert "bathroom" not in line


@given(value=st.floats(allow_nan=False, allow_infinity=False), at=st.integers(0, 2**62))
def test_value_and_time_can_be_read_back_exactly_and_again_the_same(
    readings: SqliteConnection, value: float, at: int
) -> None:
    [line] = line_of(readings, value, at=at)

    _, field, time = line.rsplit(" ", 2)
    assert float(field.removeprefix("value=")) == value
    assert int(time) == at
    assert line_of(readings, value, at=at) == [line]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_has_no_line(readings: SqliteConnection, value: float) -> None:
    assert line_of(readings, value) == []


def test_what_the_syntax_uses_is_escaped_in_names_and_units(readings: SqliteConnection) -> None:
    [line] = line_of(readings, 1.0, series=3)

    assert line.startswith(r"odd\ name\,=,class=climate,position=")
    assert r",unit=a\ b\,\=c value=1.0 " in line


def test_a_reading_without_a_unit_has_no_tag_for_it(readings: SqliteConnection) -> None:
    [line] = line_of(readings, 1.0, series=4)

    assert re.fullmatch(r"plain,class=climate,position=[0-9a-f]{32} value=1\.0 \d+", line)


def test_a_series_that_was_erased_is_left_out_and_the_others_stay_in_order(
    readings: SqliteConnection,
) -> None:
    columns = columns_of([1, 99, 2], [AT, AT, AT], [AT, AT, AT], [1.0, 2.0, 3.0])

    lines = Lines(readings, KNOWN_AS).of(columns)

    assert [line.split(",")[0] for line in lines] == ["humidity", "presence"]


def test_a_class_that_the_target_is_not_to_get_is_left_out(readings: SqliteConnection) -> None:
    columns = columns_of([1, 2], [AT, AT], [AT, AT], [1.0, 2.0])

    lines = Lines(readings, KNOWN_AS, [DataClass.CARE]).of(columns)

    assert [line.split(",")[0] for line in lines] == ["presence"]
