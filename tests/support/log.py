"""A log with a row of every kind, and hands that can change what nothing else may."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from services import audit
from services.audit import Entry
from services.inspection import heads, samples, verification
from services.inspection.samples import Criteria, Kind, Outcome
from services.inspection.signing import PublicKeys, SigningKey, key_id
from services.inspection.verification import Verdict
from services.store import audit as rows
from services.store.audit import AuditRow
from services.store.audit_heads import HeadRow
from services.store.connection import Connection, Row, to_micros
from services.store.sqlite import SqliteConnection
from tests.support.clock import START

KEY: Final = SigningKey.new()
KEYS: Final[PublicKeys] = {key_id(KEY.private.public_key()): KEY.private.public_key()}

DAY: Final = timedelta(days=1)
LOG: Final = verification.LOG
EVER: Final = 2**62


def looked(
    connection: Connection, home_id: str | None = "h-1", *, at: datetime = START, **members: Any
) -> int:
    """One entry; returns its number."""
    given: dict[str, Any] = {"actor": "token:t-1", "action": "looked", "home_id": home_id} | members
    return audit.note(connection, Entry(**given), at=at)


def written_by_an_older_version(connection: Connection, *, at: datetime = START) -> None:
    """An entry in the first format, which knew no residents."""
    number, previous = rows.last(connection)
    row = AuditRow(
        number=number + 1,
        at=to_micros(at),
        actor="hub",
        action="released",
        organisation_id="acme",
        home_id="h-1",
        subject="d-1",
        purpose="answers alarms",
        details="alarm a-1 safety.manual",
        format=1,
        hash="",
    )
    rows.append(connection, audit.sealed(row, previous))


def fill(connection: Connection) -> None:
    """Entries of both formats, two heads, a sample and its review."""
    written_by_an_older_version(connection)
    written_by_an_older_version(connection)
    looked(connection, resident_id="r-1", organisation_id="acme", subject="g-1", purpose="care", details="x")
    heads.sign_head(connection, KEY, now=START)
    looked(connection, None)
    drawn = samples.record(connection, samples.pick(connection, criteria()), actor="auditor", now=START)
    samples.review(connection, drawn.entry, Outcome.BREACH, note="asked why", reviewer="chief", now=START)
    heads.sign_head(connection, KEY, now=START + DAY)
    looked(connection)


def criteria(kind: Kind = Kind.RANDOM, **members: Any) -> Criteria:
    """A sample of at most five from around the start."""
    given: dict[str, Any] = {"since": START - DAY, "until": START + DAY, "size": 5} | members
    return Criteria(kind=kind, **given)


def unlock(connection: SqliteConnection) -> None:
    """Become somebody who can write to the file past every rule of ours."""
    for (name,) in connection.rows("SELECT name FROM sqlite_schema WHERE type = 'trigger'"):
        connection.run_script(f"DROP TRIGGER {name}")
    connection.run_script("PRAGMA foreign_keys=OFF")


def key_of(table: str) -> str:
    """The column that numbers a table of the log."""
    return "number" if table == verification.LOG else "entry"


def cells(connection: Connection, table: str, column: str) -> list[tuple[int, Any]]:
    """Number and value of a column of every row."""
    found = connection.rows(f"SELECT {key_of(table)}, {column} FROM {table} ORDER BY 1")  # noqa: S608 - ours
    return [(int(row[0]), row[1]) for row in found]


def set_cell(connection: Connection, table: str, column: str, number: int, value: Any) -> None:
    """Change one value, writing over whatever is in its way."""
    connection.run(
        f"UPDATE OR REPLACE {table} SET {column} = ? WHERE {key_of(table)} = ?",  # noqa: S608 - ours
        value,
        number,
    )


def take_out(connection: Connection, table: str, number: int, *, up_to: int | None = None) -> None:
    """Delete one row, or all from it on."""
    key = key_of(table)
    connection.run(
        f"DELETE FROM {table} WHERE {key} >= ? AND {key} <= ?",  # noqa: S608 - ours
        number,
        number if up_to is None else up_to,
    )


def put_in(connection: Connection, table: str, number: int) -> None:
    """Add a copy of the first row under a number of its own."""
    columns = [str(row[1]) for row in connection.rows(f"PRAGMA table_info({table})")]
    others = ", ".join(columns[1:])
    connection.run(
        f"INSERT INTO {table} ({key_of(table)}, {others}) SELECT ?, {others} FROM {table} LIMIT 1",  # noqa: S608 - ours
        number,
    )


def content(connection: Connection) -> list[list[Row]]:
    """All that is in the log's tables."""
    return [connection.rows(f"SELECT * FROM {table} ORDER BY 1") for table in verification.TABLES]  # noqa: S608 - ours


@dataclass(frozen=True, slots=True)
class Found:
    """What a verification says, for a comparison."""

    first_bad: int | None
    tables: frozenset[str]


def found(connection: Connection, *, kept: list[HeadRow] | None = None, keys: PublicKeys = KEYS) -> Found:
    """Verify the log."""
    verdict = verify(connection, kept=kept, keys=keys)
    return Found(verdict.first_bad, frozenset(problem.table for problem in verdict.problems))


def verify(connection: Connection, *, kept: list[HeadRow] | None = None, keys: PublicKeys = KEYS) -> Verdict:
    return verification.verify(connection, keys=keys, kept=kept or [])


WHOLE: Final = Found(None, frozenset())
