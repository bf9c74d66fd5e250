"""What is in scope in SQL is what the judgement over grants says, and is found by indices alone."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.kinds import AlarmKind, DataClass, HomeId
from services.access import Subject, is_in_force, may_receive
from services.domain.homes import Grant
from services.domain.ids import GrantId, OrganisationId, PositionId
from services.scopes import EVERY_CLASS, NETWORK_CLASSES, Scope
from services.store import registry, registry_pages, scoping
from services.store.connection import to_micros
from services.store.migrations import migrate
from services.store.sqlite import SqliteConnection

NOON: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOMES: Final = ("h-1", "h-2")
POSITIONS: Final = {"h-1": ("p-1", "p-2"), "h-2": ("p-3",)}
ORGANISATIONS: Final = {"acme": "care", "beta": "care", "town": "city"}
KINDS: Final = ("safety.manual", "care.bed_exit", "technical.silent")

moments = st.integers(-3, 3).map(lambda hours: NOON + timedelta(hours=hours))


@st.composite
def places(draw: st.DrawFn) -> tuple[str, str]:
    home_id = draw(st.sampled_from(HOMES))
    return home_id, draw(st.sampled_from(POSITIONS[home_id]))


@st.composite
def grants(draw: st.DrawFn) -> Grant:
    home_id, position_id = draw(places())
    return Grant(
        id=GrantId(draw(st.uuids()).hex),
        organisation_id=OrganisationId(draw(st.sampled_from(sorted(ORGANISATIONS)))),
        home_id=HomeId(home_id),
        position_id=draw(st.sampled_from((None, PositionId(position_id)))),
        data_class=draw(st.sampled_from((DataClass.SAFETY, DataClass.CARE, DataClass.TECHNICAL))),
        purpose="p",
        legal_basis="b",
        valid_from=draw(moments),
        valid_until=draw(st.none() | moments),
        step=draw(st.integers(1, 2)),
        within=timedelta(seconds=60),
        revoked_at=draw(st.none() | moments),
    )


@st.composite
def alarms(draw: st.DrawFn) -> dict[str, Any]:
    home_id, position_id = draw(places())
    return {
        "id": draw(st.uuids()).hex,
        "home_id": home_id,
        "position_id": position_id,
        "kind": draw(st.sampled_from(KINDS)),
        "received_at": draw(moments),
        "step": draw(st.integers(0, 2)),
        "escalated_at": draw(st.none() | moments),
    }


scopes = st.builds(
    Scope,
    organisation_id=st.sampled_from([OrganisationId(one) for one in sorted(ORGANISATIONS)]),
    is_whole=st.booleans(),
    classes=st.sampled_from((EVERY_CLASS, NETWORK_CLASSES)),
    at=moments,
)


def judged(scope: Scope, alarm: dict[str, Any], held: list[Grant]) -> bool:
    """The slow and obvious way: one alarm, all grants."""
    data_class = AlarmKind(alarm["kind"]).data_class
    subject = Subject(
        home_id=HomeId(alarm["home_id"]), position_id=PositionId(alarm["position_id"]), data_class=data_class
    )
    since_before = [grant for grant in held if grant.valid_from <= alarm["received_at"]]
    granted = may_receive(
        scope.organisation_id, subject, at=scope.at, step=alarm["step"], grants=since_before
    )
    is_city = ORGANISATIONS[scope.organisation_id] == "city"
    by_duty = is_city and alarm["escalated_at"] is not None
    return data_class in scope.classes and (scope.is_whole or granted is not None or by_duty)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteConnection]:
    """Two homes with three positions, three organisations; grants and alarms come with each example."""
    with closing(SqliteConnection(tmp_path_factory.mktemp("scoping") / "stadsnav.db")) as connection:
        migrate(connection)
        for home_id in HOMES:
            connection.run("INSERT INTO homes VALUES (?, 'a', '', '', 'n-1')", home_id)
            for position_id in POSITIONS[home_id]:
                connection.run("INSERT INTO positions VALUES (?, ?, ?)", position_id, home_id, position_id)
                connection.run(
                    "INSERT INTO devices VALUES (?, ?, ?, 'safety-alarm', 'in_service')",
                    position_id,
                    home_id,
                    position_id,
                )
        for organisation_id, kind in ORGANISATIONS.items():
            connection.run(
                "INSERT INTO organisations VALUES (?, ?, ?, 0)", organisation_id, organisation_id, kind
            )
        yield connection


class _UndoneError(Exception):
    pass


@contextmanager
def for_a_moment(
    connection: SqliteConnection, held: list[Grant], raised: list[dict[str, Any]]
) -> Iterator[None]:
    """Have grants and alarms in the store inside the block, and none of it afterwards."""
    with suppress(_UndoneError), connection.transaction():
        settle(connection, held, raised)
        yield
        raise _UndoneError


def settle(connection: SqliteConnection, held: list[Grant], raised: list[dict[str, Any]]) -> None:
    for grant in held:
        registry.add_grant(connection, grant)
    for alarm in raised:
        escalated_at = alarm["escalated_at"]
        connection.run(
            """INSERT INTO alarms (id, home_id, position_id, device_id, kind, is_test, priority, room, voice,
                                   state, raised_at, received_at, step, escalated_at)
               VALUES (?, ?, ?, ?, ?, 0, 5, '', '[]', 'closed', 0, ?, ?, ?)""",
            alarm["id"],
            alarm["home_id"],
            alarm["position_id"],
            alarm["position_id"],
            alarm["kind"],
            to_micros(alarm["received_at"]),
            alarm["step"],
            None if escalated_at is None else to_micros(escalated_at),
        )


worlds = st.tuples(
    st.lists(grants(), max_size=6, unique_by=lambda grant: grant.id),
    st.lists(alarms(), max_size=6, unique_by=lambda alarm: alarm["id"]),
    scopes,
)

HELD: Final = Grant(
    id=GrantId("g"),
    organisation_id=OrganisationId("acme"),
    home_id=HomeId("h-1"),
    position_id=PositionId("p-1"),
    data_class=DataClass.SAFETY,
    purpose="p",
    legal_basis="b",
    valid_from=NOON,
    valid_until=NOON + timedelta(hours=2),
    step=1,
    within=timedelta(seconds=60),
)
RAISED: Final[dict[str, Any]] = {
    "id": "a",
    "home_id": "h-1",
    "position_id": "p-1",
    "kind": "safety.manual",
    "received_at": NOON,
    "step": 1,
    "escalated_at": None,
}
SOON: Final = NOON + timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("grant", "alarm", "is_known"),
    [
        ({}, {}, True),
        ({"position_id": None}, {}, True),
        ({"position_id": PositionId("p-2")}, {}, False),
        ({"organisation_id": OrganisationId("beta")}, {}, False),
        ({"data_class": DataClass.CARE}, {}, False),
        ({"valid_from": SOON}, {}, False),
        ({"valid_until": SOON}, {}, False),
        ({"revoked_at": SOON}, {}, False),
        ({"step": 2}, {}, False),
        ({"step": 2}, {"step": 2}, True),
        ({}, {"home_id": "h-2", "position_id": "p-3"}, False),
        ({}, {"kind": "care.bed_exit"}, False),
        ({}, {"received_at": NOON - timedelta(microseconds=1)}, False),
        ({}, {"escalated_at": NOON, "step": 0}, False),
    ],
    ids=str,
)
def test_each_thing_that_a_grant_says_decides(
    town: SqliteConnection, grant: dict[str, Any], alarm: dict[str, Any], *, is_known: bool
) -> None:
    at = NOON + timedelta(hours=1)
    scope = Scope(organisation_id=OrganisationId("acme"), is_whole=False, classes=EVERY_CLASS, at=at)
    held, raised = replace(HELD, **grant), RAISED | alarm

    with for_a_moment(town, [held], [raised]):
        found = scoping.alarm_ids(town, scope, limit=9).ids

    assert bool(found) == judged(scope, raised, [held]) == is_known


judging = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(world=worlds)
@judging
def test_an_alarm_is_in_scope_exactly_when_it_may_be_known(town: SqliteConnection, world: Any) -> None:
    held, raised, scope = world
    clause, parameters = scoping.alarms_in(scope)

    with for_a_moment(town, held, raised):
        rows = town.rows(f"SELECT a.id FROM alarms a WHERE {clause}", *parameters)  # noqa: S608 - what is tested
        found = {row[0] for row in rows}

    assert found == {alarm["id"] for alarm in raised if judged(scope, alarm, held)}


@given(world=worlds, limit=st.integers(1, 3), few=st.integers(0, 3), at_once=st.integers(1, 4))
@judging
def test_a_list_holds_every_alarm_in_scope_once_whichever_way_it_is_found(
    town: SqliteConnection, world: Any, limit: int, few: int, at_once: int
) -> None:
    held, raised, scope = world
    with for_a_moment(town, held, raised), pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoping, "FEW_HOMES", few)
        patch.setattr(scoping, "JUDGED_AT_ONCE", at_once)
        found, before = [], scoping.BEHIND_ALL
        while True:
            page = scoping.alarm_ids(town, scope, before=before, limit=limit)
            assert len(page.ids) <= limit
            found += page.ids
            if page.following is None:
                break
            assert page.following < before
            before = page.following

    right = (alarm["id"] for alarm in raised if judged(scope, alarm, held))
    assert found == sorted(right, reverse=True)


@given(world=worlds)
@judging
def test_a_home_is_in_scope_while_anything_of_it_is_granted(town: SqliteConnection, world: Any) -> None:
    held, _, scope = world
    right = [
        home_id
        for home_id in HOMES
        if scope.is_whole
        or any(
            grant.home_id == home_id
            and grant.organisation_id == scope.organisation_id
            and is_in_force(grant, scope.at)
            for grant in held
        )
    ]

    with for_a_moment(town, held, []):
        listed = registry_pages.homes(town, scope, after="", limit=10)
        of_node = registry_pages.homes_of_node(town, scope, "n-1", after="", limit=10)
        found = [home_id for home_id in HOMES if registry_pages.home(town, scope, home_id)]
        ids = scoping.home_ids(town, scope, limit=10)
        rights = [home_id for home_id in HOMES if scoping.right_to(town, scope, home_id)]

    assert ids == found == [home.id for home in listed] == [home.id for home in of_node] == right
    assert scope.is_whole or rights == right


class Planned(SqliteConnection):
    """Remembers how each query is carried out."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.plans: dict[str, list[str]] = {}

    def rows(self, sql: str, *parameters: Any) -> Any:
        self._plan(sql, parameters)
        return super().rows(sql, *parameters)

    def row(self, sql: str, *parameters: Any) -> Any:
        self._plan(sql, parameters)
        return super().row(sql, *parameters)

    def _plan(self, sql: str, parameters: tuple[Any, ...]) -> None:
        if "PRAGMA" not in sql:
            self.plans[sql] = [str(row[3]) for row in super().rows(f"EXPLAIN QUERY PLAN {sql}", *parameters)]


