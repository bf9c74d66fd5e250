import base64
import hashlib

from broker.access_rules import HUB_USER
from broker.credentials import HubCredentials, password_line

HUB = HubCredentials(password="correct horse", session_secret="5ec7e7")  # noqa: S106 - of nobody
SALT = b"twelve bytes"


def test_the_password_file_holds_a_salted_hash_in_mosquittos_form() -> None:
    user, _, rest = password_line(HUB, SALT).partition(":")
    _, kind, iterations, salt, digest = rest.split("$")

    assert (user, kind, iterations) == (HUB_USER, "7", "101")
    assert base64.b64decode(salt) == SALT
    assert base64.b64decode(digest) == hashlib.pbkdf2_hmac("sha512", b"correct horse", SALT, 101)


def test_the_hubs_session_and_group_names_cannot_be_guessed_and_stay_the_same() -> None:
    assert HUB.client_id("alarm") == "@hub-alarm-5ec7e7"
    assert HUB.shared_group("reading") == "reading-5ec7e7"
    assert HUB.client_id("alarm") != HUB.client_id("reading")
