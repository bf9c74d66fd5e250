"""A grant that ends, ends at once: also for what waits for a partner that is away or does not confirm.

    alarm raised ──> partner away, or silent ──> grant revoked ──(1 s)──> nothing of that home any more

Each test has a control, another home whose grant is kept and which is heard: so silence is a refusal.
"""

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.acceptance.peers import Home, Partner, stays_silent
from tests.acceptance.programs import Document
from tests.acceptance.town import Town
from tests.support.product import Product, wait_until

AT_MOST_SECONDS = 1.0
"""The promise: withdrawal works within a second."""

WATCHED_SECONDS = 3.0
PROMPTLY_SECONDS = 3.0


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """One product for the tests of this file; each has its own homes and organisations."""
    with Product(tmp_path_factory.mktemp("withdrawal") / "data") as product:
        yield Town(product)


class Case:
    """A home whose grant is withdrawn, one whose grant is kept, and the partner of both."""

    def __init__(self, town: Town, name: str) -> None:
        self.town = town
        self.gone, self.kept, self.organisation = f"gone-{name}", f"kept-{name}", f"care-{name}"
        town.homes({self.gone: (self.gone,), self.kept: (self.kept,)})
        town.organisation(self.organisation)
        wanted = [(self.organisation, home, "safety") for home in (self.gone, self.kept)]
        self.grant, _ = town.grants(*wanted, within=3600)

    def partner(self, **options: object) -> Partner:
        return self.town.opened_partner(self.organisation, **options)

    def press(self, device: str, alarm_id: str) -> None:
        with self.town.opened_home(device) as home:
            press_and_wait(home, device, alarm_id)

    def revoke_and_wait(self) -> None:
        self.town.product.ask("grant", "revoke", self.grant)
        time.sleep(AT_MOST_SECONDS)


def press_and_wait(home: Home, device: str, alarm_id: str) -> None:
    home.raise_alarm(device, alarm_id)
    wait_until(lambda: home.has("stored", alarm_id), f"{alarm_id} has its receipt")


def told_of(partner: Partner) -> Counter[str]:
    """How many attempts arrived about each home."""
    return Counter(event["data"]["alarm"]["home"] for event in list(partner.events))


def about(home: str, events: list[Document]) -> list[Document]:
    return [event for event in events if event["data"]["alarm"]["home"] == home]


def test_a_partner_that_was_away_hears_nothing_of_a_home_whose_grant_ended_meanwhile(shared: Town) -> None:
    case = Case(shared, "away")
    with case.partner(is_kept=True):
        pass  # the broker knows its session and its subscription from now on

    case.press(case.gone, "g-1")
    case.press(case.kept, "k-1")
    case.revoke_and_wait()
    with case.partner(is_kept=True) as partner:
        wait_until(lambda: partner.has("raised", home_event="k-1"), "the other home is heard of")
        case.press(case.gone, "g-2")
        case.press(case.kept, "k-2")
        time.sleep(WATCHED_SECONDS)

    assert partner.has("repeated", home_event="k-2")
    assert about(case.gone, partner.events) == []


def test_a_partner_that_does_not_confirm_is_not_told_again_once_its_grant_has_ended(shared: Town) -> None:
    case = Case(shared, "silent")

    with case.partner(reaction=stays_silent) as partner:
        case.press(case.gone, "g-1")
        case.press(case.kept, "k-1")
        wait_until(lambda: told_of(partner) == {case.gone: 1, case.kept: 1}, "both homes were told of once")
        case.revoke_and_wait()
        shared.product.kill("alarm")  # whoever starts tells everything that is unconfirmed again, at once
        wait_until(lambda: told_of(partner)[case.kept] > 1, "the home that was kept is told of again")
        time.sleep(WATCHED_SECONDS)

    assert told_of(partner)[case.gone] == 1


def test_a_partner_that_was_away_and_keeps_its_grant_is_told_as_soon_as_it_is_back(shared: Town) -> None:
    case = Case(shared, "back")
    with case.partner(is_kept=True):
        pass

    case.press(case.kept, "k-1")
    with case.partner(is_kept=True) as partner:
        wait_until(
            lambda: partner.has("raised", home_event="k-1"),
            "the partner that is back is told",
            within_seconds=PROMPTLY_SECONDS,
        )


def test_an_acknowledgement_by_one_whose_grant_has_ended_is_refused(shared: Town) -> None:
    case = Case(shared, "late")

    with case.partner() as partner:
        case.press(case.gone, "g-1")
        wait_until(lambda: partner.has("raised", home_event="g-1"), "it was told")
        alarm = partner.events[0]["subject"]
        case.revoke_and_wait()
        reply = partner.reply_to(partner.ask("acknowledge", alarm=alarm, by="late"))

    assert (reply["ok"], reply["error"]["code"]) == (False, "not_granted")
    assert shared.product.ask("alarm", "show", alarm)["state"] == "raised"