@pytest.fixture
def planned(tmp_path: Path) -> Iterator[Planned]:
    with closing(Planned(tmp_path / "stadsnav.db")) as connection:
        migrate(connection)
        connection.plans.clear()
        yield connection


def scope_of(organisation_id: str = "acme", *, is_whole: bool = False) -> Scope:
    return Scope(
        organisation_id=OrganisationId(organisation_id), is_whole=is_whole, classes=EVERY_CLASS, at=NOON
    )


LISTS: Final[dict[str, Callable[[SqliteConnection, Scope], object]]] = {
    "alarms": lambda c, s: scoping.alarm_ids(c, s, limit=100),
    "alarms of many homes": lambda c, s: scoping._newest(c, scoping.alarms_in(s), before="~", limit=100),
    "alarms of few homes": lambda c, s: scoping._of_homes(
        c, ["h-1"], scoping.alarms_in(s), before="~", limit=100
    ),
    "homes": lambda c, s: registry_pages.homes(c, s, after="h", limit=100),
    "homes of a node": lambda c, s: registry_pages.homes_of_node(c, s, "n", after="h", limit=100),
    "a home": lambda c, s: registry_pages.home(c, s, "h-1"),
    "devices": lambda c, _: registry_pages.devices_behind(c, home_id=None, after=("h", "d"), limit=100),
    "devices of a home": lambda c, _: registry_pages.devices_behind(
        c, home_id="h-1", after=("", ""), limit=100
    ),
    "positions": lambda c, _: registry_pages.positions(c, "h-1"),
    "organisations": lambda c, _: registry_pages.organisations(c, seen_by="acme", after="a", limit=100),
    "all grants": lambda c, _: registry_pages.grants(
        c, organisation_id=None, home_id=None, before="~", limit=100
    ),
    "grants of an organisation": lambda c, _: registry_pages.grants(
        c, organisation_id="acme", home_id=None, before="~", limit=100
    ),
}


@pytest.mark.parametrize("scope", [scope_of(), scope_of(is_whole=True)], ids=["granted", "whole"])
@pytest.mark.parametrize("name", LISTS)
def test_every_list_walks_along_an_index_and_sorts_nothing(planned: Planned, name: str, scope: Scope) -> None:
    LISTS[name](planned, scope)

    steps = [step for plan in planned.plans.values() for step in plan]
    assert planned.plans
    assert not [step for step in steps if step.startswith("SCAN ") or "TEMP B-TREE" in step], planned.plans


def test_grants_of_a_home_are_found_by_the_home(planned: Planned) -> None:
    for organisation_id in (None, "acme"):
        registry_pages.grants(planned, organisation_id=organisation_id, home_id="h-1", before="~", limit=100)

    steps = [step for plan in planned.plans.values() for step in plan if step.startswith("SE")]
    assert steps
    assert all("home_id=?" in step for step in steps), planned.plans
