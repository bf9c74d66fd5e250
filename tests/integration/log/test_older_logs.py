"""A log that an older version has written is taken over as it is, verifies, and is counted."""

from contextlib import closing
from pathlib import Path

from services import audit, usage
from services.store import audit as rows
from services.store.audit import AuditRow
from services.store.connection import to_micros
from services.store.migrations import migrate, scripts
from services.store.sqlite import SqliteConnection
from services.usage import Month
from tests.support.clock import START
from tests.support.log import WHOLE, found, looked

BEFORE = 4
"""Migrations of the version that knew neither residents nor heads."""


def written(connection: SqliteConnection, *, details: str) -> None:
    number, previous = rows.last(connection)
    row = AuditRow(
        number=number + 1,
        at=to_micros(START),
        actor="hub",
        action="readings_released",
        organisation_id="acme",
        home_id="h-1",
        subject="g-1",
        purpose="care",
        details=details,
        format=1,
        hash="",
    )
    sealed = audit.sealed(row, previous)
    connection.run(
        """INSERT INTO audit (number, at, actor, action, organisation_id, home_id, subject, purpose, details,
                              hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        *(sealed.number, sealed.at, sealed.actor, sealed.action, sealed.organisation_id, sealed.home_id),
        *(sealed.subject, sealed.purpose, sealed.details, sealed.hash),
    )


def test_old_entries_keep_their_hashes_and_their_readings_are_counted(tmp_path: Path) -> None:
    with closing(SqliteConnection(tmp_path / "stadsnav.db")) as store:
        for number, script in enumerate(scripts()[:BEFORE], start=1):
            store.run_script(script.read_text("utf-8"))
            store.run_script(f"PRAGMA user_version={number}")
        written(store, details="120 readings of climate")
        written(store, details="30 readings of climate")

        migrate(store)
        looked(store, resident_id="r-1")

        assert [row.format for row in rows.entries(store)] == [1, 1, 2]
        assert found(store) == WHOLE
        [acme] = usage.show(store, Month.of(START), now=START).organisations
        assert acme.parts("readings") == {"climate": 150}
