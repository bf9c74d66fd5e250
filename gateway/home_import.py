"""A list of homes into the registry, with a verdict for every row.

    HomeFile ──bring_in──> 200 rows, commit, pause, 200 rows, …  ──> Report
        └──────try_out───> the same verdicts, nothing changed    ──> Report

A column that the file does not have leaves what is known as it is. Run twice, or killed half way and
run again, it ends the same: what is there already is unchanged.
"""

import csv
import io
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import partial

from devices.kinds import HomeId
from gateway.home_file import HomeFile, Row
from gateway.small_steps import write_in_steps
from services import registry
from services.domain.errors import RefusedError
from services.domain.homes import Home
from services.registry import HomeChange
from services.store import registry as rows
from services.store.connection import Connection
from services.store.sqlite import SqliteConnection


class Verdict(StrEnum):
    """What became of a row."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowVerdict:
    """A row and what became of it."""

    row: Row
    verdict: Verdict
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of every row, in the order of the file."""

    rows: tuple[RowVerdict, ...]
    is_dry_run: bool

    def of(self, verdict: Verdict) -> tuple[RowVerdict, ...]:
        """The rows with this verdict."""
        return tuple(row for row in self.rows if row.verdict is verdict)


def bring_in(
    store: SqliteConnection,
    file: HomeFile,
    *,
    actor: str,
    now: datetime,
    on_progress: Callable[[int], None],
    pause: Callable[[float], None] = time.sleep,
) -> Report:
    """Register every home of the file, or bring it up to date; refuse what cannot be right.

    Args:
        store: Not in a transaction.
        file: The list.
        actor: Who is answerable.
        now: The time of the import.
        on_progress: Is told how many rows are done.
        pause: Waits so many seconds.

    Raises:
        StoreUnavailableError: The disk is full or broken. What was done is kept; run it again.
    """
    put = partial(registry.put_home, actor=actor, now=now)
    verdicts = write_in_steps(store, file.rows, partial(_verdict, judge=put), pause=pause)
    return Report(rows=tuple(_told(verdicts, on_progress)), is_dry_run=False)


def try_out(connection: Connection, file: HomeFile, *, on_progress: Callable[[int], None]) -> Report:
    """Say what ``bring_in`` would do, and change nothing."""
    verdicts = (_verdict(connection, row, judge=registry.judge_home) for row in file.rows)
    return Report(rows=tuple(_told(verdicts, on_progress)), is_dry_run=True)


def refused_rows(file: HomeFile, report: Report) -> str:
    """The refused rows as CSV with their line and the reason, to be mended and imported again."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=file.delimiter, lineterminator="\n")
    writer.writerow([*file.header, "refused_line", "reason"])
    width = len(file.header)
    for item in report.of(Verdict.REFUSED):
        fields = (*item.row.fields, *[""] * width)[:width]
        writer.writerow([*fields, item.row.line, item.reason])
    return text.getvalue()


def _verdict(
    connection: Connection, row: Row, *, judge: Callable[[Connection, Home], HomeChange]
) -> RowVerdict:
    if row.problem is not None:
        return RowVerdict(row=row, verdict=Verdict.REFUSED, reason=row.problem)
    try:
        return RowVerdict(row=row, verdict=Verdict(judge(connection, _home(connection, row))))
    except RefusedError as error:
        return RowVerdict(row=row, verdict=Verdict.REFUSED, reason=str(error))


def _home(connection: Connection, row: Row) -> Home:
    known = rows.home(connection, row.id) or Home(id=HomeId(row.id), address="")
    said = row.members
    return replace(
        known,
        address=said.get("address", known.address),
        co_id=said.get("co_id", known.co_id),
        access_id=said.get("access_id", known.access_id),
        node=said.get("node", known.node),
    )


def _told(verdicts: Iterable[RowVerdict], on_progress: Callable[[int], None]) -> Iterator[RowVerdict]:
    for done, verdict in enumerate(verdicts, start=1):
        on_progress(done)
        yield verdict
