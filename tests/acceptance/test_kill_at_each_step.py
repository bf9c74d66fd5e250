"""kill -9 of the alarm process at every named step of the way, and each time the same end.

    press -> [killed somewhere] -> receipt, one event, both steps told, acknowledged, closed, receipts

The steps are calls of the product, wrapped by tests/support/faults; production code knows nothing of them.
Until the PUBACK the home says its alarm only once: the broker has it, and hands it over again.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.conftest import ROOT, ProductFactory, with_faults
from tests.acceptance.peers import confirms
from tests.acceptance.storm import answers_some
from tests.acceptance.town import Town
from tests.support.faults import sitecustomize as faults
from tests.support.product import Product, wait_until

BEFORE_THE_PUBACK = {"received", "in_transaction", "committed", "lease_committed", "handed_over"}
KILLED = -9
PACKAGES = ("devices", "broker", "services", "gateway")


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Town:
    """A folder with a home, two steps of a response chain, and nothing said yet."""
    town = Town(Product(tmp_path_factory.mktemp("registered") / "data"))
    town.home("h-1", "p-1")
    town.organisation("first")
    town.organisation("second", name="Second Care")
    town.grant("first", "h-1", "safety", step=1, within=1)
    town.grant("second", "h-1", "safety", step=2, within=3600)
    return town


@pytest.mark.parametrize("step", faults.POINTS)
def test_killed_at_any_step_the_alarm_comes_to_the_same_end(
    step: str, registered: Town, make_product: ProductFactory, tmp_path: Path
) -> None:
    marker = tmp_path / "killed"
    product = make_product(
        environment=with_faults(STADSNAV_TEST_KILL_AT=f"{step}:1", STADSNAV_TEST_KILL_MARKER=str(marker))
    )
    shutil.copytree(registered.product.folder, product.folder)
    shutil.copytree(registered.folder, Town(product).folder)
    product.start()
    town = Town(product)

    with (
        town.opened_partner("first", reaction=confirms) as first,
        town.opened_partner("second", reaction=answers_some(0, 1.0)) as second,
        town.opened_home("p-1") as home,
    ):
        home.says_again = step not in BEFORE_THE_PUBACK
        home.raise_alarm("p-1", "a-1")
        wait_until(marker.exists, f"the alarm process is killed at {step}")
        wait_until(lambda: home.has("closed", "a-1"), "the home hears that it is over")
        wait_until(lambda: home.has("stored", "a-1"), "what the broker handed over again has its receipt too")
        wait_until(lambda: first.of_type("closed"), "step one hears that it is over")
        wait_until(lambda: second.of_type("closed"), "step two hears that it is over")
        wait_until(lambda: not second.unanswered, "every action has its reply")

    assert [line["code"] for line in product.log_lines("child_ended")] == [KILLED]
    assert [row["id"] for row in product.ask("event", "list")] == ["a-1"]
    assert {receipt["status"] for receipt in home.receipts} == {"stored", "acknowledged", "closed"}
    for partner in (first, second):
        told = {(event["type"].split(".")[3], event["id"], event["sequence"]) for event in partner.events}
        assert sorted(kind for kind, _, _ in told) == ["acknowledged", "closed", "raised"]
    assert all(reply["ok"] for reply in second.replies.values())
    assert product.ask("audit", "verify")["ok"]


def test_every_step_of_the_kit_names_a_call_of_the_product() -> None:
    for point in faults.POINTS.values():
        owner, name = faults.find(point.call)
        assert callable(getattr(owner, name))


def test_the_product_itself_knows_nothing_of_faults() -> None:
    sources = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]

    assert len(sources) > len(PACKAGES)
    assert [file for file in sources if "STADSNAV_TEST" in file.read_text()] == []


def test_a_step_that_is_not_where_it_was_is_named() -> None:
    with pytest.raises(faults.MissingError, match="went_away"):
        faults.find("gateway.intake.Intake.went_away")


def test_a_kit_that_cannot_do_what_it_is_told_ends_the_process_aloud(tmp_path: Path) -> None:
    environment = with_faults(
        STADSNAV_TEST_KILL_AT="nowhere:1", STADSNAV_TEST_KILL_MARKER=str(tmp_path / "x")
    )

    done = subprocess.run(
        [sys.executable, "-c", "print('went on')", "gateway.alarm_process"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (faults.BROKEN_EXIT, "")
    assert faults.BROKEN in done.stderr
    assert "nowhere" in done.stderr
