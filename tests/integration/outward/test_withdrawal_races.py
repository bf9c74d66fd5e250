"""A withdrawal races the lease of a webhook, some hundred times, on a real file with two connections.

    one thread    ──┬─ barrier ─> BEGIN · may it know, now? · lease · COMMIT ─> posted
    the other       └─ barrier ─> BEGIN · grant revoked · COMMIT

Both write to the log in their transactions, so the log's order is the order of the commits.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from services import registry
from services.store import audit
from services.store.migrations import migrate
from services.store.sqlite import SqliteConnection
from tests.support.clock import FrozenClock
from tests.support.outward import Outside, is_away, takes
from tests.support.town import TESTER, Town

ROUNDS: Final = 300
AT_LEAST: Final = 10
"""How often each of the two must have won, so that it was a race."""


@pytest.fixture
def connections(tmp_path: Path) -> Iterator[list[SqliteConnection]]:
    """Two to one file. Not synced: who is first does not depend on the disk's patience."""
    with ExitStack() as stack:
        made = [stack.enter_context(closing(SqliteConnection(tmp_path / "a.db"))) for _ in range(2)]
        migrate(made[0])
        for connection in made:
            connection.run_script("PRAGMA synchronous=OFF")
        yield made


def at_once(*works: partial[None]) -> None:
    """Run each in a thread of its own, from one moment on."""
    barrier = threading.Barrier(len(works))

    def run(work: partial[None]) -> None:
        barrier.wait()
        work()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_nothing_is_posted_under_a_grant_whose_withdrawal_was_committed_before(
    connections: list[SqliteConnection],
) -> None:
    town = Town(connections[0], FrozenClock())
    town.settle()
    outside = Outside(town, connections[1])
    outside.subscribe("acme")
    rounds: list[tuple[str, list[str]]] = []

    for number in range(ROUNDS):
        grant = town.grant("acme")
        town.channel.is_up = False
        alarm = town.press()
        already = len(outside.tried)
        racers = [partial(outside.step), partial(revoke, town, grant.id)]
        at_once(*(racers if number % 2 else reversed(racers)))  # the last at the barrier goes on first
        outside.turn()
        rounds.append((grant.id, [event.delivery_id for event in outside.tried[already:]]))
        town.acknowledge(None, alarm)
        town.close(None, alarm)

    order = {(row.subject, row.action): row.number for row in audit.entries(connections[0])}
    for grant_id, told in rounds:
        assert all(order[one, "released"] < order[grant_id, "grant_revoked"] for one in told)
    assert AT_LEAST < sum(bool(told) for _, told in rounds) < ROUNDS - AT_LEAST


def test_no_repeat_is_posted_after_a_withdrawal(connections: list[SqliteConnection]) -> None:
    town = Town(connections[0], FrozenClock())
    town.settle()
    outside = Outside(town, connections[1])
    outside.subscribe("acme")

    for _ in range(ROUNDS // 10):
        grant = town.grant("acme")
        outside.answers["acme"] = is_away
        alarm = town.press()
        outside.turn()
        outside.wait(1)
        at_once(partial(outside.step), partial(revoke, town, grant.id))
        tried = len(outside.tried)
        outside.answers["acme"] = takes
        outside.wait(60)
        assert len(outside.tried) == tried
        town.acknowledge(None, alarm)
        town.close(None, alarm)


def revoke(town: Town, grant_id: str) -> None:
    with town.connection.transaction():
        registry.revoke_grant(town.connection, grant_id, actor=TESTER, now=town.now)
