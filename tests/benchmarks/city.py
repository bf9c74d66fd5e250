"""A city in a database: 200,000 homes, a million alarms, each told, answered, confirmed, closed and logged.

Written by SQL as the use cases would have left it; the indices are made when the rows are there.
"""

# ruff: noqa: S608, E501 - SQL of our own constants, as wide as its tables

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw

from gateway.data_folder import DataFolder, open_folder
from services import registry, tokens
from services.domain.clock import SystemClock
from services.domain.homes import Organisation, OrganisationKind
from services.domain.ids import OrganisationId
from services.store.migrations import migrate
from services.store.sqlite import SqliteConnection
from services.tokens import Limits

HOMES: Final = 200_000
ALARMS: Final = 1_000_000
LARGE_HOMES: Final = 100_000
SMALL_HOMES: Final = 10
OPEN: Final = 1_000

YEAR_MICROS: Final = 365 * 24 * 3600 * 1_000_000
ACTOR: Final = "benchmark"
CITY, LARGE, SMALL = "city", "large", "small"
AUDITOR: Final = "auditor"
"""Of the city; the others are care administrators, and the city's administrator."""

CLASSES: Final = ("safety", "technical")
"""What the large organisation is granted; the small one is granted safety only."""

_STEP: Final = 7_919
"""A prime: alarm after alarm falls on another home, and every home has as many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """Its data folder, and a token of each organisation."""

    folder: DataFolder
    tokens: dict[str, str]


def found(path: Path, *, homes: int = HOMES, alarms: int = ALARMS) -> City:
    """Build it below ``path``; a minute, and some two gigabytes."""
    folder = open_folder(path)
    store = SqliteConnection(folder.database)
    migrate(store)
    shown = _organisations(store)
    store.close()
    _load(folder.database, homes=homes, alarms=alarms)
    return City(folder=folder, tokens=shown)


def home(number: int) -> str:
    """The id of a home, from 0."""
    return f"h-{number:06}"


def _organisations(store: SqliteConnection) -> dict[str, str]:
    now, shown = SystemClock().now(), {}
    kinds = {CITY: OrganisationKind.CITY, LARGE: OrganisationKind.CARE, SMALL: OrganisationKind.CARE}
    with store.transaction():
        for id_, kind in kinds.items():
            organisation = Organisation(id=OrganisationId(id_), name=id_, kind=kind)
            registry.add_organisation(store, organisation, actor=ACTOR, now=now)
            limits = Limits(roles=("city-admin",)) if kind is OrganisationKind.CITY else Limits()
            shown[id_] = tokens.issue(store, id_, limits=limits, actor=ACTOR, now=now).text
        looking = Limits(roles=("auditor",))
        shown[AUDITOR] = tokens.issue(store, CITY, limits=looking, actor=ACTOR, now=now).text
    return shown


def _load(path: Path, *, homes: int, alarms: int) -> None:
    connection = apsw.Connection(str(path))
    for pragma in ("foreign_keys=OFF", "journal_mode=OFF", "synchronous=OFF", "cache_size=-400000"):
        connection.execute(f"PRAGMA {pragma}")
    later = [*_put_aside(connection, "index"), *_put_aside(connection, "trigger")]
    facts = {
        "homes": homes,
        "alarms": alarms,
        "large": homes * LARGE_HOMES // HOMES,
        "few": max(1, homes // SMALL_HOMES),
        "step": _STEP,
        "open": OPEN,
        "every": YEAR_MICROS // alarms,
        "start": time.time_ns() // 1000 - YEAR_MICROS,
    }
    connection.execute("BEGIN")
    for statement in _STATEMENTS:
        connection.execute(statement, facts)
    for statement in later:
        connection.execute(statement)
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()


def _put_aside(connection: apsw.Connection, kind: str) -> list[str]:
    """Take indices or triggers away; returns what makes them again."""
    found = list(
        connection.execute(f"SELECT name, sql FROM sqlite_master WHERE type = '{kind}' AND sql IS NOT NULL")
    )
    for name, _ in found:
        connection.execute(f"DROP {kind} {name}")
    return [sql for _, sql in found]


def _numbers(count: str) -> str:
    return f"WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count})"


def _id(micros: str, number: str, kind: str) -> str:
    """A UUIDv7 in SQL: milliseconds, then what tells ids of one millisecond apart."""
    return (
        f"printf('%08x-%04x-7{kind}-8000-%012x', ({micros}) / 65536000, ({micros}) / 1000 & 65535, {number})"
    )


_HOME: Final = "printf('h-%06d', {})"
_POSITION: Final = "printf('00000000-0000-7000-8000-%012d', {})"
_DEVICE: Final = "printf('p-%06d', {})"
_AT: Final = "$start + i * $every"
_HOME_OF: Final = "(i * $step) % $homes"
_KIND: Final = """CASE i % 10 WHEN 7 THEN 'technical.battery_low' WHEN 8 THEN 'technical.mains_lost'
                  WHEN 9 THEN 'property.leak' ELSE 'safety.manual' END"""
_IS_OPEN: Final = "(i >= $alarms - $homes AND i % ($homes / $open) = 0)"

_STATEMENTS: Final = (
    f"""{_numbers("$homes")} INSERT INTO homes (id, address, co_id, access_id, node)
        SELECT {_HOME.format("i")}, printf('Storgatan %d', i), 'co', printf('%08d', i), printf('n-%d', i % 500)
        FROM n""",
    f"""{_numbers("$homes")} INSERT INTO positions (id, home_id, name)
        SELECT {_POSITION.format("i")}, {_HOME.format("i")}, 'safety alarm' FROM n""",
    f"""{_numbers("$homes")} INSERT INTO devices (id, home_id, position_id, profile, state)
        SELECT {_DEVICE.format("i")}, {_HOME.format("i")}, {_POSITION.format("i")}, 'safety-alarm', 'in_service'
        FROM n""",
    *(
        f"""{_numbers("$homes")} INSERT INTO grants (id, organisation_id, home_id, position_id, data_class,
                purpose, legal_basis, valid_from, valid_until, step, within_micros, revoked_at)
            SELECT {_id("$start", "i", f"{number:03}")}, '{organisation}', {_HOME.format("i")}, NULL,
                   '{data_class}', 'home care', 'contract', $start, NULL, 1, 60000000, NULL
            FROM n WHERE {which}"""
        for number, (organisation, data_class, which) in enumerate(
            (
                (LARGE, "safety", "i < $large"),
                (LARGE, "technical", "i < $large"),
                (SMALL, "safety", "i % $few = 0"),
            )
        )
    ),
    f"""{_numbers("$alarms")} INSERT INTO alarms (id, home_id, position_id, device_id, kind, is_test, priority,
            room, voice, state, raised_at, received_at, step, acknowledged_organisation, acknowledged_by,
            acknowledged_at, escalated_at, closed_at)
        SELECT {_id(_AT, "i", "aaa")}, {_HOME.format(_HOME_OF)}, {_POSITION.format(_HOME_OF)},
               {_DEVICE.format(_HOME_OF)}, {_KIND}, 0, 5, 'bathroom', '[]',
               CASE WHEN {_IS_OPEN} THEN 'raised' ELSE 'closed' END, {_AT}, {_AT}, 1,
               CASE WHEN {_IS_OPEN} THEN NULL ELSE '{LARGE}' END,
               CASE WHEN {_IS_OPEN} THEN NULL ELSE 'operator-17' END,
               CASE WHEN {_IS_OPEN} THEN NULL ELSE {_AT} + 20000000 END,
               CASE WHEN i % 100 = 0 THEN {_AT} + 60000000 END,
               CASE WHEN {_IS_OPEN} THEN NULL ELSE {_AT} + 600000000 END
        FROM n""",
    """CREATE TEMP TABLE told AS SELECT row_number() OVER (ORDER BY id) - 1 AS i, id, home_id, device_id, kind,
            state, received_at, CAST(substr(home_id, 3) AS INTEGER) AS home FROM alarms""",
    f"""INSERT INTO events (id, alarm_id, home_id, device_id, client_id, external_id, fingerprint, kind, signal,
            is_test, sent_at, received_at, text, data, payload, is_conflict)
        SELECT {_id("received_at", "i", "eee")}, id, home_id, device_id, device_id, printf('e-%d', i),
               printf('%064x', i), kind, 'raised', 0, received_at, received_at, '', '{{}}',
               CAST(printf('{{"id": "e-%d", "kind": "%s"}}', i, kind) AS BLOB), 0 FROM told""",
    f"""INSERT INTO notices (id, alarm_id, event_id, type, at, by_whom, note)
        SELECT {_id("received_at", "i", "bbb")}, id, {_id("received_at", "i", "eee")}, 'raised', received_at, '', ''
        FROM told""",
    *(
        f"""INSERT INTO deliveries (id, notice_id, alarm_id, organisation_id, channel, grant_id, step, state,
                sequence, attempts, hurry, next_attempt_at, created_at, first_sent_at, settled_at, reason)
            SELECT {_id("received_at", "i", mark)}, {_id("received_at", "i", "bbb")}, id, '{organisation}', 'mqtt',
                   NULL, 1, 'confirmed', row_number() OVER (ORDER BY i), 1, 3, received_at, received_at,
                   received_at, received_at + 100000, '' FROM told WHERE {which}"""
        for organisation, mark, which in (
            (LARGE, "ddd", "home < $large AND substr(kind, 1, 4) IN ('safe', 'tech')"),
            (SMALL, "dde", "home % $few = 0 AND substr(kind, 1, 4) = 'safe'"),
        )
    ),
    "INSERT INTO alarm_receivers (alarm_id, organisation_id, step) SELECT alarm_id, organisation_id, 1 FROM deliveries",
    """UPDATE organisations SET last_sequence =
       (SELECT COALESCE(MAX(sequence), 0) FROM deliveries WHERE organisation_id = organisations.id)""",
    """INSERT INTO audit (number, at, actor, action, organisation_id, home_id, subject, purpose, details, hash)
       SELECT row_number() OVER (ORDER BY d.id) + 100, d.created_at, 'hub', 'released', d.organisation_id,
              t.home_id, d.id, 'home care', 'safety', printf('%064x', t.i)
       FROM deliveries d JOIN temp.told t ON t.id = d.alarm_id""",
    "DROP TABLE temp.told",
)
