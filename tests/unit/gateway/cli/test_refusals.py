"""Which errors are answers, and which are mistakes of ours."""

from pathlib import Path

import pytest

from broker.authorities import AuthorityFileError
from gateway.cli.refusals import refusal
from gateway.settings import SettingsError
from services.domain.errors import UnknownError
from services.store.connection import StoreUnavailableError


@pytest.mark.parametrize(
    "error",
    [
        UnknownError("home", "h1"),
        StoreUnavailableError("disk full"),
        SettingsError(["city: wrong"]),
        AuthorityFileError(Path("root.pem"), problem="it is gone"),
    ],
)
def test_our_own_errors_are_answers_in_their_own_words(error: Exception) -> None:
    assert refusal(error) == str(error)


def test_a_file_that_cannot_be_reached_is_an_answer_that_names_it() -> None:
    said = refusal(PermissionError(13, "Permission denied", "/etc/shadow"))

    assert said is not None
    assert "/etc/shadow" in said
    assert "Permission denied" in said


def test_a_group_is_an_answer_when_all_of_it_is() -> None:
    known = ExceptionGroup("tasks", [UnknownError("home", "h1"), StoreUnavailableError("disk full")])
    mixed = ExceptionGroup("tasks", [UnknownError("home", "h1"), KeyError("h1")])

    assert "h1" in str(refusal(known))
    assert "disk full" in str(refusal(known))
    assert refusal(mixed) is None


@pytest.mark.parametrize("error", [KeyError("x"), ValueError("x"), OSError(98, "Address already in use")])
def test_everything_else_is_a_mistake_that_needs_its_traceback(error: Exception) -> None:
    assert refusal(error) is None
