"""Readings as CSV, JSON and Parquet, in pieces: for a file, a pipe or an answer over HTTP.

    blocks of rows, one series each  ->  csv_bytes | json_bytes | parquet_bytes  ->  bytes, bytes, …

    every row     home, position, name, unit
    a reading     at, received_at, value
    a bucket      start, count, min, max, mean, last

Nothing waits for the end: a piece leaves as soon as its rows are there, and is forgotten.
"""

import csv
import io
import json
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import asdict, astuple, dataclass, fields
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.domain.readings import Points
from services.readings.history import Buckets

ROW_GROUP: Final = 100_000
"""Rows of a Parquet file that are written together, and held until they are so many."""

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet runs a text that starts so, but not with an apostrophe before it (OWASP, CSV injection)."""


class Format(StrEnum):
    """How rows are written."""

    CSV = "csv"
    """RFC 4180 with a header, UTF-8."""
    JSON = "json"
    """One array of objects, an object a line."""
    PARQUET = "parquet"


class _Kind(StrEnum):
    TIME = "time"
    COUNT = "count"
    NUMBER = "number"


Columns = tuple[tuple[str, _Kind], ...]

READING: Final[Columns] = (
    ("at", _Kind.TIME),
    ("received_at", _Kind.TIME),
    ("value", _Kind.NUMBER),
)
BUCKET: Final[Columns] = (
    ("start", _Kind.TIME),
    ("count", _Kind.COUNT),
    ("min", _Kind.NUMBER),
    ("max", _Kind.NUMBER),
    ("mean", _Kind.NUMBER),
    ("last", _Kind.NUMBER),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a series is called outside; the first columns of each of its rows."""

    home: str
    position: str
    """The position's name."""
    name: str
    unit: str


_LABEL: Final = tuple(field.name for field in fields(Label))


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Rows of one series, column by column, as many as ``Columns`` names."""

    label: Label
    columns: tuple[NDArray[Any], ...]


def reading_blocks(label: Label, chunks: Iterable[Points]) -> Iterator[Block]:
    """Readings as rows of ``READING``."""
    for chunk in chunks:
        yield Block(label=label, columns=(chunk.at, chunk.received_at, chunk.value))


def bucket_block(label: Label, buckets: Buckets) -> Block:
    """Buckets as rows of ``BUCKET``."""
    columns = (buckets.start_us, buckets.count, buckets.min, buckets.max, buckets.mean, buckets.last)
    return Block(label=label, columns=columns)


def csv_bytes(columns: Columns, blocks: Iterable[Block]) -> Iterator[bytes]:
    """RFC 4180: lines end with CR LF, fields are quoted where they must be. Harmless in a spreadsheet."""
    yield _csv_lines([[*_LABEL, *(name for name, _ in columns)]])
    for block in blocks:
        label = [_harmless(text) for text in astuple(block.label)]
        yield _csv_lines([*label, *row] for row in _rows(columns, block))


def json_bytes(columns: Columns, blocks: Iterable[Block]) -> Iterator[bytes]:
    """RFC 8259: one array. Each object is a line of its own, so that a reader can take it in pieces, too."""
    row_form = ", ".join(f'"{name}": {_JSON_FORMS[kind]}' for name, kind in columns)
    before = "[\n"
    for block in blocks:
        label = json.dumps(asdict(block.label), ensure_ascii=False)
        form = f"{label[:-1].replace('%', '%%')}, {row_form}}}"
        lines = ",\n".join(form % row for row in _rows(columns, block))
        if lines:
            yield f"{before}{lines}".encode()
            before = ",\n"
    yield b"[]\n" if before == "[\n" else b"\n]\n"


def parquet_bytes(columns: Columns, blocks: Iterable[Block]) -> Generator[bytes]:
    """Apache Parquet, compressed; times are UTC in microseconds. Readable once the last piece is there."""
    import pyarrow as pa  # noqa: PLC0415 - slow, and only here
    import pyarrow.parquet as pq  # noqa: PLC0415

    types = {_Kind.TIME: pa.timestamp("us", tz="UTC"), _Kind.COUNT: pa.int64(), _Kind.NUMBER: pa.float64()}
    schema = pa.schema(
        [(name, pa.string()) for name in _LABEL] + [(name, types[kind]) for name, kind in columns]
    )
    spout = _Spout()
    with pq.ParquetWriter(spout, schema, compression="zstd") as writer:
        for group in _groups(blocks):
            batches = [_record_batch(pa, schema, block) for block in group]
            writer.write_table(pa.Table.from_batches(batches, schema))
            yield spout.take()
    yield spout.take()


WRITERS: Final[dict[Format, Callable[[Columns, Iterable[Block]], Iterator[bytes]]]] = {
    Format.CSV: csv_bytes,
    Format.JSON: json_bytes,
    Format.PARQUET: parquet_bytes,
}


def _rows(columns: Columns, block: Block) -> Iterator[tuple[Any, ...]]:
    """Rows of plain values; times as text."""
    plain = [
        _time_texts(column) if kind is _Kind.TIME else column.tolist()
        for (_, kind), column in zip(columns, block.columns, strict=True)
    ]
    return zip(*plain, strict=True)


def _time_texts(moments_us: NDArray[np.int64]) -> list[str]:
    """RFC 3339 in UTC, to the microsecond: the time is what tells one reading from another."""
    texts: list[str] = np.datetime_as_string(
        moments_us.astype("datetime64[us]"), unit="us", timezone="UTC"
    ).tolist()
    return texts


def _csv_lines(rows: Iterable[Iterable[Any]]) -> bytes:
    lines = io.StringIO(newline="")
    csv.writer(lines).writerows(rows)
    return lines.getvalue().encode()


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


_JSON_FORMS: Final = {_Kind.TIME: '"%s"', _Kind.COUNT: "%d", _Kind.NUMBER: "%r"}


def _groups(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    """Blocks in lists of at least ``ROW_GROUP`` rows, but for the last."""
    group: list[Block] = []
    rows = 0
    for block in blocks:
        group.append(block)
        rows += len(block.columns[0])
        if rows >= ROW_GROUP:
            yield group
            group, rows = [], 0
    if group:
        yield group


def _record_batch(pa: Any, schema: Any, block: Block) -> Any:
    rows = len(block.columns[0])
    labels = [pa.repeat(pa.scalar(text, pa.string()), rows) for text in astuple(block.label)]
    fields = list(schema)[len(labels) :]
    values = [pa.array(column).view(field.type) for field, column in zip(fields, block.columns, strict=True)]
    return pa.record_batch([*labels, *values], schema=schema)


class _Spout(io.RawIOBase):
    """A file that is handed on in pieces while it is being written."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._length = 0

    def writable(self) -> bool:
        return True

    def write(self, piece: Any, /) -> int:
        self._pieces.append(bytes(piece))
        self._length += len(self._pieces[-1])
        return len(self._pieces[-1])

    def tell(self) -> int:
        return self._length

    def take(self) -> bytes:
        """What was written since the last time."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)
