"""Which rows are an actor's own, in SQL: what ``services.access`` judges for one, said for all at once.

homes_in(scope)    a home is in scope while a grant of the organisation for it is in force
alarms_in(scope)   an alarm, while such a grant covers its class and position since before it was received,
                   and the response chain has come as far; for a city also what nobody has answered

Both are conditions for WHERE. A list of alarms goes one of three ways, so that none looks through a million
rows to find three; each ends soon, and says where to go on:

    everything is in scope   the newest rows
    few homes are            the rows of those homes
    many are                 the newest rows, a bounded number of them, judged one by one
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from devices.kinds import DataClass
from services.domain.homes import OrganisationKind
from services.domain.ids import AlarmId
from services.scopes import EVERY_CLASS, Scope
from services.store.connection import Connection, to_micros

Clause = tuple[str, list[Any]]
"""A condition, and its parameters in order."""

EVERYTHING: Final[Clause] = ("1 = 1", [])

FEW_HOMES: Final = 300
"""Each is a look of its own: some 30 microseconds."""

JUDGED_AT_ONCE: Final = 20_000
"""Alarms that one page goes through, at half a microsecond each."""

BEHIND_ALL: Final = "~"
"""Sorts behind every id."""

_IN_FORCE: Final = """g.valid_from <= ? AND (g.valid_until IS NULL OR g.valid_until > ?)
    AND g.revoked_at IS NULL"""


def homes_in(scope: Scope, column: str = "home_id") -> Clause:
    """Of homes, by their id.

    Args:
        scope: Whose they are.
        column: Where the home's id is, with the table's name where that is needed.
    """
    if scope.is_whole:
        return EVERYTHING
    sql = f"""EXISTS (SELECT 1 FROM grants g
        WHERE g.organisation_id = ? AND g.home_id = {column} AND {_IN_FORCE})"""
    return sql, [scope.organisation_id, *_at(scope)]


def alarms_in(scope: Scope, table: str = "a") -> Clause:
    """Of alarms.

    Args:
        scope: Whose they are.
        table: What the query calls ``alarms``.
    """
    if scope.is_whole:
        return _classes(scope.classes, table)
    granted = f"""EXISTS (SELECT 1 FROM grants g
        WHERE g.organisation_id = ? AND g.home_id = {table}.home_id AND {_IN_FORCE}
            AND (g.position_id IS NULL OR g.position_id = {table}.position_id)
            AND {table}.kind LIKE g.data_class || '.%'
            AND g.valid_from <= {table}.received_at AND g.step <= {table}.step)"""
    unanswered = f"""{table}.escalated_at IS NOT NULL
        AND EXISTS (SELECT 1 FROM organisations o WHERE o.id = ? AND o.kind = ?)"""
    classes, parameters = _classes(scope.classes, table)
    return (
        f"({granted} OR {unanswered}) AND {classes}",
        [scope.organisation_id, *_at(scope), scope.organisation_id, OrganisationKind.CITY, *parameters],
    )


def home_ids(connection: Connection, scope: Scope, *, after: str = "", limit: int) -> list[str]:
    """The homes in scope by id.

    Args:
        connection: The registry.
        scope: Whose they are.
        after: Only those behind this one.
        limit: At most so many.
    """
    if scope.is_whole:
        rows = connection.rows("SELECT id FROM homes WHERE id > ? ORDER BY id LIMIT ?", after, limit)
    else:
        rows = connection.rows(
            f"""SELECT DISTINCT g.home_id FROM grants g WHERE g.organisation_id = ? AND g.home_id > ?
                AND {_IN_FORCE} ORDER BY g.home_id LIMIT ?""",
            scope.organisation_id,
            after,
            *_at(scope),
            limit,
        )
    return [str(row[0]) for row in rows]


def right_to(connection: Connection, scope: Scope, home_id: str) -> tuple[str, str] | None:
    """By which grant a home is in scope: its id and purpose; of several the one that began first."""
    row = connection.row(
        f"""SELECT g.id, g.purpose FROM grants g WHERE g.organisation_id = ? AND g.home_id = ? AND {_IN_FORCE}
            ORDER BY g.valid_from, g.id LIMIT 1""",
        scope.organisation_id,
        home_id,
        *_at(scope),
    )
    return (str(row[0]), str(row[1])) if row else None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmIds:
    """Some alarms, the newest first."""

    ids: list[AlarmId]
    following: str | None
    """``before`` of the next page, which may be there although this one is not full; None: there is none."""


def alarm_ids(
    connection: Connection,
    scope: Scope,
    *,
    further: Clause = EVERYTHING,
    before: str = BEHIND_ALL,
    limit: int,
) -> AlarmIds:
    """The alarms in scope, the newest first.

    Args:
        connection: The store.
        scope: Whose they are.
        further: What else must hold of ``a``, the alarm.
        before: Only those older than this one.
        limit: At most so many.
    """
    clause, parameters = alarms_in(scope)
    wanted = f"{clause} AND {further[0]}", [*parameters, *further[1]]
    if (homes := few_homes(connection, scope)) is not None:
        return _of_homes(connection, homes, wanted, before=before, limit=limit)
    return _newest(connection, wanted, before=before, limit=limit)


def few_homes(connection: Connection, scope: Scope) -> list[str] | None:
    """The homes that an organisation has grants for; None: many, or what counts is not grants."""
    if scope.is_whole or _is_city(connection, scope):
        return None
    homes = home_ids(connection, scope, limit=FEW_HOMES + 1)
    return homes if len(homes) <= FEW_HOMES else None


def _is_city(connection: Connection, scope: Scope) -> bool:
    row = connection.row("SELECT kind FROM organisations WHERE id = ?", scope.organisation_id)
    return row is not None and row[0] == OrganisationKind.CITY


def _of_homes(
    connection: Connection, homes: Sequence[str], wanted: Clause, *, before: str, limit: int
) -> AlarmIds:
    found = [
        row[0]
        for home_id in homes
        for row in connection.rows(
            f"""SELECT a.id FROM alarms a WHERE a.home_id = ? AND a.id < ? AND {wanted[0]}
                ORDER BY a.id DESC LIMIT ?""",
            home_id,
            before,
            *wanted[1],
            limit + 1,
        )
    ]
    return _page(sorted(found, reverse=True), limit)


def _newest(connection: Connection, wanted: Clause, *, before: str, limit: int) -> AlarmIds:
    oldest = connection.row(
        "SELECT id FROM alarms WHERE id < ? ORDER BY id DESC LIMIT 1 OFFSET ?", before, JUDGED_AT_ONCE - 1
    )
    floor = str(oldest[0]) if oldest else ""
    rows = connection.rows(
        f"SELECT a.id FROM alarms a WHERE a.id < ? AND a.id >= ? AND {wanted[0]} ORDER BY a.id DESC LIMIT ?",
        before,
        floor,
        *wanted[1],
        limit + 1,
    )
    page = _page([row[0] for row in rows], limit)
    return page if page.following else AlarmIds(ids=page.ids, following=floor or None)


def _page(ids: Sequence[str], limit: int) -> AlarmIds:
    chosen = [AlarmId(id_) for id_ in ids[:limit]]
    return AlarmIds(ids=chosen, following=chosen[-1] if len(ids) > limit else None)


def _classes(classes: frozenset[DataClass], table: str) -> Clause:
    if classes == EVERY_CLASS:
        return EVERYTHING
    likes = " OR ".join([f"{table}.kind LIKE ?"] * len(classes)) or "1 = 0"
    return f"({likes})", [f"{data_class}.%" for data_class in sorted(classes)]


def _at(scope: Scope) -> list[int]:
    return [to_micros(scope.at)] * 2
