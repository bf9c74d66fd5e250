"""What the store tells: does every alarm have a next step, do deliveries arrive, can everyone be told?"""

from datetime import datetime, timedelta
from typing import Final

import apsw

from devices.kinds import DataClass
from gateway.doctor.check import Check, broken, watch, well
from services.domain.subscriptions import ChannelName, Subscription
from services.quarantine import Outcome
from services.store import events, overview, registry, status, subscriptions
from services.store.connection import Connection, from_micros
from services.supervision import auditor

AUDITOR_FRESH: Final = timedelta(seconds=30)
DELIVERED_WITHIN: Final = timedelta(seconds=60)
QUARANTINE_WINDOW: Final = timedelta(hours=24)
NAMED: Final = 3
"""How many of a long list are named."""

GRAVE: Final = frozenset({auditor.NO_NEXT_STEP, auditor.LATE_TIMER})
"""Faults with which an alarm may go unheard."""


def sqlite_version() -> str:
    """Of the library that we bring along."""
    return apsw.sqlite_lib_version()


def auditor_is_fresh(store: Connection, *, now: datetime, is_running: bool) -> list[Check]:
    """Whether somebody watches the alarm path itself."""
    if not is_running:
        return []
    age = now - from_micros(events.counter(store, auditor.AUDITED_AT))
    if age < AUDITOR_FRESH:
        return [well("auditor", f"looked {max(age.total_seconds(), 0):.0f} s ago")]
    mend = "the alarm process hangs or cannot write: see its log and the disk"
    return [broken("auditor", "has not looked for half a minute", mend)]


def next_steps(store: Connection, *, now: datetime) -> list[Check]:
    """Whether every open alarm has a next step, by a look of our own."""
    found = auditor.look(store, now=now)
    if found.without_next_step or found.late:
        text = f"{len(found.without_next_step)} open alarms have none, {len(found.late)} timers are late"
        mend = "call the homes yourself, see `stadsnav alarm list --open`; the product must run to go on"
        return [broken("next steps", text, mend)]
    return [well("next steps", "every open alarm has one")]


def faults(store: Connection) -> list[Check]:
    """What the product itself has found wrong and not seen mended."""
    found = status.open_faults(store)
    if not found:
        return [well("faults", "none is open")]
    text = f"{len(found)} open; first: " + "; ".join(fault.message for fault in found[:NAMED])
    mend = "each says what it is about; see `stadsnav event list` and the log"
    grave = any(fault.code in GRAVE for fault in found)
    return [broken("faults", text, mend) if grave else watch("faults", text, mend)]


def unanswered(store: Connection, *, now: datetime) -> list[Check]:
    """Whether open alarms wait for somebody."""
    count, oldest = overview.unanswered_alarms(store)
    if oldest is None:
        return [well("open alarms", "none waits for an answer")]
    minutes = (now - oldest) // timedelta(minutes=1)
    found = f"{count} without an answer, the oldest for {minutes} minutes"
    return [watch("open alarms", found, "see `stadsnav alarm list --open`; call the providers")]


def deliveries(store: Connection, *, now: datetime) -> list[Check]:
    """Whether receivers confirm what they are told."""
    count = overview.waiting_deliveries(store, since=now - DELIVERED_WITHIN)
    if not count:
        return [well("deliveries", "all confirmed within a minute")]
    mend = "see `stadsnav delivery list`: is the receiver connected, does it send `received`?"
    return [watch("deliveries", f"{count} unconfirmed for more than a minute", mend)]


def webhooks(store: Connection, *, now: datetime) -> list[Check]:
    """Which receivers do not take what they are sent; nothing when nobody has a webhook."""
    live = subscriptions.live(store, ChannelName.WEBHOOK)
    failing = [one for one in live if one.failing_since is not None]
    if not failing:
        return [well("webhooks", f"{len(live)}, none fails")] if live else []
    named = "; ".join(_failing(one, now=now) for one in failing[:NAMED])
    mend = "its receiver must mend that; see `stadsnav subscription list`, try it with `subscription ping`"
    return [watch("webhooks", f"{len(failing)} of {len(live)} fail: {named}", mend)]


def _failing(subscription: Subscription, *, now: datetime) -> str:
    assert subscription.failing_since is not None  # noqa: S101 - only such are asked for
    minutes = (now - subscription.failing_since) // timedelta(minutes=1)
    return f"{subscription.organisation_id} for {minutes} minutes, {subscription.problem}"


def quarantine(store: Connection, *, now: datetime, name: str = "quarantine") -> list[Check]:
    """Whether homes send what cannot be taken; each of the two databases keeps its own."""
    count = overview.quarantined(store, since=now - QUARANTINE_WINDOW)
    if not count:
        return [well(name, "nothing in 24 hours")]
    found = f"{count} messages could not be taken in 24 hours"
    return [watch(name, found, "see `stadsnav quarantine list` for the reasons")]


def counters(store: Connection) -> list[Check]:
    """Whether received = stored + duplicate + quarantined, for every lane."""
    kept = events.counters(store)
    lanes = sorted(name.removesuffix("_received") for name in kept if name.endswith("_received"))
    return [_balance(lane, kept) for lane in lanes]


def city(store: Connection) -> list[Check]:
    """Whether somebody hears of what nobody answers."""
    cities = registry.cities(store)
    if cities:
        return [well("city organisation", ", ".join(cities))]
    mend = "add one: `stadsnav org add city --kind city`"
    return [watch("city organisation", "none: an alarm that nobody answers is told to nobody", mend)]


def homes_without_grant(store: Connection, *, now: datetime) -> list[Check]:
    """Whether there are homes whose call for help reaches no provider."""
    homes = overview.homes_without_grant(store, DataClass.SAFETY, at=now)
    if not homes:
        return [well("safety grants", "every home with a device has one")]
    found = f"{len(homes)} homes with devices have none; first: {', '.join(homes[:NAMED])}"
    mend = "add them: `stadsnav grant add --class safety …`; until then the city alone is told"
    return [watch("safety grants", found, mend)]


def _balance(lane: str, kept: dict[str, int]) -> Check:
    received = kept[f"{lane}_received"]
    parts = {outcome: kept.get(f"{lane}_{outcome}", 0) for outcome in Outcome}
    found = f"received {received} = " + " + ".join(f"{name} {count}" for name, count in parts.items())
    if received == sum(parts.values()):
        return well(f"counters {lane}", found)
    mend = "a message was lost or counted twice: keep the data folder and report it"
    return broken(f"counters {lane}", found.replace(" = ", " is not ", 1), mend)
