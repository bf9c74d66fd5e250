"""The channels of an organisation count its notices together, whichever process is first."""

from datetime import timedelta
from functools import partial
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from devices.kinds import DataClass
from services.alarms import answering
from services.store import overview, registry
from tests.support.clock import FrozenClock
from tests.support.outward import Outside
from tests.support.stores import memory_database
from tests.support.town import Town

ENOUGH: Final = 1_000

STEPS: Final = st.lists(
    st.sampled_from(["press", "press", "comment", "mqtt", "webhook", "webhook", "withdraw", "grant"]),
    min_size=3,
    max_size=40,
)


def numbered(town: Town) -> list[tuple[str, str, int]]:
    """Organisation, notice and number of every delivery that has one."""
    found = overview.deliveries(town.connection, limit=ENOUGH)
    return [(one.organisation_id, one.notice_id, one.sequence) for one in found if one.sequence is not None]


def act(town: Town, outside: Outside, step: str) -> None:
    """One transaction of one process; what another one would do about it waits."""
    match step:
        case "press":
            town.channel.is_up = False
            town.press()
        case "comment":
            alarm = town.press()
            actor = town.actor(None)
            town.write(partial(answering.comment, alarm_id=alarm.id, actor=actor, note="…", now=town.now))
        case "mqtt":
            town.channel.is_up = True
            town.turn()
        case "webhook":
            outside.step()
        case "withdraw":
            withdraw(town)
        case "grant":
            town.grant("acme")


def withdraw(town: Town) -> None:
    for grant in registry.grants_of_home(town.connection, "h-1", DataClass.SAFETY):
        if grant.organisation_id == "acme" and grant.revoked_at is None:
            town.revoke(grant)


@given(steps=STEPS)
@settings(max_examples=60)
def test_in_any_interleaving_a_notice_has_one_number_and_there_is_no_gap(steps: list[str]) -> None:
    connection = memory_database()
    town = Town(connection, FrozenClock())
    town.settle()
    outside = Outside(town)
    for organisation in ("acme", "beta"):
        town.grant(organisation)
        outside.subscribe(organisation)
    outside.subscribe("beta", "stream")

    for step in steps:
        act(town, outside, step)
        town.clock.advance(timedelta(milliseconds=1))
    town.channel.is_up = True
    town.turn()
    outside.turn()

    pairs = set(numbered(town))
    for organisation in ("acme", "beta"):
        numbers = sorted(number for whose, _, number in pairs if whose == organisation)
        assert numbers == list(range(1, len(numbers) + 1))
        assert len({notice for whose, notice, _ in pairs if whose == organisation}) == len(numbers)
        assert outside.numbers(organisation) == sorted(outside.numbers(organisation))
    connection.close()
