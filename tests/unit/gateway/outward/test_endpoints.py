"""One receiver has its places, and takes nobody else's."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from gateway.outward.endpoints import AT_ONCE, REST_SECONDS, SLOW_AFTER_SECONDS, Endpoint, Endpoints
from services.domain.ids import OrganisationId
from services.domain.subscriptions import (
    ChannelName,
    Payload,
    Signature,
    SigningSecret,
    Subscription,
    SubscriptionId,
    SubscriptionState,
    Webhook,
)
from services.residents import UnreadableSealError
from tests.support.clock import START
from tests.support.outward import OpenSealer

SECRET: Final = b"s" * 32
A_DAY: Final = timedelta(days=1)


def subscription(organisation_id: str = "acme", url: str = "https://acme.example.org/") -> Subscription:
    id_ = SubscriptionId(f"s-{organisation_id}")
    return Subscription(
        id=id_,
        organisation_id=OrganisationId(organisation_id),
        channel=ChannelName.WEBHOOK,
        state=SubscriptionState.LIVE,
        after=timedelta(0),
        created_at=START,
        webhook=Webhook(
            url=url,
            payload=Payload.FULL,
            signature=Signature.HMAC,
            secret=SigningSecret(sealed=OpenSealer().seal(SECRET, about=id_)),
        ),
    )


class Watch:
    """Time that stands still between two steps."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def endpoints(watch: Watch) -> Endpoints:
    """``acme`` and ``beta``, of whom nothing is known yet."""
    made = Endpoints(OpenSealer(), monotonic_s=watch)
    made.follow([subscription(), subscription("beta")], now=START)
    return made


def places(endpoints: Endpoints, organisation_id: str = "acme") -> int:
    return endpoints.room()[organisation_id].places


def of(endpoints: Endpoints, organisation_id: str = "acme") -> Endpoint:
    found = endpoints.of(organisation_id)
    assert found is not None
    return found


def end(endpoints: Endpoints, delivery_id: str, *, was_reached: bool = True) -> None:
    endpoints.end(of(endpoints), delivery_id, was_reached=was_reached, at=START)


def test_one_request_at_a_time_and_others_are_not_concerned(endpoints: Endpoints) -> None:
    before = places(endpoints)
    endpoints.begin(of(endpoints), "d-1")
    during = places(endpoints), places(endpoints, "beta")
    end(endpoints, "d-1")

    assert (before, during, places(endpoints)) == (1, (0, 1), 1)


def test_who_has_caught_up_is_leased_some_ahead(endpoints: Endpoints) -> None:
    endpoints.caught_up("acme")
    idle = places(endpoints)
    endpoints.begin(of(endpoints), "d-1")

    assert (idle, places(endpoints)) == (AT_ONCE, 0)


def test_what_hangs_lets_one_more_by_each_second_up_to_four(endpoints: Endpoints, watch: Watch) -> None:
    begun = 0
    for _ in range(10):
        if places(endpoints):
            begun += 1
            endpoints.begin(of(endpoints), f"d-{begun}")
        assert places(endpoints) == 0
        watch.now_s += SLOW_AFTER_SECONDS + 0.01

    assert begun == AT_ONCE


def test_it_knows_when_time_alone_makes_a_place(endpoints: Endpoints, watch: Watch) -> None:
    assert endpoints.next_place_in() is None
    endpoints.begin(of(endpoints), "d-1")
    watch.now_s += 0.25

    assert endpoints.next_place_in() == pytest.approx(SLOW_AFTER_SECONDS - 0.25)


def test_one_that_cannot_be_reached_rests_and_then_has_one_place(endpoints: Endpoints, watch: Watch) -> None:
    endpoints.begin(of(endpoints), "d-1")
    end(endpoints, "d-1", was_reached=False)
    at_once = places(endpoints)
    watch.now_s += REST_SECONDS
    rested = places(endpoints)
    endpoints.begin(of(endpoints), "d-1")
    watch.now_s += SLOW_AFTER_SECONDS + 1

    assert (at_once, rested, places(endpoints)) == (0, 1, 0)


def test_it_is_tried_again_after_waits_that_grow_until_it_is_reached(
    endpoints: Endpoints, watch: Watch
) -> None:
    waits = []
    for _ in range(8):
        endpoints.begin(of(endpoints), "d-1")
        end(endpoints, "d-1", was_reached=False)
        catch_up = endpoints.room()["acme"].catch_up
        assert catch_up is not None
        assert catch_up.again_at is not None
        waits.append((catch_up.again_at - START).total_seconds())
        watch.now_s += 60
    endpoints.begin(of(endpoints), "d-1")
    end(endpoints, "d-1")
    catch_up = endpoints.room()["acme"].catch_up

    assert waits == [1, 2, 5, 10, 20, 30, 30, 30]
    assert catch_up is not None  # what was missed comes first
    assert (catch_up.failed_at, of(endpoints).failures) == (None, 0)


def test_who_is_not_live_any_more_has_no_place(endpoints: Endpoints) -> None:
    endpoints.follow([subscription("beta")], now=START)

    assert set(endpoints.room()) == {"beta"}
    assert endpoints.of("acme") is None


def test_a_new_secret_is_used_at_once_and_what_is_under_way_still_counts(endpoints: Endpoints) -> None:
    endpoints.begin(of(endpoints), "d-1")
    known = subscription()
    assert known.webhook is not None
    secret = SigningSecret(
        sealed=OpenSealer().seal(b"n" * 32, about=known.id),
        old_sealed=known.webhook.secret.sealed,
        old_until=START + A_DAY,
    )
    rotated = replace(known, webhook=replace(known.webhook, secret=secret))

    endpoints.follow([rotated], now=START)
    both = of(endpoints).signer.secrets
    endpoints.follow([rotated], now=START + A_DAY)

    assert (both, of(endpoints).signer.secrets) == ((b"n" * 32, SECRET), (b"n" * 32,))
    assert places(endpoints) == 0


def test_another_address_begins_anew(endpoints: Endpoints) -> None:
    endpoints.begin(of(endpoints), "d-1")
    end(endpoints, "d-1", was_reached=False)

    endpoints.follow([subscription(url="https://new.example.org/")], now=START)

    assert places(endpoints) == 1


def test_a_secret_that_cannot_be_read_closes_that_one_receiver_alone(watch: Watch) -> None:
    class Torn(OpenSealer):
        def unseal(self, sealed: bytes, *, about: str) -> bytes:
            if about == "s-acme":
                raise UnreadableSealError(about, key="k1")
            return super().unseal(sealed, about=about)

    endpoints = Endpoints(Torn(), monotonic_s=watch)
    endpoints.follow([subscription(), subscription("beta")], now=START)

    assert set(endpoints.room()) == {"beta"}
