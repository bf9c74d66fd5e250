"""Alarms from a whole town, answers from its partners, and kill -9 in between, all from one seed.

Rules      who may know what: the town's grants, which the ledgers are judged by
Storm      raises alarms at a steady pace, and kills the alarm process or the broker every second or two
"""

import random
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Final

import psutil

from tests.acceptance.peers import Home, Partner, Reaction, confirms, stays_silent
from tests.acceptance.programs import Document
from tests.acceptance.town import Town
from tests.support.product import eventually, wait_until

DEVICES_PER_HOME: Final = 3
KINDS: Final = (
    "safety.manual",
    "safety.fall",
    "safety.inactivity",
    "care.bed_exit",
    "care.door",
    "fire.stove",
)
STEP_WITHIN_SECONDS: Final = 2
AT_ONCE: Final = 400
"""Alarms without a receipt at which the town waits: nobody there presses faster than it is heard."""

KILLED: Final = ("alarm", "alarm", "alarm", "broker", "broker")
KILL_AFTER_SECONDS: Final = (0.6, 1.8)
KILLS_AT_MOST: Final = 26
"""Then the rest of the alarms goes through undisturbed: pauses before a restart grow with each."""

TICK_SECONDS: Final = 0.01
DRAINED_WITHIN_SECONDS: Final = 60.0

HOMES: Final = tuple(f"home-{number:02d}" for number in range(20))


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """One organisation may know one class of some homes."""

    organisation: str
    homes: Sequence[str]
    data_class: str
    step: int = 1


RULES: Final = (
    Right(organisation="acme", homes=HOMES[:10], data_class="safety"),
    Right(organisation="acme", homes=HOMES[:5], data_class="fire"),
    Right(organisation="beta", homes=HOMES[7:18], data_class="safety"),
    Right(organisation="beta", homes=HOMES[10:], data_class="care"),
    Right(organisation="mute", homes=HOMES[18:], data_class="safety"),
    Right(organisation="acme", homes=HOMES[18:], data_class="safety", step=2),
)
CITY: Final = "malmo"
NOSY: Final = "nosy"
PARTNERS: Final = ("acme", "beta", "mute", CITY, NOSY)
EVERYTHING: Final = ("#", "care/#", "care/acme/event", "up/#", "down/#", "$SYS/#")


def granted(home: str, data_class: str, *, step: int = 1) -> set[str]:
    """Who may know, at a step of the response chain."""
    return {
        right.organisation
        for right in RULES
        if home in right.homes and right.data_class == data_class and right.step <= step
    }


def registered(town: Town) -> None:
    """Register the homes, the organisations and the grants."""
    town.hub_homes({home: devices_of(home) for home in HOMES})
    for organisation in PARTNERS:
        town.organisation(organisation, kind="city" if organisation == CITY else "care")
    for right in RULES:
        wanted = [(right.organisation, home, right.data_class) for home in right.homes]
        town.grants(*wanted, step=right.step, within=STEP_WITHIN_SECONDS)


def devices_of(home: str) -> tuple[str, ...]:
    return tuple(f"{home}-p{number}" for number in range(DEVICES_PER_HOME))


def answers_some(seed: int, share: float) -> Reaction:
    """Confirm everything, and deal with a share of the alarms: acknowledge, then close."""

    def react(partner: Partner, event: Document) -> None:
        confirms(partner, event)
        is_first = partner.times_seen[event["id"]] == 1
        is_chosen = is_first and zlib.crc32(f"{seed} {event['subject']}".encode()) % 1_000 < share * 1_000
        match event["type"].split(".")[3]:
            case "raised" | "repeated" | "escalated" if is_chosen:
                partner.ask("acknowledge", alarm=event["subject"], by=f"operator of {partner.organisation}")
            case "acknowledged" if is_chosen:
                partner.ask("close", alarm=event["subject"], by=f"operator of {partner.organisation}")

    return react


@dataclass(slots=True, kw_only=True)
class Storm:
    """A run, with its peers and what was done to the product."""

    town: Town
    seed: int
    homes: list[Home]
    partners: dict[str, Partner]
    killed: list[str] = field(default_factory=list)

    def blow(self, *, alarms: int, per_second: float) -> None:
        """Raise so many alarms at about this pace, with kills all the while."""
        chance = random.Random(self.seed)  # noqa: S311 - chance, not secrecy
        kills_at = time.monotonic() + chance.uniform(*KILL_AFTER_SECONDS)
        started_at, raised = time.monotonic(), 0
        while raised < alarms:
            now = time.monotonic()
            if now > kills_at and self._killed_something(chance):
                kills_at = now + chance.uniform(*KILL_AFTER_SECONDS)
            if raised < (now - started_at) * per_second and self.unreceipted() < AT_ONCE:
                self._raise(chance, raised)
                raised += 1
            else:
                time.sleep(TICK_SECONDS)

    def drain(self) -> None:
        """Return when every home has its receipts and the talkative partners have said all they had to."""
        wait_until(
            lambda: self.unreceipted() == 0,
            "every alarm has a receipt",
            within_seconds=DRAINED_WITHIN_SECONDS,
        )
        talkative = [self.partners[name] for name in ("acme", "beta", CITY)]
        wait_until(
            lambda: not any(partner.unanswered for partner in talkative),
            lambda: f"every action has its reply, now {[partner.unanswered for partner in talkative]}",
            within_seconds=DRAINED_WITHIN_SECONDS,
        )
        eventually(
            self._has_nothing_unsettled,
            "every talkative partner has confirmed all it was sent",
            within_seconds=DRAINED_WITHIN_SECONDS,
        )

    def unreceipted(self) -> int:
        return sum(len(home.unanswered) for home in self.homes)

    def _raise(self, chance: random.Random, number: int) -> None:
        home = chance.choice(self.homes)
        device = chance.choice(devices_of(home.client_id.removeprefix("hub-")))
        home.raise_alarm(device, f"{device}-{number}", chance.choice(KINDS), text=f"press {number}")

    def _killed_something(self, chance: random.Random) -> bool:
        """kill -9, when the chosen process runs at this moment."""
        if len(self.killed) >= KILLS_AT_MOST:
            return False
        name = chance.choice(KILLED)
        process = self.town.product.find(name)
        if process is None:
            return False
        try:
            process.kill()
        except psutil.NoSuchProcess:
            return False
        self.killed.append(name)
        return True

    def _has_nothing_unsettled(self) -> bool:
        rows = self.town.product.ask("delivery", "list", "--limit", "1000000")
        return not any(row["state"] in {"pending", "sent"} and row["org"] != "mute" for row in rows)


@contextmanager
def gathered(town: Town, seed: int) -> Iterator[Storm]:
    """Every home and partner, connected."""
    reactions = {
        "acme": answers_some(seed, 0.5),
        "beta": answers_some(seed + 1, 0.3),
        "mute": stays_silent,
        CITY: confirms,
        NOSY: confirms,
    }
    with ExitStack() as stack:
        homes = [stack.enter_context(town.opened_home(f"hub-{home}")) for home in HOMES]
        partners = {
            name: stack.enter_context(
                town.opened_partner(name, reaction=reaction, subscriptions=EVERYTHING if name == NOSY else ())
            )
            for name, reaction in reactions.items()
        }
        yield Storm(town=town, seed=seed, homes=homes, partners=partners)
