"""A client that a public generator makes of the description: it registers, grants, and follows an alarm."""

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import pytest

from tests.acceptance.peers import Home
from tests.support.product import Product, eventually

GENERATOR: Final = Path(sys.executable).with_name("openapi-python-client")
NAME: Final = "hub_client_made_by_the_test"
WITHIN_SECONDS: Final = 60


class Generated:
    """The client's functions, with whoever calls them."""

    def __init__(self, product: Product, folder: Path) -> None:
        self.address = f"http://127.0.0.1:{product.ports['http']}"
        description = folder / "openapi.json"
        with urlopen(f"{self.address}/api/v1/openapi.json", timeout=WITHIN_SECONDS) as answer:  # noqa: S310
            description.write_bytes(answer.read())
        made = subprocess.run(
            [GENERATOR, "generate", "--path", description, "--meta", "none", "--output-path", folder / NAME],
            capture_output=True,
            text=True,
            timeout=WITHIN_SECONDS,
            check=True,
        )
        assert "unsupported" not in made.stdout.lower(), made.stdout

    def model(self, name: str) -> Any:
        """A model by its name."""
        return getattr(importlib.import_module(f"{NAME}.models"), name)

    def by(self, token: str) -> Callable[..., Any]:
        """Call an operation with a token; what it answers, read into its model."""
        make = importlib.import_module(f"{NAME}.client").AuthenticatedClient

        def call(tag: str, operation: str, *arguments: Any, **members: Any) -> Any:
            module = importlib.import_module(f"{NAME}.api.{tag}.{operation}")
            with make(base_url=self.address, token=token, raise_on_unexpected_status=True) as client:
                answer = module.sync(*arguments, client=client, **members)
            assert type(answer).__name__ != "Problem", answer
            return answer

        return call


@pytest.fixture
def generated(product: Product, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generated:
    monkeypatch.syspath_prepend(str(tmp_path))
    return Generated(product, tmp_path)


def test_a_generated_client_registers_a_home_grants_it_and_follows_an_alarm_to_its_acknowledgement(
    product: Product, generated: Generated, tmp_path: Path
) -> None:
    product.ask("org", "add", "the-city", "--kind", "city")
    product.ask("org", "add", "acme", "--kind", "care")
    admin = ("org", "token", "add", "the-city", "--role", "city-admin")
    office, colleague = (generated.by(product.ask(*admin)["token"]) for _ in range(2))
    care = generated.by(product.ask("org", "token", "add", "acme")["token"])
    model = generated.model

    office(
        "homes", "add_home", body=model("NewHomeBody")(id="h-1", address="Storgatan 1"), idempotency_key="k-1"
    )
    device = model("NewDeviceBody")(id="p-1", home="h-1", profile="safety-alarm")
    office("devices", "add_device", body=device)
    proposal = model("ProposalBody")(
        organisation="acme",
        home="h-1",
        class_=model("DataClass").SAFETY,
        purpose="answers alarms",
        basis=model("BasisKind").DECISION,
        reference="4711",
    )
    draft = office("grants", "propose_grant", body=proposal)
    approved = colleague("grants", "approve_grant", draft.id)

    assert care("grants", "list_grants").items[0].id == approved.grant.id
    assert care("alarms", "list_alarms").items == []

    product.ask("device", "enrol", "p-1", "--out", str(tmp_path / "p-1"))
    with Home(product.ports["mqtt"], tmp_path / "p-1") as home:
        home.raise_alarm("p-1", "e-1")
        alarm = eventually(
            lambda: next(iter(care("alarms", "list_alarms").items), None), "the alarm can be read"
        )
        care("alarms", "acknowledge_alarm", alarm.id, body=model("Answer")(by="operator-17"))
        eventually(lambda: home.has("acknowledged", "e-1"), "the home hears that somebody comes")

    answered = care("alarms", "get_alarm", alarm.id)
    assert json.loads(json.dumps(answered.to_dict()))["acknowledged_by"]
