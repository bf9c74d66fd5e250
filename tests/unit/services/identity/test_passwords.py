"""Which passwords will do, and how they are kept."""

import pytest

from services.identity import passwords
from services.identity.passwords import LONGEST, SHORTEST, WeakPasswordError

NAMES = ("anna.andersson", "Anna Andersson")


@pytest.mark.parametrize(
    "password",
    [
        "",
        "a" * (SHORTEST - 1),
        "a" * (LONGEST + 1),
        "anna.andersson",
        "Anna Andersson",
        "ANNA ANDERSSON!!",
        "anna.anderssonannaandersson",
        "long enough\nbut two lines",
    ],
)
def test_a_password_that_would_be_guessed_is_refused_without_repeating_it(password: str) -> None:
    with pytest.raises(WeakPasswordError) as caught:
        passwords.check(password, names=NAMES)

    assert not password or password not in str(caught.value)


@pytest.mark.parametrize(
    "password", ["correct horse battery", "ååååååååååååå", "111111111111", "anna likes tea!"]
)
def test_length_is_what_counts(password: str) -> None:
    passwords.check(password, names=NAMES)


def test_a_password_is_kept_as_a_slow_hash_of_its_own() -> None:
    first, second = (passwords.hashed("correct horse battery") for _ in range(2))

    assert first != second
    assert first.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert passwords.is_right(first, "correct horse battery")
    assert not passwords.is_right(first, "correct horse battery ")


@pytest.mark.parametrize("kept", [None, "", "no hash", "$argon2id$broken"])
def test_nobodys_password_is_right_for_nothing(kept: str | None) -> None:
    assert not passwords.is_right(kept, "the password of nobody")


def test_what_no_bytes_can_say_is_a_wrong_password() -> None:
    assert not passwords.is_right(passwords.hashed("correct horse battery"), "\ud800")
