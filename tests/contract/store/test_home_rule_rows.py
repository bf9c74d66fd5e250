"""What a home has set comes back as it was written, once per name and place."""

from dataclasses import replace

import pytest

from services.domain.ids import PositionId, new_id
from services.store import changes, home_rules
from services.store.home_rules import HomeRuleRow
from tests.support.clock import START
from tests.support.rows import HOME, POSITION
from tests.support.stores import Database, StoreUnderTest

WHOLE = HomeRuleRow(
    id="r-1",
    home_id=HOME.id,
    position_id=None,
    name="damp",
    body='{"above": 80}',
    is_off=False,
    set_at=START,
)
THERE = replace(WHOLE, id="r-2", position_id=POSITION.id, body="", is_off=True)


def test_a_rule_comes_back_as_it_was_written(settled: Database) -> None:
    with settled.transaction():
        home_rules.put(settled, WHOLE)
        home_rules.put(settled, THERE)

    assert home_rules.get(settled, HOME.id, None, "damp") == WHOLE
    assert home_rules.get(settled, HOME.id, POSITION.id, "damp") == THERE
    assert home_rules.of_home(settled, HOME.id) == [WHOLE, THERE]


@pytest.mark.parametrize(
    "place", [("h-9", None, "damp"), (HOME.id, "nowhere", "damp"), (HOME.id, None, "frost")]
)
def test_another_home_position_or_name_has_none(
    settled: Database, place: tuple[str, str | None, str]
) -> None:
    with settled.transaction():
        home_rules.put(settled, WHOLE)

    assert home_rules.get(settled, *place) is None
    assert home_rules.of_home(settled, "h-9") == []


def test_the_same_name_takes_the_place_of_the_one_before(settled: Database) -> None:
    newer = replace(WHOLE, id="r-3", body='{"above": 90}')

    with settled.transaction():
        home_rules.put(settled, WHOLE)
        home_rules.put(settled, THERE)
        home_rules.put(settled, newer)

    assert home_rules.of_home(settled, HOME.id) == [THERE, newer]


@pytest.mark.parametrize("row", [WHOLE, THERE])
def test_a_place_cannot_have_two_rules_of_a_name(
    settled: Database, store: StoreUnderTest, row: HomeRuleRow
) -> None:
    with settled.transaction():
        home_rules.put(settled, row)

    with pytest.raises(store.rule_broken), settled.transaction():
        settled.run(
            """INSERT INTO home_rules (id, home_id, position_id, name, body, is_off, set_at)
               SELECT 'r-9', home_id, position_id, name, body, is_off, set_at FROM home_rules"""
        )


def test_removing_takes_only_the_one_that_is_meant(settled: Database) -> None:
    with settled.transaction():
        home_rules.put(settled, WHOLE)
        home_rules.put(settled, THERE)
        removed = [home_rules.remove(settled, HOME.id, None, "damp") for _ in range(2)]

    assert removed == [True, False]
    assert home_rules.of_home(settled, HOME.id) == [THERE]


def test_a_rule_needs_a_home_and_a_position_that_exist(settled: Database, store: StoreUnderTest) -> None:
    for row in (replace(WHOLE, home_id="h-9"), replace(THERE, position_id=PositionId("nowhere"))):  # type: ignore[arg-type]
        with pytest.raises(store.rule_broken), settled.transaction():
            home_rules.put(settled, row)


def test_the_newest_come_first_and_no_more_than_asked_for(settled: Database) -> None:
    rows = [replace(WHOLE, id=new_id(), name=name) for name in ("a", "c", "b")]
    with settled.transaction():
        for row in rows:
            home_rules.put(settled, row)

    assert home_rules.newest(settled, limit=2) == [rows[2], rows[1]]


def test_whoever_keeps_a_copy_hears_of_each_change(settled: Database) -> None:
    with settled.transaction():
        before = changes.newest(settled)
        home_rules.put(settled, WHOLE)
        home_rules.remove(settled, HOME.id, None, "damp")

    assert changes.newest(settled) == before + 2
