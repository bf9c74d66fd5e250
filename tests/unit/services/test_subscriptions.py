"""Subscriptions: kept by the organisation itself, tried before they are live, never the last way closed."""

import base64
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services import subscriptions
from services.domain.actors import Actor, NotPermittedError, Role
from services.domain.errors import ExistsError, InvalidError, UnknownError
from services.domain.subscribing import LastWayError, NoTrialError, NotTriedError, checked_url
from services.domain.subscriptions import ChannelName, Subscription, SubscriptionState
from services.store import audit, overview, status
from services.store import subscriptions as rows
from services.store.connection import Connection
from services.subscriptions import FAILING, OLD_SECRET_FOR, Change, Issued, NewSubscription
from tests.support.household import ACME, ACME_OPERATOR, BETA
from tests.support.outward import OPERATOR, OpenSealer
from tests.support.town import Town

T = TypeVar("T")

URL = "https://hook.example.org/stadsnav"
HOOK = NewSubscription(organisation_id="acme", channel="webhook", url=URL)
SECOND = timedelta(seconds=1)


def add(town: Town, new: NewSubscription = HOOK, actor: Actor = ACME) -> Issued:
    return town.write(partial(subscriptions.add, new=new, sealer=OpenSealer(), actor=actor, now=town.now))


def change(town: Town, which: Subscription, actor: Actor = ACME, **wanted: object) -> Subscription:
    work = partial(
        subscriptions.change,
        subscription_id=which.id,
        wanted=Change(**wanted),  # type: ignore[arg-type]
        actor=actor,
        now=town.now,
    )
    return town.write(work)


def try_out(town: Town, which: Subscription, *, problem: str = "", url: str = URL) -> Subscription:
    """Ask for a ping and have it answered."""
    ping = town.write(partial(subscriptions.request_ping, subscription_id=which.id, actor=ACME, now=town.now))
    answer = partial(subscriptions.ping_answered, ping=ping, problem=problem, url=url, now=town.now)
    town.write(answer)
    found = rows.get(town.connection, which.id)
    assert found is not None
    return found


def of(town: Town, channel: ChannelName) -> Subscription:
    found = rows.of(town.connection, "acme", channel)
    assert found is not None
    return found


def test_everybody_is_told_over_mqtt_who_says_nothing_else(town: Town) -> None:
    assert rows.live_channels(town.connection, "acme") == [("mqtt", timedelta(0))]


def test_a_webhook_is_a_trial_until_it_has_answered_a_ping(town: Town) -> None:
    added = add(town).subscription

    failed = try_out(town, added, problem="the answer was 500")
    answered = try_out(town, added)

    assert [one.state for one in (added, failed, answered)] == ["trial", "trial", "live"]
    last = rows.last_ping(town.connection, added.id)
    assert last is not None
    assert (last.is_ok, last.answered_at) == (True, town.now)


def test_a_ping_at_an_address_that_was_changed_meanwhile_proves_nothing(town: Town) -> None:
    added = add(town).subscription
    change(town, added, url="https://elsewhere.example.org/")

    assert try_out(town, added, url=URL).state is SubscriptionState.TRIAL


def test_another_address_is_a_trial_again_and_ends_the_old_ones_fault(town: Town) -> None:
    live = try_out(town, add(town).subscription)
    town.write(lambda c: rows.note_attempt(c, live.id, failing_since=town.now, problem="no connection"))
    town.write(lambda c: status.open_fault(c, FAILING, live.id, "it fails", at=town.now))

    changed = change(town, live, url="https://elsewhere.example.org/")

    assert (changed.state, changed.failing_since, changed.problem) == (SubscriptionState.TRIAL, None, "")
    assert status.open_faults(town.connection) == []


def test_asking_twice_makes_one_ping(town: Town) -> None:
    added = add(town).subscription
    ask = partial(subscriptions.request_ping, subscription_id=added.id, actor=ACME, now=town.now)

    assert town.write(ask) == town.write(ask)
    assert len(rows.pings_to_send(town.connection, limit=10)) == 1


