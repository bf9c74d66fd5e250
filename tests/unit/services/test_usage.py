"""Usage is right whatever has ended or been erased meanwhile, and a closed month stays as it is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services import usage
from services.domain.errors import InvalidError
from services.store import usage as rows
from services.store.connection import to_micros
from services.usage import Month, OrganisationUsage
from tests.support.log import looked
from tests.support.town import Town

NOVEMBER, DECEMBER = Month(2026, 11), Month(2026, 12)
FIRST = NOVEMBER.since
LATER = datetime(2027, 6, 1, tzinfo=UTC)


def used(
    town: Town, month: Month = NOVEMBER, *, by: str = "acme", now: datetime = LATER, **more: Any
) -> OrganisationUsage:
    [found] = usage.show(town.connection, month, organisation_id=by, now=now, **more).organisations
    return found


def made_at_the_towns_time(town: Town) -> None:
    """Ids are made by the machine's clock, which is not that of the town."""
    prefix = rows._id_floor(town.now)
    town.connection.run("UPDATE deliveries SET id = ? || substr(id, ?)", prefix, len(prefix) + 1)


def close(town: Town, month: Month = NOVEMBER) -> None:
    counts = usage.counted(town.connection, month)
    town.write(lambda connection: usage.close(connection, month, counts, now=LATER))


@pytest.mark.parametrize(
    ("begins", "ends", "is_counted"),
    [
        (FIRST - timedelta(days=9), None, True),
        (FIRST - timedelta(days=9), FIRST, False),
        (FIRST - timedelta(days=9), FIRST + timedelta(microseconds=1), True),
        (FIRST + timedelta(days=3), FIRST + timedelta(days=3, seconds=1), True),
        (DECEMBER.since - timedelta(microseconds=1), None, True),
        (DECEMBER.since, None, False),
    ],
    ids=str,
)
def test_a_home_counts_when_a_grant_was_in_force_at_any_moment_of_the_month(
    town: Town, begins: datetime, ends: datetime | None, *, is_counted: bool
) -> None:
    town.grant("acme", valid_from=begins, valid_until=ends)

    assert used(town).count("homes") == int(is_counted)


@pytest.mark.parametrize(("revoked", "is_counted"), [(FIRST, False), (FIRST + timedelta(hours=1), True)])
def test_a_grant_that_was_revoked_counts_up_to_then(
    town: Town, revoked: datetime, *, is_counted: bool
) -> None:
    grant = town.grant("acme", valid_from=FIRST - timedelta(days=2), valid_until=LATER)
    town.connection.run("UPDATE grants SET revoked_at = ? WHERE id = ?", to_micros(revoked), grant.id)

    assert used(town).count("homes") == int(is_counted)


def test_a_grant_that_was_revoked_before_it_began_never_counts(town: Town) -> None:
    grant = town.grant("acme", valid_from=FIRST + timedelta(days=28))
    town.revoke(grant)

    assert used(town).count("homes") == 0


def test_a_home_counts_once_for_each_class_and_once_in_all(town: Town) -> None:
    for data_class, home_id in [("safety", "h-1"), ("fire", "h-1"), ("safety", "h-2")]:
        town.grant("acme", home_id, data_class)
    town.grant("acme", "h-1", "safety", step=2)
    town.grant("beta", "h-1", "safety")

    assert used(town).count("homes") == 2
    assert used(town).parts("homes") == {"fire": 1, "safety": 2}
    assert used(town, by="beta").parts("homes") == {"safety": 1}


def test_this_month_is_counted_up_to_now(town: Town) -> None:
    town.grant("acme", valid_from=town.now + timedelta(days=1))

    assert used(town, now=town.now).count("homes") == 0
    assert used(town, now=town.now + timedelta(days=2)).count("homes") == 1


@pytest.mark.parametrize("is_revoked", [True, False])
def test_a_grant_that_was_deleted_still_counts_for_its_month(town: Town, *, is_revoked: bool) -> None:
    grant = town.grant("acme")
    if is_revoked:
        town.revoke(grant)
        town.clock.advance(timedelta(minutes=1))

    town.connection.run("DELETE FROM grants WHERE id = ?", grant.id)

    assert used(town).count("homes") == (0 if is_revoked else 1)


