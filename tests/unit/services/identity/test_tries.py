"""How long to wait after signing in in vain: longer each time, bounded, and not for the owner elsewhere."""

from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity import tries
from services.identity.tries import OF_NAME, OF_NETWORK, OF_PAIR, Patience, TooManyTriesError, Try
from tests.support.town import Town

HOME = Try(login="anna", address="192.0.2.1")


def fail(town: Town, tried: Try = HOME) -> timedelta:
    """Try in vain; returns how long to wait when it comes too soon, else zero."""
    try:
        town.write(partial(tries.count, tried=tried, now=town.now))
    except TooManyTriesError as error:
        return error.wait
    return timedelta(0)


@given(
    patience=st.sampled_from([OF_PAIR, OF_NETWORK, OF_NAME]),
    failures=st.integers(min_value=0, max_value=10**6),
)
def test_waits_never_shrink_and_are_bounded(patience: Patience, failures: int) -> None:
    wait, next_ = patience.wait_after(failures), patience.wait_after(failures + 1)

    assert timedelta(0) <= wait <= next_ <= patience.longest


def test_some_tries_are_free_then_each_must_wait_twice_as_long(town: Town) -> None:
    waits = []
    for _ in range(9):
        waits.append(wait := fail(town).total_seconds())
        if wait:
            town.clock.advance(timedelta(seconds=wait))
            assert fail(town) == timedelta(0)

    assert waits == [0, 0, 0, 1, 2, 4, 8, 16, 32]


def test_a_try_that_comes_too_soon_does_not_count(town: Town) -> None:
    for _ in range(3):
        fail(town)

    assert {fail(town) for _ in range(50)} == {timedelta(seconds=1)}


def test_success_forgives_the_one_who_succeeds_and_nobody_else(town: Town) -> None:
    for _ in range(3):
        fail(town)
    other = Try(login="bo", address=HOME.address)
    for _ in range(3):
        fail(town, other)
    town.clock.advance(timedelta(seconds=1))

    fail(town)
    town.write(partial(tries.succeeded, tried=HOME, now=town.now))

    assert fail(town) == timedelta(0)
    fail(town, other)
    assert fail(town, other) > timedelta(0)


def test_a_network_that_tries_many_names_must_wait(town: Town) -> None:
    waits = [fail(town, Try(login=f"name-{number}", address=HOME.address)) for number in range(25)]

    assert waits[:20] == [timedelta(0)] * 20
    assert all(waits[20:])
    assert fail(town, Try(login="new", address="192.0.2.2")) == timedelta(0)


def test_one_customers_ipv6_addresses_are_one_network(town: Town) -> None:
    for number in range(20):
        fail(town, Try(login=f"name-{number}", address=f"2001:db8::{number:x}"))

    assert fail(town, Try(login="new", address="2001:db8::ffff")) > timedelta(0)
    assert fail(town, Try(login="new", address="2001:db8:0:1::1")) == timedelta(0)


def test_a_name_that_many_networks_guess_at_is_slowed_but_not_where_its_owner_is(town: Town) -> None:
    town.write(partial(tries.succeeded, tried=HOME, now=town.now))
    elsewhere = [Try(login="anna", address=f"198.51.100.{number}") for number in range(15)]

    waits = [fail(town, tried) for tried in elsewhere]

    assert all(waits[10:])
    assert max(waits) <= OF_NAME.longest
    assert fail(town, HOME) == timedelta(0)


def test_after_a_quiet_day_nothing_is_held_against_anybody(town: Town) -> None:
    for _ in range(3):
        fail(town)
    town.clock.advance(timedelta(days=1, seconds=1))

    assert [fail(town) for _ in range(3)] == [timedelta(0)] * 3


def test_neither_names_nor_addresses_are_kept(town: Town) -> None:
    fail(town, Try(login="my-password-typed-here", address="192.0.2.99"))

    kept = repr(town.connection.rows("SELECT * FROM sign_in_tries"))

    assert "password" not in kept
    assert "192.0.2" not in kept


def test_refusals_are_logged_a_bounded_number_of_times_a_minute(town: Town) -> None:
    def logged(times: int) -> int:
        ask = partial(tries.is_refusal_to_log, now=town.now)
        return sum(town.write(ask) for _ in range(times))

    assert logged(100) == tries.LOGGED
    town.clock.advance(timedelta(minutes=1))
    assert logged(100) == tries.LOGGED


@pytest.mark.parametrize("address", ["", "unix", "::ffff:192.0.2.1"])
def test_any_address_will_do(town: Town, address: str) -> None:
    assert fail(town, Try(login="anna", address=address)) == timedelta(0)