def test_a_webhook_goes_live_by_a_ping_alone(town: Town) -> None:
    added = add(town).subscription

    with pytest.raises(NotTriedError):
        change(town, added, state="live")
    with pytest.raises(InvalidError, match="live or paused"):
        change(town, try_out(town, added), state="trial")


def test_the_last_way_that_tells_at_once_stays_open(town: Town) -> None:
    mqtt = of(town, ChannelName.MQTT)
    closings: list[Callable[[], object]] = [
        lambda: change(town, mqtt, state="paused"),
        lambda: change(town, mqtt, after=20 * SECOND),
        lambda: town.write(partial(subscriptions.remove, subscription_id=mqtt.id, actor=ACME, now=town.now)),
    ]
    hook = add(town).subscription  # a trial is no way yet

    for close in closings:
        with pytest.raises(LastWayError):
            close()
    try_out(town, hook)
    change(town, mqtt, state="paused")

    with pytest.raises(LastWayError):
        change(town, hook, state="paused")
    assert rows.live_channels(town.connection, "acme") == [("webhook", timedelta(0))]


def test_what_waits_for_a_channel_that_is_removed_is_not_sent(town: Town) -> None:
    town.grant("acme")
    hook = try_out(town, add(town).subscription)
    town.press()

    town.write(partial(subscriptions.remove, subscription_id=hook.id, actor=ACME, now=town.now))

    found = overview.deliveries(town.connection, organisation_id="acme", limit=10)
    assert {one.channel: one.state for one in found} == {"mqtt": "sent", "webhook": "superseded"}
    assert rows.last_ping(town.connection, hook.id) is None


def test_the_key_is_shown_once_and_kept_sealed(town: Town) -> None:
    issued = add(town)
    webhook = issued.subscription.webhook
    assert webhook is not None
    assert issued.key is not None

    secret = OpenSealer().unseal(webhook.secret.sealed, about=issued.subscription.id)

    assert issued.key == "whsec_" + base64.b64encode(secret).decode()
    assert len(secret) == 32
    assert issued.key not in repr(issued)
    assert issued.key not in repr(rows.get(town.connection, issued.subscription.id))


def test_who_asks_for_ed25519_keeps_a_public_key_only(town: Town) -> None:
    issued = add(town, replace(HOOK, signature="ed25519"))

    assert issued.key is not None
    assert issued.key.startswith("whpk_")
    webhook = issued.subscription.webhook
    assert webhook is not None
    assert base64.b64decode(issued.key.removeprefix("whpk_")) not in webhook.secret.sealed


def test_after_a_rotation_both_secrets_are_kept_for_a_day(town: Town) -> None:
    before = add(town).subscription
    rotate = partial(
        subscriptions.rotate_secret,
        subscription_id=before.id,
        sealer=OpenSealer(),
        actor=ACME,
        now=town.now,
    )

    after = town.write(rotate).subscription.webhook

    assert before.webhook is not None
    assert after is not None
    assert after.secret.old_sealed == before.webhook.secret.sealed
    assert after.secret.sealed != before.webhook.secret.sealed
    assert after.secret.old_until == town.now + OLD_SECRET_FOR


def every_use(town: Town, which: str, actor: Actor) -> list[Callable[[Connection], object]]:
    common = {"subscription_id": which, "actor": actor}
    return [
        partial(subscriptions.change, wanted=Change(after=SECOND), now=town.now, **common),  # type: ignore[arg-type]
        partial(subscriptions.rotate_secret, sealer=OpenSealer(), now=town.now, **common),  # type: ignore[arg-type]
        partial(subscriptions.remove, now=town.now, **common),  # type: ignore[arg-type]
        partial(subscriptions.request_ping, now=town.now, **common),  # type: ignore[arg-type]
    ]


@pytest.mark.parametrize(
    "stranger",
    [BETA, replace(BETA, is_city=True, roles=frozenset({Role.CARE_ADMIN}))],
    ids=["another organisation", "the city's own care staff"],
)
def test_what_is_anothers_is_answered_like_what_never_was(town: Town, stranger: Actor) -> None:
    hook = add(town).subscription

    for foreign, never in zip(
        every_use(town, hook.id, stranger), every_use(town, "s-0", stranger), strict=True
    ):
        with pytest.raises(UnknownError) as one:
            town.write(foreign)
        with pytest.raises(UnknownError) as other:
            town.write(never)
        assert str(one.value).replace(hook.id, "s-0") == str(other.value)
    with pytest.raises(UnknownError):
        add(town, replace(HOOK, channel="stream", url=None), actor=stranger)