def test_a_closed_month_does_not_change_when_all_is_erased(town: Town) -> None:
    town.grant("acme")
    town.press()
    made_at_the_towns_time(town)
    looked(town.connection, organisation_id="acme", at=town.now)
    before = used(town)

    close(town)
    town.connection.run_script("PRAGMA foreign_keys=OFF; DELETE FROM deliveries; DELETE FROM grants")
    town.connection.run_script("DELETE FROM usage_deleted_grants")

    assert used(town) == before
    assert before.parts("deliveries") == {"mqtt/sent": 1}


def test_closing_forgets_deleted_grants_that_are_counted(town: Town) -> None:
    ended = town.grant("acme", valid_until=town.now + timedelta(days=1))
    going_on = town.grant("acme", "h-2", valid_until=DECEMBER.since + timedelta(days=1))
    for grant in (ended, going_on):
        town.connection.run("DELETE FROM grants WHERE id = ?", grant.id)

    close(town)

    assert used(town).count("homes") == 2
    assert used(town, DECEMBER).count("homes") == 1


def test_closing_again_changes_nothing(town: Town) -> None:
    close(town)
    town.grant("acme")

    close(town)

    assert used(town).count("homes") == 0


def test_deliveries_are_counted_by_channel_and_state_in_the_month_of_their_beginning(town: Town) -> None:
    town.grant("acme")
    town.press()
    town.confirm_all("acme")
    town.press()
    made_at_the_towns_time(town)

    assert used(town).parts("deliveries") == {"mqtt/confirmed": 1, "mqtt/sent": 1}
    assert used(town, DECEMBER).parts("deliveries") == {}
    assert used(town, by="beta").parts("deliveries") == {}


def test_readings_are_counted_when_filed_and_before(town: Town) -> None:
    day = usage.first_day(NOVEMBER)
    for count in (3, 4):
        rows.add_readings(town.connection, "acme", "climate", day=day, count=count)
    rows.add_readings(town.connection, "acme", "climate", day=day - 1, count=100)

    found = used(town, unfiled=[("acme", "climate", 5), ("beta", "climate", 50)])

    assert found.parts("readings") == {"climate": 12}


def test_looks_are_those_of_an_organisation_at_a_home(town: Town) -> None:
    looked(town.connection, organisation_id="acme", at=town.now)
    looked(town.connection, None, organisation_id="acme", at=town.now)
    looked(town.connection, at=town.now)

    assert used(town).count("looks") == 1


def test_months_are_closed_three_days_after_their_end_one_after_the_other(town: Town) -> None:
    town.grant("acme")
    before, after = DECEMBER.since + timedelta(days=2, hours=23), DECEMBER.since + timedelta(days=3)

    assert usage.months_to_close(town.connection, now=before) == []
    assert usage.months_to_close(town.connection, now=after) == [NOVEMBER]
    close(town)
    assert usage.months_to_close(town.connection, now=after) == []
    assert usage.months_to_close(town.connection, now=after + timedelta(days=32)) == [DECEMBER]


def test_no_more_than_two_years_are_closed_at_first_and_none_without_a_grant(town: Town) -> None:
    assert usage.months_to_close(town.connection, now=LATER) == []

    town.grant("acme", valid_from=datetime(1970, 1, 2, tzinfo=UTC))

    assert len(usage.months_to_close(town.connection, now=LATER + timedelta(days=3))) == usage.LONGEST_BACK


def test_everybody_who_used_something_is_shown_and_nobody_else(town: Town) -> None:
    town.grant("acme")

    found = usage.show(town.connection, NOVEMBER, now=LATER)

    assert [(one.organisation_id, one.name) for one in found.organisations] == [("acme", "Acme AB")]


def test_a_spreadsheet_gets_a_count_a_line(town: Town) -> None:
    town.grant("acme")

    lines = list(usage.csv_lines(usage.show(town.connection, NOVEMBER, now=LATER)))

    assert lines == [
        "month,organisation,name,what,part,count\r\n",
        "2026-11,acme,Acme AB,homes,,1\r\n",
        "2026-11,acme,Acme AB,homes,safety,1\r\n",
    ]


@pytest.mark.parametrize("text", ["", "2026", "2026-13", "2026-11-01", "november", "99999-01"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="2026-11"):
        Month.parse(text)


def test_months_follow_one_another_over_the_turn_of_the_year() -> None:
    assert DECEMBER.following == Month(2027, 1)
    assert DECEMBER.until == datetime(2027, 1, 1, tzinfo=UTC)
    assert Month(2027, 1).back(2) == NOVEMBER
    assert (NOVEMBER.name, Month.parse("2026-11")) == ("2026-11", NOVEMBER)
