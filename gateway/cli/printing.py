"""Results on stdout: a table for people, or exactly one JSON value for programs. Notes go to stderr.

rows of plain values ──> table: a few columns, no colour in a pipe, nothing cut off there
                    └──> JSON: every member, times as RFC 3339
"""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from devices.codecs.rfc3339 import time_text

Row = Mapping[str, Any]

PIPE_WIDTH: Final = 1_000
"""Columns of a table that nobody sees: wide enough to cut nothing off."""


_STYLES: Final = {"ok": "green", "warn": "yellow", "fail": "bold red", "refused": "bold red"}


def show(value: Row | Sequence[Row], columns: Sequence[str] = (), *, as_json: bool) -> None:
    """Print a result: one thing, or a list of them.

    Args:
        value: What to print; JSON has all of its members.
        columns: Those that a table of a list has room for.
        as_json: For a program.
    """
    match value:
        case _ if as_json:
            print_json(value)
        case Mapping():
            print_table(["", ""], [[name.replace("_", " "), member] for name, member in value.items()])
        case []:
            note("Nothing found.")
        case _:
            print_table(columns, [[row[column] for column in columns] for row in value])


def print_json(value: Any) -> None:
    """Print one JSON value, in UTF-8 whatever the terminal's encoding."""
    sys.stdout.flush()
    sys.stdout.buffer.write(json.dumps(value, ensure_ascii=False, default=_plain).encode() + b"\n")
    sys.stdout.buffer.flush()


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows below their headings; with empty headings, without."""
    from rich.console import Console  # noqa: PLC0415 - a tenth of a second that JSON does not need
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    is_terminal = sys.stdout.isatty()
    table = Table(box=None, pad_edge=False, show_header=any(columns), header_style="bold")
    for name in columns:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value), style=_style(value)) for value in row))
    console = Console(width=None if is_terminal else PIPE_WIDTH, force_terminal=is_terminal, highlight=False)
    with console.capture() as captured:
        console.print(table)
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def print_text(text: str) -> None:
    """Print a line of a result that is no table, at once."""
    sys.stdout.write(f"{one_line(text)}\n")
    sys.stdout.flush()


def print_heading(text: str) -> None:
    """Print what the table below it is about."""
    sys.stdout.write(f"\n{one_line(text)}\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Say something that is not the result."""
    sys.stderr.write(f"{one_line(text)}\n")


def one_line(text: str) -> str:
    """Text from anywhere, as one line that cannot steer the terminal."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in " ".join(text.split())
    )


def _style(value: Any) -> str:
    """How a terminal shows what somebody should look at."""
    return _STYLES.get(value, "") if isinstance(value, str) else ""


def _cell(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return time_text(value)
        case str():
            return one_line(value)
        case Mapping() | list() | tuple():
            return one_line(json.dumps(value, ensure_ascii=False, default=_plain))
        case _:
            return str(value)


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return time_text(value)
        case Path():
            return str(value)
        case Mapping():
            return dict(value)
        case _:
            raise TypeError(type(value).__name__)
