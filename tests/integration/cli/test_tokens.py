"""``stadsnav org token``: made and shown once, listed without their texts, ended."""

import re

import pytest

from tests.support.product import Product

pytestmark = pytest.mark.usefixtures("folk")


def test_a_token_is_shown_once_and_can_be_seen_no_more(stadsnav: Product) -> None:
    made = stadsnav.ask("org", "token", "add", "acme", "--name", "archive", "--for", "30d")

    listed = stadsnav.cli("org", "token", "list", "--org", "acme", "--json")

    assert re.fullmatch(r"stadsnav_[\w-]{43}", made["token"])
    assert made["token"] not in listed.stdout
    assert made["id"] in listed.stdout
    assert stadsnav.ask("org", "token", "list", "--org", "beta") == []
    assert made["token"].encode() not in b"".join(path.read_bytes() for path in stadsnav.folder.glob("*.db*"))


def test_adding_one_says_on_stderr_that_it_must_be_kept_now(stadsnav: Product) -> None:
    done = stadsnav.cli("org", "token", "add", "acme")

    assert (done.returncode, "stadsnav_" in done.stdout, "stadsnav_" in done.stderr) == (0, True, False)
    assert "shown this once" in done.stderr


def test_a_revoked_token_is_listed_as_ended(stadsnav: Product) -> None:
    first, second = (stadsnav.ask("org", "token", "add", "acme") for _ in range(2))

    ended = stadsnav.ask("org", "token", "revoke", first["id"])

    assert (ended["in_force"], ended["revoked_at"] is None) == (False, False)
    assert {row["id"]: row["in_force"] for row in stadsnav.ask("org", "token", "list")} == {
        first["id"]: False,
        second["id"]: True,
    }


@pytest.mark.parametrize(
    ("arguments", "mend"),
    [
        (["add", "nobody"], "stadsnav org add"),
        (["add", "acme", "--for", "soon"], "such as 90s, 15m, 24h or 7d"),
        (["add", "acme", "--for", "732d"], "at most 731d"),
        (["add", "acme", "--for", "999999999d"], "at most 731d"),
        (["add", "acme", "--for", "0s"], "more than 0"),
        (["revoke", "nothing"], "stadsnav org token list"),
    ],
    ids=str,
)
def test_a_refusal_says_what_mends_it(stadsnav: Product, arguments: list[str], mend: str) -> None:
    done = stadsnav.cli("org", "token", *arguments)

    assert (done.returncode, done.stdout) == (1, "")
    assert mend in done.stderr
