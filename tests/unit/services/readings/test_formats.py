"""Readings as CSV, JSON and Parquet: read back by somebody else's reader, they are the same."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.readings import Points
from services.readings import formats
from services.readings.formats import (
    BUCKET,
    READING,
    WRITERS,
    Block,
    Format,
    Label,
    bucket_block,
    csv_bytes,
    json_bytes,
    parquet_bytes,
    reading_blocks,
)
from services.readings.history import downsample
from services.store.connection import from_micros
from tests.support.histories import cut, points

AT_US = 1_795_421_702_120_001
LABEL = Label(home="h-1", position="humidity meter", name="humidity", unit="%RH")
BUCKETS = downsample([points([(0, 57.5), (1, 56.5), (9, -58.0)])], since_us=0, until_us=10, buckets=5)

histories = st.dictionaries(
    st.integers(0, 2**52), st.floats(allow_nan=False, allow_infinity=False), max_size=20
).map(lambda held: points(sorted(held.items())))
labels = st.builds(Label, home=st.text(), position=st.text(), name=st.text(), unit=st.text())


def written(form: Format, history: Points, label: Label = LABEL) -> bytes:
    return b"".join(WRITERS[form](READING, reading_blocks(label, cut(history, [2, 0, 3]))))


def read_csv(content: bytes) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def as_time(text: str) -> datetime:
    return datetime.fromisoformat(text)


@given(history=histories)
def test_numbers_and_times_come_back_to_the_last_digit_in_every_format(history: Points) -> None:
    at = [from_micros(moment) for moment in history.at.tolist()]
    received_at = [from_micros(moment) for moment in history.received_at.tolist()]
    value = history.value.tolist()

    from_csv = read_csv(written(Format.CSV, history))
    from_json = json.loads(written(Format.JSON, history))
    from_parquet = pq.read_table(io.BytesIO(written(Format.PARQUET, history))).to_pylist()

    for rows in (from_csv, from_json):
        assert [as_time(row["at"]) for row in rows] == at
        assert [as_time(row["received_at"]) for row in rows] == received_at
        assert [float(row["value"]) for row in rows] == value
    assert [(row["at"], row["received_at"], row["value"]) for row in from_parquet] == [
        *zip(at, received_at, value, strict=True)
    ]


@given(label=labels)
def test_any_label_comes_back_from_json_and_parquet(label: Label) -> None:
    history = points([(AT_US, 1.0)])
    expected = {"home": label.home, "position": label.position, "name": label.name, "unit": label.unit}

    (from_json,) = json.loads(written(Format.JSON, history, label))
    (from_parquet,) = pq.read_table(io.BytesIO(written(Format.PARQUET, history, label))).to_pylist()

    assert from_json.items() >= expected.items()
    assert from_parquet.items() >= expected.items()


def test_csv_is_rfc_4180_with_a_header() -> None:
    label = Label(home="h-1", position='meter "bath", left', name="humidity", unit="%RH")

    text = written(Format.CSV, points([(AT_US, 57.25)]), label).decode()

    assert text == (
        "home,position,name,unit,at,received_at,value\r\n"
        'h-1,"meter ""bath"", left",humidity,%RH,'
        "2026-11-23T08:15:02.120001Z,2026-11-23T08:15:02.370001Z,57.25\r\n"
    )


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_text_that_a_spreadsheet_would_run_is_text_in_csv_and_numbers_stay_numbers(start: str) -> None:
    label = Label(home="h-1", position=f"{start}cmd", name=f"{start}1", unit=f"{start}2")

    (row,) = read_csv(written(Format.CSV, points([(AT_US, -5.0)]), label))

    assert [row["position"], row["name"], row["unit"]] == [f"'{start}cmd", f"'{start}1", f"'{start}2"]
    assert row["value"] == "-5.0"


def test_json_is_one_array_with_an_object_a_line() -> None:
    lines = written(Format.JSON, points([(AT_US, 57.25), (AT_US + 1, 58.0)])).decode().splitlines()

    assert lines[0] == "["
    assert lines[-1] == "]"
    assert [json.loads(line.rstrip(","))["value"] for line in lines[1:-1]] == [57.25, 58.0]


def test_parquet_has_its_types_and_times_in_utc() -> None:
    table = pq.read_table(io.BytesIO(written(Format.PARQUET, points([(AT_US, 57.25)]))))

    assert [f"{field.name}: {field.type}" for field in table.schema] == [
        "home: string",
        "position: string",
        "name: string",
        "unit: string",
        "at: timestamp[us, tz=UTC]",
        "received_at: timestamp[us, tz=UTC]",
        "value: double",
    ]
    assert table["at"][0].as_py() == datetime(2026, 11, 23, 8, 15, 2, 120_001, tzinfo=UTC)


def test_nothing_is_a_header_an_empty_array_and_a_table_without_rows() -> None:
    empty = {form: b"".join(WRITERS[form](READING, [])) for form in Format}

    assert empty[Format.CSV] == b"home,position,name,unit,at,received_at,value\r\n"
    assert json.loads(empty[Format.JSON]) == []
    assert pq.read_table(io.BytesIO(empty[Format.PARQUET])).num_rows == 0


def test_buckets_have_the_same_rows_in_every_format() -> None:
    blocks = [bucket_block(LABEL, BUCKETS)]
    expected = [("1970-01-01T00:00:00.000000Z", 2, 56.5, 57.5, 57.0, 56.5),
                ("1970-01-01T00:00:00.000008Z", 1, -58.0, -58.0, -58.0, -58.0)]  # fmt: skip

    from_csv = read_csv(b"".join(csv_bytes(BUCKET, blocks)))
    from_json = json.loads(b"".join(json_bytes(BUCKET, blocks)))
    from_parquet = pq.read_table(io.BytesIO(b"".join(parquet_bytes(BUCKET, blocks)))).to_pylist()

    names = ["start", "count", "min", "max", "mean", "last"]
    assert [tuple(row[name] for name in names) for row in from_json] == expected
    assert [tuple(row[name] for name in names) for row in from_csv] == [
        tuple(str(member) for member in row) for row in expected
    ]
    assert [tuple(row[name] for name in names[1:]) for row in from_parquet] == [row[1:] for row in expected]
    assert [row["start"] for row in from_parquet] == [as_time(row[0]) for row in expected]


class Source:
    """Blocks that count how many were asked for."""

    def __init__(self) -> None:
        self.given = 0

    def __iter__(self) -> Iterator[Block]:
        for number in range(10):
            self.given += 1
            yield from reading_blocks(LABEL, [points([(AT_US + number, float(number))])])


@pytest.mark.parametrize("form", Format)
def test_a_piece_leaves_before_the_last_rows_are_read(form: Format, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "ROW_GROUP", 2)
    source = Source()

    pieces = WRITERS[form](READING, source)
    first = next(piece for piece in pieces if b"humidity" in piece)

    assert first
    assert source.given <= 2


def test_parquet_rows_are_grouped_so_that_small_chunks_make_no_small_groups(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(formats, "ROW_GROUP", 4)

    content = b"".join(parquet_bytes(READING, Source()))

    file = pq.ParquetFile(io.BytesIO(content))
    assert [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)] == [4, 4, 2]