def test_who_may_only_answer_alarms_changes_nothing(town: Town) -> None:
    hook = add(town).subscription

    for use in every_use(town, hook.id, ACME_OPERATOR):
        with pytest.raises(NotPermittedError):
            town.write(use)


def test_the_citys_administrators_keep_everybodys(town: Town) -> None:
    hook = add(town, actor=OPERATOR).subscription

    assert change(town, hook, actor=OPERATOR, after=20 * SECOND).after == 20 * SECOND


def test_one_channel_is_subscribed_to_once(town: Town) -> None:
    add(town)

    with pytest.raises(ExistsError):
        add(town)


@pytest.mark.parametrize(
    "url",
    [
        "",
        None,
        "hook.example.org",
        "ftp://hook.example.org/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:25/",
        "https://",
        "https://user:password@hook.example.org/",
        "https://user@hook.example.org/",
        "https://@hook.example.org/",
        "https://hook.example.org/#part",
        "https://hook.example.org:0/",
        "https://hook.example.org:99999/",
        "https://hook.example.org/\nHost: other",
        "https://hook.example.org\\@127.0.0.1/",
        "https://hook.example.org/a b",
        "https://hööks.example.org/",
        "https://127。0。0。1/",
        "https://[::1/",
        "https://hook.example.org/" + "x" * 500,
    ],
)
def test_an_address_that_cannot_be_one_is_refused(town: Town, url: str | None) -> None:
    with pytest.raises(InvalidError):
        add(town, replace(HOOK, url=url))


@pytest.mark.parametrize("url", [URL, "http://10.1.2.3:8080/", "https://xn--hks-snaa.example.org:8443/a?b=c"])
def test_where_an_address_leads_is_judged_at_each_connection_and_not_by_its_form(url: str) -> None:
    assert checked_url(url) == url


@given(url=st.text(max_size=60))
def test_any_text_is_an_address_or_refused(url: str) -> None:
    with suppress(InvalidError):
        assert checked_url(url) == url


def test_only_a_webhook_has_an_address_and_a_secret(town: Town) -> None:
    mqtt = of(town, ChannelName.MQTT)

    with pytest.raises(InvalidError, match="only a webhook"):
        add(town, replace(HOOK, channel="stream"))
    with pytest.raises(NoTrialError):
        change(town, mqtt, url=URL)
    with pytest.raises(NoTrialError):
        town.write(every_use(town, mqtt.id, ACME)[3])


@pytest.mark.parametrize("after", [-SECOND, timedelta(hours=1) + SECOND])
def test_a_second_channel_waits_an_hour_at_most(town: Town, after: timedelta) -> None:
    with pytest.raises(InvalidError):
        add(town, replace(HOOK, after=after))


def test_whoever_listens_to_the_stream_subscribes_to_it_once(town: Town) -> None:
    listen = partial(subscriptions.listen, organisation_id=ACME.organisation_id, actor=ACME, now=town.now)

    town.write(listen)
    town.write(listen)

    assert of(town, ChannelName.STREAM).state is SubscriptionState.LIVE
    logged = [row.action for row in audit.entries(town.connection)]
    assert logged.count("subscription_added") == 1


def test_every_change_is_logged_with_who_made_it(town: Town) -> None:
    hook = try_out(town, add(town).subscription)
    change(town, hook, state="paused")
    for use in every_use(town, hook.id, ACME)[:3]:
        town.write(use)

    logged = [(row.action, row.actor) for row in audit.entries(town.connection) if row.subject == hook.id]

    assert [action for action, _ in logged] == [
        "subscription_added",
        "subscription_pinged",
        "subscription_changed",
        "subscription_changed",
        "subscription_secret_rotated",
        "subscription_removed",
    ]
    assert {actor for _, actor in logged} == {ACME.id}
