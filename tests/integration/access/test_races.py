"""Release races withdrawal and expiry, a thousand times each, on a real file with two connections.

    one thread    press ──┬─ barrier ─> BEGIN · may it know, now? · lease · COMMIT ─> handed over
    the other             └─ barrier ─> BEGIN · consent withdrawn, grant revoked · COMMIT

Both write to the log in their transactions, so the log's order is the order of the commits: behind the entry
of a withdrawal there must be no release under it.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from devices.kinds import HomeId
from services import consents, granting, registry, residents
from services.consents import NewConsent
from services.domain.homes import Home
from services.domain.residents import How
from services.registry import NewDevice, NewGrant
from services.residents import NewResident
from services.store import audit
from services.store import consents as consent_rows
from services.store.audit import AuditRow
from services.store.connection import to_micros
from services.store.migrations import migrate
from services.store.sqlite import SqliteConnection
from tests.support.clock import START, FrozenClock
from tests.support.household import CITY, PURPOSE, SEALER
from tests.support.town import TESTER, Town

ROUNDS: Final = 1_000
AT_LEAST: Final = 100
"""How often each of the two must have won, so that it was a race."""

TURN_SECONDS: Final = 0.000_005

WITHIN_SECONDS: Final = 60

Connections = tuple[SqliteConnection, SqliteConnection]


@pytest.fixture
def connections(tmp_path: Path) -> Iterator[Connections]:
    """Two connections to one file. Not synced: who is first does not depend on the disk's patience."""
    path = tmp_path / "stadsnav.db"
    with ExitStack() as stack:
        made = [stack.enter_context(closing(SqliteConnection(path))) for _ in range(2)]
        migrate(made[0])
        for connection in made:
            connection.run_script("PRAGMA synchronous=OFF")
        yield (made[0], made[1])


@pytest.fixture
def street(connections: Connections) -> Town:
    """A home for each round, whose resident has consented, and acme that may know until ``ends_at``."""
    town = Town(connections[0], FrozenClock())
    town.add_organisation("acme")
    with town.connection.transaction():
        for number in range(ROUNDS):
            settle(town, number)
    return town


def ends_at(number: int) -> datetime:
    """When the grant of a round ends; time moves by a microsecond, so that nothing else becomes due."""
    return START + timedelta(microseconds=number + 1)


def settle(town: Town, number: int) -> None:
    home = Home(id=HomeId(f"h-{number}"), address="Storgatan")
    device = NewDevice(id=f"p-{number}", home_id=home.id, profile="safety-alarm")
    resident = NewResident(home_id=home.id, id=f"r-{number}", name="somebody")
    consent = NewConsent(resident_id=f"r-{number}", data_class="safety", purpose=PURPOSE, how=How.IN_WRITING)
    grant = NewGrant(
        organisation_id="acme",
        home_id=home.id,
        data_class="safety",
        purpose=PURPOSE,
        legal_basis="consent: form",
        valid_until=ends_at(number),
    )
    registry.add_home(town.connection, home, actor=TESTER, now=town.now)
    registry.add_device(town.connection, device, profiles=town.profiles, actor=TESTER, now=town.now)
    residents.add(town.connection, resident, sealer=SEALER, actor=CITY, now=town.now)
    consents.record(town.connection, consent, actor=CITY, now=town.now)
    granting.add_now(town.connection, grant, actor=CITY, now=town.now)


class Balance:
    """Delays whoever was first the last time, so that each of the two is first about as often."""

    def __init__(self) -> None:
        self._handicap = 0
        """Turns that the hub waits; below nothing: the other one."""

    def hub_waits(self) -> None:
        pause(self._handicap)

    def other_waits(self) -> None:
        pause(-self._handicap)

    def hub_was(self, *, is_first: bool) -> None:
        self._handicap += 1 if is_first else -1


def pause(turns: int) -> None:
    """Let the other thread go first by some microseconds."""
    if turns > 0:
        time.sleep(turns * TURN_SECONDS)


def race(town: Town, other: Callable[[int], object]) -> None:
    """For each round: an alarm waits; then the hub releases while ``other`` does its part."""
    barrier = threading.Barrier(2, timeout=WITHIN_SECONDS)
    balance = Balance()
    failures: list[Exception] = []

    def run() -> None:
        try:
            for number in range(ROUNDS):
                barrier.wait()
                balance.other_waits()
                other(number)
                barrier.wait()
        except Exception as error:  # noqa: BLE001 - handed to the test
            failures.append(error)
            barrier.abort()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    with suppress(threading.BrokenBarrierError):
        for number in range(ROUNDS):
            told_before = len(town.channel.events)
            town.channel.is_up = False
            town.press(f"p-{number}")
            town.channel.is_up = True
            barrier.wait()
            balance.hub_waits()
            town.turn()
            barrier.wait()
            balance.hub_was(is_first=len(town.channel.events) > told_before)
    thread.join(WITHIN_SECONDS)
    assert failures == []
    assert not thread.is_alive()


def entries(town: Town, action: str) -> dict[str, AuditRow]:
    """The last entry of an action about each home."""
    return {str(row.home_id): row for row in audit.entries(town.connection) if row.action == action}


def told_homes(town: Town) -> list[str]:
    return [event.alarm.home_id for event in town.channel.told("acme")]


def test_no_release_is_committed_behind_the_withdrawal_of_the_consent_that_it_rests_on(
    connections: Connections, street: Town
) -> None:
    consent_of = {
        f"h-{number}": consent_rows.in_force(street.connection, f"r-{number}", "safety", PURPOSE)
        for number in range(ROUNDS)
    }

    def withdraw(number: int) -> None:
        consent = consent_of[f"h-{number}"]
        assert consent is not None
        with connections[1].transaction():
            consents.withdraw(connections[1], consent.id, actor=CITY, now=street.now)

    race(street, withdraw)

    withdrawn, released, withheld = (
        entries(street, action) for action in ("grant_revoked", "released", "withheld")
    )
    assert len(withdrawn) == ROUNDS
    assert [home for home, row in released.items() if row.number > withdrawn[home].number] == []
    assert released.keys() | withheld.keys() == withdrawn.keys()
    assert sorted(told_homes(street)) == sorted(released), "once each: what was told is not told again"
    assert AT_LEAST <= len(released) <= ROUNDS - AT_LEAST


def test_nothing_is_released_at_or_behind_the_end_of_its_grant(street: Town) -> None:
    race(street, lambda number: street.clock.move_to(ends_at(number)))

    end_of = {f"h-{number}": to_micros(ends_at(number)) for number in range(ROUNDS)}
    released, withheld = entries(street, "released"), entries(street, "withheld")
    assert [home for home, row in released.items() if row.at >= end_of[home]] == []
    assert [home for home, row in withheld.items() if row.at < end_of[home]] == []
    assert released.keys() | withheld.keys() == end_of.keys()
    assert sorted(told_homes(street)) == sorted(released)
    assert AT_LEAST <= len(released) <= ROUNDS - AT_LEAST
