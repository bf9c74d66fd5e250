"""``stadsnav account`` and ``org client``: people and machines, made by whoever is on the machine."""

import io
import sys
from typing import Any

import pytest

from services.store import accounts as rows
from services.store.sqlite import SqliteConnection
from tests.support.product import Product

pytestmark = pytest.mark.usefixtures("folk")

PASSWORD = "correct horse battery"  # noqa: S105 - a test's


@pytest.fixture(autouse=True)
def _typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command finds the password on its stdin."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSWORD}\n" * 9))


def add(stadsnav: Product, login: str = "anna", role: str = "care-admin", *more: str) -> Any:
    return stadsnav.ask("account", "add", login, "--org", "acme", "--role", role, *more)


def test_an_account_is_made_with_a_password_that_nothing_shows(
    stadsnav: Product, store: SqliteConnection
) -> None:
    made = add(stadsnav, "anna", "care-admin", "--name", "Anna A")

    assert (made["login"], made["name"], made["org"], made["roles"]) == (
        "anna",
        "Anna A",
        "acme",
        ["care-admin"],
    )
    assert stadsnav.ask("account", "list", "--org", "acme") == [made]
    assert (rows.password_hash(store, made["id"]) or "").startswith("$argon2id$")
    assert PASSWORD.encode() not in b"".join(path.read_bytes() for path in stadsnav.folder.glob("*.db*"))


def test_a_second_factor_is_shown_once_and_kept_sealed(stadsnav: Product, store: SqliteConnection) -> None:
    made = add(stadsnav)

    enrolled = stadsnav.ask("account", "totp", "anna")
    shown = stadsnav.ask("account", "show", "anna")

    assert (shown["totp"], shown["recovery_codes"]) == (True, len(enrolled["recovery_codes"]))
    assert enrolled["secret"].encode() not in (rows.totp_secret(store, made["id"]) or b"")
    assert enrolled["secret"] not in str(shown)
    assert not stadsnav.ask("account", "totp", "anna", "--remove")["totp"]


def test_people_are_suspended_resumed_and_given_other_roles(stadsnav: Product) -> None:
    add(stadsnav)

    assert stadsnav.ask("account", "suspend", "anna")["state"] == "suspended"
    assert stadsnav.ask("account", "resume", "anna")["state"] == "active"
    assert stadsnav.ask("account", "roles", "anna", "--role", "care-operator")["roles"] == ["care-operator"]
    assert stadsnav.ask("account", "sessions", "anna") == []
    assert stadsnav.ask("account", "end-sessions", "anna") == {"login": "anna", "ended": 0}
    assert stadsnav.ask("account", "password", "anna")["password"]


def test_a_client_and_a_token_get_roles_and_are_narrowed(stadsnav: Product) -> None:
    narrow = ("--role", "care-operator", "--only", "alarms:read", "--only", "homes:read")

    client = stadsnav.ask("org", "client", "add", "acme", "acme-backend", *narrow)
    token = stadsnav.ask("org", "token", "add", "acme", *narrow)

    for made in (client, token):
        assert (made["roles"], made["only"]) == (["care-operator"], ["alarms:read", "homes:read"])
    assert stadsnav.ask("org", "client", "list", "--org", "acme") == [client]
    assert stadsnav.ask("org", "client", "remove", "acme-backend") == client
    assert stadsnav.ask("org", "client", "list") == []


def test_roles_of_the_city_are_for_the_city(stadsnav: Product) -> None:
    stadsnav.ask("org", "add", "city", "--kind", "city")

    made = stadsnav.ask("org", "token", "add", "city", "--role", "city-admin")

    assert made["roles"] == ["city-admin"]


@pytest.mark.parametrize(
    ("arguments", "mend"),
    [
        (["account", "add", "anna", "--org", "nobody", "--role", "care-admin"], "stadsnav org add"),
        (["account", "add", "Ånna", "--org", "acme", "--role", "care-admin"], "a-z, 0-9"),
        (["account", "add", "anna", "--org", "acme", "--role", "city-admin"], "one of installer"),
        (["account", "add", "anna", "--org", "acme", "--role", "x", "--subject", "s"], "identity.issuer"),
        (["account", "show", "nobody"], "no account"),
        (["org", "token", "add", "acme", "--role", "auditor"], "one of installer"),
        (["org", "token", "add", "acme", "--only", "everything"], "one of homes:read"),
        (["org", "client", "add", "nobody", "x"], "stadsnav org add"),
        (["org", "client", "remove", "x"], "stadsnav org client list"),
    ],
    ids=str,
)
def test_a_refusal_says_what_mends_it(stadsnav: Product, arguments: list[str], mend: str) -> None:
    done = stadsnav.cli(*arguments)

    assert (done.returncode, done.stdout) == (1, "")
    assert mend in done.stderr


def test_a_weak_password_is_refused_without_being_repeated(
    stadsnav: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("hunter2\n"))

    done = stadsnav.cli("account", "add", "anna", "--org", "acme", "--role", "care-admin")

    assert (done.returncode, "12 to 256" in done.stderr, "hunter2" in done.stderr) == (1, True, False)
