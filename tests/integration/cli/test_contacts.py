"""``stadsnav org contact``: set, shown, ended, in the log without the address. ``stadsnav asyncapi``."""

import json

import pytest

from tests.support.product import Product

pytestmark = pytest.mark.usefixtures("folk")


def test_a_contact_is_set_shown_and_ended(stadsnav: Product) -> None:
    assert stadsnav.ask("org", "contact", "acme") == {"id": "acme", "mail": None}

    made = stadsnav.ask("org", "contact", "acme", "--mail", "it@acme.example.org")

    assert made == stadsnav.ask("org", "contact", "acme") == {"id": "acme", "mail": "it@acme.example.org"}
    assert stadsnav.ask("org", "contact", "acme", "--none") == {"id": "acme", "mail": None}
    logged = stadsnav.ask("audit", "list", "--limit", "10")
    assert {"contact_set", "contact_removed"} <= {row["action"] for row in logged}
    assert "it@acme" not in json.dumps(logged)


@pytest.mark.parametrize("mail", ["nobody", "a@b, c@d", "a@b\nBcc: c@d"])
def test_what_is_no_address_is_refused(stadsnav: Product, mail: str) -> None:
    done = stadsnav.cli("org", "contact", "acme", "--mail", mail)

    assert done.returncode == 1
    assert "expected an address such as" in done.stderr
    assert stadsnav.ask("org", "contact", "acme")["mail"] is None


def test_an_organisation_that_is_not_there_is_refused(stadsnav: Product) -> None:
    done = stadsnav.cli("org", "contact", "nobody", "--mail", "it@acme.example.org")

    assert (done.returncode, "There is no organisation 'nobody'" in done.stderr) == (1, True)


def test_the_description_of_messages_names_the_city(stadsnav: Product) -> None:
    stadsnav.environment["STADSNAV_CITY"] = "malmo"

    document = stadsnav.ask("asyncapi")

    assert (document["asyncapi"], document["id"]) == ("3.0.0", "urn:stadsnav:malmo")
