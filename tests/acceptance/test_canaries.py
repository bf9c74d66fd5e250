"""Secrets and personal data stay where they belong: seeded at every door, looked for behind every other.

    a town with canaries in every member  ─>  errors of every kind  ─>  all that leaves, and all that stays

What may be where stands in ``ALLOWED``, each with its reason. A reason that allows nothing fails as well.
"""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus

import pytest

from broker.mosquitto import free_port
from tests.acceptance.canaries import Canaries, Kind
from tests.acceptance.canary_town import Seeded, asking, receiving
from tests.support.product import HOST, Product

ALLOWED: Final[dict[tuple[str, str], str]] = {
    ("stadsnav.db", Kind.FACT): "what is known is kept there, in a folder that only the hub's account reads",
    ("stadsnav.db", "refused payload"): "what could not be taken waits in quarantine for the operator",
    ("stadsnav.db", "stray in topic"): "and so does the topic that it came on",
    ("readings.db", "refused payload"): "what could not be taken waits in quarantine for the operator",
    ("stadsnav.toml", Kind.SETTING): "the operator has typed it there; it is refused when others can read it",
    ("own answer", Kind.STRAY): "who typed it reads it back, to see what was wrong",
    ("answer", "colleague"): "who is second to answer an alarm is told who was first",
    ("audit", "colleague"): "which person answered an alarm must stay provable",
}
"""Place, and a canary or its kind: why it may be there."""


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeded]:
    """A town that everything has gone wrong in."""
    canaries, folder = Canaries(), tmp_path_factory.mktemp("canaries") / "data"
    folder.mkdir(mode=0o700)
    _write_settings(folder / "stadsnav.toml", canaries)
    answered = canaries.add("answer of a receiver", Kind.STRAY, "receiver-canary-Qx7")
    with receiving(answered) as receiver, Product(folder) as product, asking(product) as client:
        seeded = Seeded(product, receiver, canaries, client)
        seeded.settle()
        seeded.sign_in()
        seeded.fail_webhooks()
        seeded.raise_alarm()
        seeded.ask_wrongly()
        seeded.sign_in_wrongly()
        seeded.ask_without_store()
        seeded.kill()
        seeded.wait_for_faults("webhook_failing", "mail_not_sent", "deadman_not_reached")
        yield seeded


def _write_settings(file: Path, canaries: Canaries) -> None:
    def secret(name: str) -> str:
        return canaries.add(name, Kind.SETTING, f"setting-canary-{name.replace(' ', '-')}-Qx7")

    file.write_text(f"""
city = "malmo"
[mail]
server = "{HOST}"
port = {free_port()}
security = "none"
from = "hub@example.org"
to = ["drift@example.org"]
username = "hub"
password = "{secret("mail password")}"
digest_at = "00:00:00"
[deadman]
url = "http://{HOST}:{free_port()}/{secret("dead-man path")}?key={secret("dead-man query")}"
every_seconds = 5
[identity]
issuer = "http://{HOST}:{free_port()}"
client_id = "stadsnav"
client_secret = "{secret("OIDC secret")}"
audience = "urn:hub"
[outward]
networks = ["127.0.0.0/8"]
[export.influx]
url = "http://{HOST}:{free_port()}"
bucket = "readings"
token = "{secret("export token")}"
""")
    file.chmod(0o600)


@pytest.mark.parametrize("written", ["{}", "a{}", "ab{}", "/{}/?{}="])
def test_a_canary_is_found_however_it_is_written(written: str) -> None:
    canaries, text = Canaries(), "Kanarina Qxlund, 19121212-1212"
    canaries.add("name", Kind.PERSON, text)
    content = written.replace("{}", text)

    ways = [content, content.upper(), quote(content), quote_plus(content)]
    ways.append(base64.b64encode(content.encode()).decode())

    assert [canaries.found_in(way) for way in ways] == [{"name"}] * 5


def test_whatever_goes_wrong_no_canary_leaves_its_place(seeded: Seeded) -> None:
    canaries = seeded.canaries
    found = set(seeded.outside.leaks)
    for place, content in [*told(seeded), *kept(seeded)]:
        found |= {(place, name) for name in canaries.found_in(content)}

    reasons = {(place, name): {(place, name), (place, canaries.by_name[name].kind)} for place, name in found}
    assert sorted(one for one in found if not reasons[one] & ALLOWED.keys()) == []
    assert ALLOWED.keys() - set().union(*reasons.values()) == set(), "these allow nothing"
    assert {401, 403, 404, 405, 409, 413, 421, 422, 503} <= seeded.outside.refused.keys()


def told(seeded: Seeded) -> Iterator[tuple[str, bytes | str]]:
    """What leaves the running product."""
    product = seeded.product
    for path in ("//metrics", "//healthz", "//readyz", "/openapi.json", "//asyncapi.json"):
        yield path, seeded.outside.ask("GET", path).text
    for command in ("doctor", "config", "asyncapi", "usage show", "audit export"):
        done = product.cli(*command.split())
        yield command.partition(" ")[0], done.stdout + done.stderr
    for process in product.running():
        yield "command line", " ".join(process.cmdline())
        yield "environment", repr(process.environ())


def kept(seeded: Seeded) -> Iterator[tuple[str, bytes | str]]:
    """What stays, once the product has ended; what letters and people are told of it, apart."""
    faults = "SELECT subject, message FROM faults UNION ALL SELECT subject, body FROM letters"
    yield "faults", repr(seeded.rows(faults))
    yield (
        "problems",
        repr(seeded.rows("SELECT problem FROM subscriptions UNION ALL SELECT problem FROM pings")),
    )
    seeded.product.stop()
    yield "log", seeded.product.log
    for file in sorted(one for one in seeded.product.folder.rglob("*") if one.is_file()):
        yield file.name.removesuffix("-wal"), file.read_bytes()
