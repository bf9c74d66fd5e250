"""Two organisations, three homes, grants that overlap at random: who hears what, against an obvious judge.

    round 1: every position says every class          told  ==  what the judge allows
    some grants end, others begin, one second passes
    round 2: the same, and the old cases are answered  told  ==  what the judge allows now

The seed is printed; STADSNAV_ISOLATION_SEED=n repeats the grants and what becomes of them.
"""

import os
import random
import time
from dataclasses import dataclass, replace
from typing import Final

import pytest

from tests.acceptance.peers import Partner
from tests.acceptance.programs import Document
from tests.acceptance.town import Town
from tests.support.product import wait_until

ORGANISATIONS: Final = ("acme", "beta")
HOMES: Final = {f"h-{number}": (f"h-{number}-a", f"h-{number}-b") for number in range(3)}
KINDS: Final = {
    1: {
        "safety": "safety.manual",
        "care": "care.bed_exit",
        "fire": "fire.smoke",
        "property": "property.leak",
    },
    2: {"safety": "safety.fall", "care": "care.door", "fire": "fire.heat", "property": "property.damp"},
}
LONG_AGO: Final = "2020-01-01T00:00:00Z"
JUST_OVER: Final = "2020-01-02T00:00:00Z"
FAR_AHEAD: Final = "2090-01-01T00:00:00Z"
WITHDRAWN_WITHIN_SECONDS: Final = 1.0
SETTLED_SECONDS: Final = 1.5
"""How long to listen for what should not come, after all that should has come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A grant as the test knows it."""

    organisation: str
    home: str
    data_class: str
    device: str | None
    """Only its position; None: the whole home."""
    time: str
    grant: str = ""

    @property
    def options(self) -> dict[str, str]:
        times = {"over": {"from": LONG_AGO, "until": JUST_OVER}, "ahead": {"from": FAR_AHEAD}}
        position = {"position": f"position of {self.device}"} if self.device else {}
        return {"within": "3600", **position, **times.get(self.time, {})}


def judge(rules: list[Rule], organisation: str, home: str, device: str, data_class: str) -> bool:
    """Whether an organisation may know: by looking at one rule after the other."""
    for rule in rules:
        if rule.organisation != organisation:
            continue
        if rule.home != home or rule.data_class != data_class:
            continue
        if rule.device is not None and rule.device != device:
            continue
        if rule.time == "now":
            return True
    return False


def invented(chance: random.Random) -> list[Rule]:
    """Some grants: about half of what there could be, some of them over, not begun, or of one position."""
    return [
        Rule(
            organisation=organisation,
            home=home,
            data_class=data_class,
            device=chance.choice([None, None, *devices]),
            time=chance.choice(["now", "now", "now", "over", "ahead"]),
        )
        for organisation in ORGANISATIONS
        for home, devices in HOMES.items()
        for data_class in KINDS[1]
        if chance.random() < 0.6
    ]


def granted(town: Town, rules: list[Rule]) -> list[Rule]:
    """Put the rules in force."""
    wanted = [((rule.organisation, rule.home, rule.data_class), rule.options) for rule in rules]
    return [replace(rule, grant=grant) for rule, grant in zip(rules, town.grants_each(wanted), strict=True)]


def allowed(rules: list[Rule], organisation: str, number: int) -> set[str]:
    """The ids of a round's alarms that an organisation may hear of."""
    return {
        alarm_id(device, kind)
        for home, devices in HOMES.items()
        for device in devices
        for data_class, kind in KINDS[number].items()
        if judge(rules, organisation, home, device, data_class)
    }


def alarm_id(device: str, kind: str) -> str:
    return f"{device}:{kind}"


def say_everything(town: Town, number: int) -> None:
    """Every position says every class, and waits for its receipts."""
    for devices in HOMES.values():
        for device in devices:
            with town.opened_home(device) as home:
                for kind in KINDS[number].values():
                    home.raise_alarm(device, alarm_id(device, kind), kind)
                wait_until(lambda: not home.unanswered, f"{device} has its receipts")


def heard(events: list[Document], kind: str = "raised") -> set[str]:
    wanted = f"se.stadsnav.alarm.{kind}.v1"
    return {alarm_id_of(event) for event in events if event["type"] == wanted}


def alarm_id_of(event: Document) -> str:
    alarm = event["data"]["alarm"]
    return alarm_id(alarm["device"], alarm["kind"])


@pytest.fixture
def seed() -> int:
    chosen = int(os.environ.get("STADSNAV_ISOLATION_SEED", time.time_ns() % 1_000_000))  # noqa: TID251 - of the test run
    print(f"STADSNAV_ISOLATION_SEED={chosen}")
    return chosen


def test_each_organisation_hears_exactly_what_a_grant_of_that_moment_covers(town: Town, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - chance, not secrecy
    town.homes(HOMES)
    for organisation in ORGANISATIONS:
        town.organisation(organisation)
    rules = granted(town, invented(chance))
    acme, beta = (town.opened_partner(name, subscriptions=["#"]) for name in ORGANISATIONS)

    with acme, beta:
        say_everything(town, 1)
        settle({acme: allowed(rules, "acme", 1), beta: allowed(rules, "beta", 1)}, since={acme: 0, beta: 0})
        before = {partner: len(partner.events) for partner in (acme, beta)}
        first_round = {partner: list(partner.events) for partner in (acme, beta)}

        later = changed(town, rules, chance)
        time.sleep(WITHDRAWN_WITHIN_SECONDS)
        replies = answer_old_cases(acme, first_round[acme])
        say_everything(town, 2)
        settle({acme: allowed(later, "acme", 2), beta: allowed(later, "beta", 2)}, since=before)

    for partner in (acme, beta):
        since = partner.events[before[partner] :]
        assert heard(first_round[partner]) == allowed(rules, partner.organisation, 1)
        assert heard(since) == allowed(later, partner.organisation, 2)
        assert heard(since, "acknowledged") <= allowed(later, partner.organisation, 1)
        assert partner.elsewhere == []
    still_mine = heard(first_round[acme]) & allowed(later, "acme", 1)
    assert {case for case, is_ok in replies.items() if is_ok} == still_mine
    assert heard(beta.events, "acknowledged") == still_mine & heard(first_round[beta]) & allowed(
        later, "beta", 1
    )


def settle(expected: dict[Partner, set[str]], *, since: dict[Partner, int]) -> None:
    """Wait for what should come, then a moment for what should not."""
    wait_until(
        lambda: all(
            wanted <= heard(partner.events[since[partner] :]) for partner, wanted in expected.items()
        ),
        "both have heard what they may",
    )
    time.sleep(SETTLED_SECONDS)


def changed(town: Town, rules: list[Rule], chance: random.Random) -> list[Rule]:
    """Revoke a third of the grants and make as many others."""
    ended = chance.sample(rules, len(rules) // 3)
    town.product.ask_all(*(["grant", "revoke", rule.grant] for rule in ended))
    begun = granted(town, chance.sample(invented(chance), len(ended)))
    return [rule for rule in rules if rule not in ended] + begun


def answer_old_cases(partner: Partner, events: list[Document]) -> dict[str, bool]:
    """Acknowledge every case of the first round; whether each was let."""
    asked = {alarm_id_of(event): partner.ask("acknowledge", alarm=event["subject"]) for event in events}
    return {case: bool(partner.reply_to(request)["ok"]) for case, request in asked.items()}
