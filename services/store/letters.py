"""Letters about the hub itself, as rows: what is on its way survives a restart, what was sent stays sent."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from services.store.connection import Connection, Row, from_micros, optional_time, to_micros

CITY: Final = ""
"""The audience that is told everything; others are organisations, by id."""

FAULTS_AT_ONCE: Final = 200
"""In one letter; the rest comes with the next."""

FORGET_AT_ONCE: Final = 100


class LetterKind(StrEnum):
    """What a letter is about."""

    FAULTS = "faults"
    DIGEST = "digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A letter as it was written; at each attempt the same."""

    id: str
    audience: str
    kind: LetterKind
    subject: str
    body: str
    made_at: datetime
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultNews:
    """A fault as an audience has to hear of it."""

    id: str
    code: str
    subject: str
    opened_at: datetime
    ended_at: datetime | None

    @property
    def said(self) -> str:
        """What is remembered as told."""
        return "opened" if self.ended_at is None else "ended"


def add(connection: Connection, letter: Letter, news: Iterable[FaultNews] = ()) -> None:
    """Put a letter on its way, and remember of which faults it tells."""
    connection.run(
        """INSERT INTO letters (id, audience, kind, subject, body, made_at, attempts, next_attempt_at,
                                ended_at, is_sent) VALUES (?, ?, ?, ?, ?, ?, 0, ?, NULL, 0)""",
        letter.id,
        letter.audience,
        letter.kind,
        letter.subject,
        letter.body,
        to_micros(letter.made_at),
        to_micros(letter.made_at),
    )
    note_told(connection, letter.audience, news)


def note_told(connection: Connection, audience: str, news: Iterable[FaultNews]) -> None:
    """Remember that an audience need not hear of these."""
    for item in news:
        connection.run(
            "INSERT INTO fault_letters (fault_id, audience, said) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            item.id,
            audience,
            item.said,
        )


def due(connection: Connection, now: datetime) -> list[Letter]:
    """Letters on their way whose time has come, the oldest first."""
    rows = connection.rows(
        """SELECT id, audience, kind, subject, body, made_at, attempts FROM letters
           WHERE ended_at IS NULL AND next_attempt_at <= ? ORDER BY made_at, id""",
        to_micros(now),
    )
    return [_letter(row) for row in rows]


def on_its_way(connection: Connection, audience: str, kind: LetterKind) -> Letter | None:
    """The letter of a kind that an audience has not got yet."""
    row = connection.row(
        """SELECT id, audience, kind, subject, body, made_at, attempts FROM letters
           WHERE audience = ? AND kind = ? AND ended_at IS NULL""",
        audience,
        kind,
    )
    return _letter(row) if row else None


def last_made_at(connection: Connection, audience: str, kind: LetterKind) -> datetime | None:
    """When the newest letter of a kind was written, sent or not; None: there never was one."""
    row = connection.row("SELECT MAX(made_at) FROM letters WHERE audience = ? AND kind = ?", audience, kind)
    return optional_time(row[0]) if row else None


def postpone(connection: Connection, letter: Letter, *, until: datetime) -> None:
    """It could not be sent: try again then."""
    connection.run(
        "UPDATE letters SET attempts = ?, next_attempt_at = ? WHERE id = ? AND ended_at IS NULL",
        letter.attempts + 1,
        to_micros(until),
        letter.id,
    )


def end(connection: Connection, letter: Letter, *, is_sent: bool, now: datetime) -> None:
    """It is sent, or given up."""
    connection.run(
        "UPDATE letters SET ended_at = ?, is_sent = ?, attempts = ? WHERE id = ? AND ended_at IS NULL",
        to_micros(now),
        int(is_sent),
        letter.attempts + 1,
        letter.id,
    )


def news_of_faults(
    connection: Connection, audience: str, *, ended_after: datetime, limit: int = FAULTS_AT_ONCE
) -> list[FaultNews]:
    """What an audience has not been told of faults: those that are open, and those that ended of late."""
    parts = [
        connection.rows(
            f"""SELECT id, code, subject, opened_at, ended_at FROM faults f
                WHERE {which} AND {_concerns(audience)} AND NOT EXISTS (
                    SELECT 1 FROM fault_letters l WHERE l.fault_id = f.id AND l.audience = ? AND l.said = ?)
                ORDER BY opened_at LIMIT ?""",
            *parameters,
            *([] if audience == CITY else [audience]),
            audience,
            said,
            limit,
        )
        for which, parameters, said in (
            ("ended_at IS NULL", [], "opened"),
            ("ended_at > ?", [to_micros(ended_after)], "ended"),
        )
    ]
    return [_news(row) for rows in parts for row in rows]


def open_faults(connection: Connection, audience: str, *, limit: int) -> list[FaultNews]:
    """The faults of now that concern an audience, the oldest first."""
    rows = connection.rows(
        f"""SELECT id, code, subject, opened_at, ended_at FROM faults f
            WHERE ended_at IS NULL AND {_concerns(audience)} ORDER BY opened_at LIMIT ?""",
        *([] if audience == CITY else [audience]),
        limit,
    )
    return [_news(row) for row in rows]


def contacts(connection: Connection) -> dict[str, str]:
    """The address of each organisation that has one."""
    rows = connection.rows("SELECT organisation_id, mail FROM organisation_contacts ORDER BY organisation_id")
    return {row[0]: row[1] for row in rows}


def set_contact(connection: Connection, organisation_id: str, mail: str | None) -> None:
    """Where letters to an organisation go; None: nowhere."""
    if mail is None:
        connection.run("DELETE FROM organisation_contacts WHERE organisation_id = ?", organisation_id)
        return
    connection.run(
        """INSERT INTO organisation_contacts (organisation_id, mail) VALUES (?, ?)
           ON CONFLICT (organisation_id) DO UPDATE SET mail = excluded.mail""",
        organisation_id,
        mail,
    )


def forget(connection: Connection, *, before: datetime) -> None:
    """Delete some of what ended long ago."""
    micros = to_micros(before)
    connection.run(
        f"""DELETE FROM letters WHERE id IN (
                SELECT id FROM letters WHERE ended_at < ? ORDER BY id LIMIT {FORGET_AT_ONCE})""",
        micros,
    )
    connection.run(
        f"""DELETE FROM fault_letters WHERE fault_id IN (
                SELECT l.fault_id FROM fault_letters l JOIN faults f ON f.id = l.fault_id
                WHERE f.ended_at < ? LIMIT {FORGET_AT_ONCE})""",
        micros,
    )


def _concerns(audience: str) -> str:
    """Organisations hear of what is wrong with their own subscriptions, and of nothing else."""
    if audience == CITY:
        return "1"
    return "subject IN (SELECT id FROM subscriptions WHERE organisation_id = ?)"


def _letter(row: Row) -> Letter:
    return Letter(
        id=row[0],
        audience=row[1],
        kind=LetterKind(row[2]),
        subject=row[3],
        body=row[4],
        made_at=from_micros(row[5]),
        attempts=row[6],
    )


def _news(row: Row) -> FaultNews:
    return FaultNews(
        id=row[0],
        code=row[1],
        subject=row[2],
        opened_at=from_micros(row[3]),
        ended_at=optional_time(row[4]),
    )
