"""Whose registration has changed since a number: nothing is missed, and what is too old is said to be."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from devices.kinds import DeviceId, HomeId
from services.domain.homes import DeviceState, Dialect, ForeignDevice, Home, Integration, Position
from services.domain.ids import IntegrationId, PositionId
from services.store import changes, integrations, registry
from services.store.connection import Connection
from tests.support.clock import START
from tests.support.rows import DEVICE, HOME, POSITION, grant_of
from tests.support.stores import Database, StoreUnderTest

KEPT = 100_000
ELSEWHERE = Home(id=HomeId("h-2"), address="y")
CORNER = Position(id=PositionId("position-2"), home_id=ELSEWHERE.id, name="bed")
SPARE = Position(id=PositionId("position-3"), home_id=ELSEWHERE.id, name="hall")
OTHER = replace(DEVICE, id=DeviceId("p-2"), home_id=ELSEWHERE.id, position_id=CORNER.id, position=CORNER.name)
LORA = Integration(id=IntegrationId("lora"), name="LoRaWAN", dialect=Dialect.CHIRPSTACK)
UNUSED = replace(LORA, id=IntegrationId("unused"))
METER = ForeignDevice(integration_id=LORA.id, external_id="0004a30b", device_id=DEVICE.id)
GRANT = grant_of()

Work = Callable[[Connection], object]


def settle_more(connection: Connection) -> None:
    """A second home with its device, an integration that knows the first home's, a grant, and spare ones."""
    registry.add_home(connection, ELSEWHERE)
    registry.add_position(connection, CORNER)
    registry.add_position(connection, SPARE)
    registry.add_device(connection, OTHER)
    integrations.add(connection, LORA)
    integrations.add(connection, UNUSED)
    integrations.link(connection, METER)
    registry.add_grant(connection, GRANT)


def told(database: Database, work: Work) -> set[str] | None:
    """What is said to have changed by a piece of work."""
    before = changes.newest(database)
    with database.transaction():
        work(database)
    assert changes.newest(database) > before
    return changes.changed_homes(database, after=before)


@pytest.mark.parametrize(
    ("work", "homes"),
    [
        (lambda db: registry.add_position(db, replace(POSITION, id=PositionId("x"), name="x")), {"h-1"}),
        (lambda db: registry.add_device(db, replace(DEVICE, id=DeviceId("x"))), {"h-1"}),
        (lambda db: registry.set_device_state(db, "p-1", DeviceState.SUSPENDED), {"h-1"}),
        (lambda db: registry.add_grant(db, grant_of()), {"h-1"}),
        (lambda db: registry.revoke_grant(db, GRANT.id, START), {"h-1"}),
        (lambda db: integrations.link(db, replace(METER, external_id="x")), {"h-1"}),
        (lambda db: integrations.unlink(db, METER.integration_id, METER.external_id), {"h-1"}),
        (lambda db: integrations.add(db, replace(LORA, id=IntegrationId("x"))), {""}),
        (lambda db: integrations.set_state(db, LORA.id, DeviceState.SUSPENDED), {""}),
        (lambda db: db.run("UPDATE positions SET name = 'x' WHERE id = ?", POSITION.id), {"h-1"}),
        (lambda db: db.run("DELETE FROM positions WHERE id = ?", SPARE.id), {"h-2"}),
        (lambda db: db.run("DELETE FROM devices WHERE id = ?", OTHER.id), {"h-2"}),
        (lambda db: db.run("DELETE FROM grants"), {"h-1"}),
        (lambda db: db.run("DELETE FROM integrations WHERE id = ?", UNUSED.id), {""}),
    ],
    ids=[
        "a position is added",
        "a device is added",
        "a device is suspended",
        "a grant is added",
        "a grant is revoked",
        "a foreign device is adopted",
        "a foreign device is forgotten",
        "an integration is added",
        "an integration is suspended",
        "a position is renamed",
        "a position is removed",
        "a device is removed",
        "a grant is removed",
        "an integration is removed",
    ],
)
def test_the_home_of_whatever_changes_is_told(settled: Database, work: Work, homes: set[str]) -> None:
    with settled.transaction():
        settle_more(settled)

    assert told(settled, work) == homes


def test_what_moves_from_one_home_to_another_is_told_of_both(settled: Database) -> None:
    with settled.transaction():
        settle_more(settled)

    found = [
        told(settled, lambda db: db.run("UPDATE foreign_devices SET device_id = ?", OTHER.id)),
        told(settled, lambda db: db.run("UPDATE devices SET home_id = 'h-2' WHERE id = 'p-1'")),
        told(settled, lambda db: db.run("UPDATE positions SET home_id = 'h-1' WHERE id = ?", SPARE.id)),
        told(settled, lambda db: db.run("UPDATE grants SET home_id = 'h-2'")),
    ]

    assert found == [{"h-1", "h-2"}] * 4


def test_what_is_undone_was_no_change(settled: Database) -> None:
    before = changes.newest(settled)

    def half_done() -> None:
        with settled.transaction():
            registry.set_device_state(settled, DEVICE.id, DeviceState.SUSPENDED)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half_done()

    assert changes.newest(settled) == before
    assert changes.changed_homes(settled, after=before) == set()


def test_an_empty_store_has_had_no_change(db: Database) -> None:
    assert changes.newest(db) == 0
    assert changes.changed_homes(db, after=0) == set()


def test_an_address_that_changes_is_no_change_of_what_is_registered_there(settled: Database) -> None:
    before = changes.newest(settled)

    with settled.transaction():
        registry.add_home(settled, replace(HOME, address="Lilla torg 2"))

    assert changes.newest(settled) == before


def test_another_process_is_told_too(settled: Database, store: StoreUnderTest) -> None:
    other = store.another()
    before = changes.newest(other)

    with settled.transaction():
        registry.set_device_state(settled, DEVICE.id, DeviceState.SUSPENDED)

    assert changes.changed_homes(other, after=before) == {"h-1"}


def test_the_newest_hundred_thousand_are_kept_and_who_is_further_behind_must_forget_everything(
    settled: Database,
) -> None:
    start = changes.newest(settled)

    with settled.transaction():
        settled.run(
            """INSERT INTO registry_changes (home_id)
               WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
               SELECT 'h' || (i % 3) FROM n""",
            KEPT + 10,
        )
    last = changes.newest(settled)

    assert settled.row("SELECT COUNT(*) FROM registry_changes") == (KEPT,)
    assert last == start + KEPT + 10
    assert changes.changed_homes(settled, after=last - KEPT) == {"h0", "h1", "h2"}
    assert changes.changed_homes(settled, after=last - KEPT - 1) is None
    assert changes.changed_homes(settled, after=start) is None
    assert changes.changed_homes(settled, after=last) == set()


def test_who_is_ahead_of_the_list_has_seen_another_database(settled: Database) -> None:
    assert changes.changed_homes(settled, after=changes.newest(settled) + 1) is None
