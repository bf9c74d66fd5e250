"""A list of homes as a CSV file: read as a whole, each row with its line and what is wrong with it.

    bytes ──UTF-8──> text ──CSV──> header, rows ──> HomeFile
      └────────────────┴─────────────┴────────────> HomeFileError: nothing of it can be trusted

Columns ``id``, ``address``, ``line`` (CO/ACCESS) or ``co_id`` and ``access_id``, ``node``; commas or
semicolons. A row that cannot be right is kept with its problem, so that the others can go on.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from services.domain.errors import InvalidError, RefusedError

REQUIRED: Final = ("id", "address")
KNOWN: Final = (*REQUIRED, "line", "co_id", "access_id", "node")
EXPECTED: Final = "expected id and address, and where known line (or co_id and access_id) and node"
LINE_FORM: Final = "CO/ACCESS, such as co7/4711"


class HomeFileError(RefusedError):
    """The file is no list of homes; nothing of it is imported."""

    def __init__(self, name: str, problem: str, *, expected: str, line: int | None = None) -> None:
        self.name = name
        self.line = line
        place = f"{name}, line {line}" if line else name
        super().__init__(f"Cannot read homes from {place}: {problem}; {expected}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the file."""

    line: int
    """Where it begins, counted from 1."""
    id: str
    members: Mapping[str, str]
    """What the file says of the home, by the names of ``Home``; without the columns it lacks."""
    problem: str | None
    """Why it cannot be taken, when the file alone shows that."""
    fields: tuple[str, ...]
    """As they stand in the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeFile:
    """A list of homes that could be read."""

    header: tuple[str, ...]
    delimiter: str
    rows: tuple[Row, ...]

    @property
    def ignored(self) -> tuple[str, ...]:
        """Columns that mean nothing to us."""
        return tuple(name for name in self.header if _column(name) not in KNOWN)


def read_file(path: Path) -> HomeFile:
    """Read a list of homes in UTF-8, with or without a byte order mark.

    Raises:
        HomeFileError: It is not there, no UTF-8, no CSV, or lacks a column.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        problem = error.strerror or "it cannot be opened"
        raise HomeFileError(str(path), problem, expected="name a file that can be read") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        expected = "save it as CSV in UTF-8"
        raise HomeFileError(str(path), "it is not UTF-8", expected=expected, line=line) from error
    return read(text, name=str(path))


def read(text: str, *, name: str) -> HomeFile:
    """Read a list of homes.

    Args:
        text: The file's content.
        name: What to call the file in a refusal.

    Raises:
        HomeFileError: It is no CSV, or lacks a column.
    """
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = ";" if first.count(";") > first.count(",") else ","
    records = _records(text, delimiter, name)
    _, header = next(records, (0, []))
    if not header:
        raise HomeFileError(name, "it is empty", expected=EXPECTED)
    columns = [_column(field) for field in header]
    _check_columns(columns, name)
    rows = [_row(line, fields, columns) for line, fields in records]
    return HomeFile(header=tuple(header), delimiter=delimiter, rows=_without_twins(rows))


def access_line(text: str) -> tuple[str, str]:
    """The two parts of ``CO/ACCESS``; two empty ones for an empty text.

    Raises:
        InvalidError: There are no two parts.
    """
    if not text.strip():
        return "", ""
    co_id, _, access_id = (part.strip() for part in text.partition("/"))
    if not co_id or not access_id:
        raise InvalidError("line", text, expected=LINE_FORM)
    return co_id, access_id


def _records(text: str, delimiter: str, name: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader, None)
        except csv.Error as error:
            # An open quotation mark swallows the rest of the file: better nothing than some of it.
            expected = "look for a quotation mark that is not closed"
            raise HomeFileError(name, str(error), expected=expected, line=line) from error
        if record is None:
            return
        if any(field.strip() for field in record):
            yield line, record


def _column(name: str) -> str:
    return name.strip().casefold()


def _check_columns(columns: list[str], name: str) -> None:
    known = [column for column in columns if column in KNOWN]
    missing = [column for column in REQUIRED if column not in known]
    if missing:
        raise HomeFileError(name, f"it has no column {' and no '.join(missing)}", expected=EXPECTED)
    if len(known) > len(set(known)):
        raise HomeFileError(name, "a column stands there twice", expected=EXPECTED)
    parts = {"co_id", "access_id"}.intersection(known)
    if len(parts) == 1 or (parts and "line" in known):
        problem = f"it has the columns {', '.join(known)}"
        raise HomeFileError(name, problem, expected="right is either line, or co_id and access_id")


def _row(line: int, fields: list[str], columns: list[str]) -> Row:
    members = {
        column: field.strip() for column, field in zip(columns, fields, strict=False) if column in KNOWN
    }
    home_id = members.pop("id", "")
    problem = None
    try:
        members = _with_access_line(members)
    except InvalidError as error:
        problem = str(error)
    if len(fields) != len(columns):
        problem = f"it has {len(fields)} fields, the header has {len(columns)}"
    return Row(line=line, id=home_id, members=members, problem=problem, fields=tuple(fields))


def _with_access_line(members: dict[str, str]) -> dict[str, str]:
    """The access line as its two parts, whichever way it was given."""
    if "line" in members:
        co_id, access_id = access_line(members.pop("line"))
        return members | {"co_id": co_id, "access_id": access_id}
    if members.get("co_id") or members.get("access_id"):
        access_line(f"{members['co_id']}/{members.get('access_id', '')}")
    return members


def _without_twins(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Refuse every row whose id stands in another one too: nobody knows which of them is right."""
    rows = tuple(rows)
    lines: defaultdict[str, list[int]] = defaultdict(list)
    for row in rows:
        lines[row.id].append(row.line)
    return tuple(
        replace(row, problem=f"its id stands on lines {_listed(lines[row.id])}; keep one of them")
        if row.id and len(lines[row.id]) > 1
        else row
        for row in rows
    )


def _listed(numbers: list[int]) -> str:
    return f"{', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
