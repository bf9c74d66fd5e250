"""``stadsnav simulate``: a small city on the real product, on one of its own and on one that runs already."""

import pytest

from broker.mosquitto import MosquittoMissingError, find_executable
from tests.support.product import Product

PATIENCE_SECONDS = 90.0


@pytest.fixture(autouse=True)
def _mosquitto() -> None:
    try:
        find_executable()
    except MosquittoMissingError as error:
        pytest.skip(f"NOTHING IS SIMULATED HERE. {error}")


def simulate(program: Product, *more: str) -> tuple[int, str, str]:
    words = ("simulate", "--homes", "60", "--rate", "300", "--alarms", "3", "--json", *more)
    done = program.cli(*words, within_seconds=PATIENCE_SECONDS)
    return done.returncode, done.stdout, done.stderr


def test_everything_that_a_city_was_told_is_taken_over_is_stored_through_an_outage_too(
    program: Product,
) -> None:
    summary = program.ask(
        *("simulate", "--homes", "60", "--rate", "300", "--alarms", "3", "--for", "8", "--outage")
    )

    assert summary["homes"] == summary["hubs"] == 60
    assert summary["packs_sent"] == summary["packs_acknowledged"] == summary["packs_stored"]
    assert summary["packs_sent"] == pytest.approx(8 * 300, rel=0.05)
    assert summary["packs_quarantined"] == summary["connections_lost"] == 0
    assert summary["alarms_sent"] > 0
    assert summary["alarms_told"] == summary["alarms_sent"]


def test_a_product_that_runs_is_used_and_keeps_running(program: Product) -> None:
    with program:
        code, _, said = simulate(program, "--for", "3")
        is_still_running = program.child("alarm").is_running()

    assert code == 0, said
    assert "3 s:" in said
    assert is_still_running


def test_a_folder_with_real_homes_is_refused(program: Product) -> None:
    program.ask("home", "add", "h-1", "--address", "Storgatan 1")

    code, printed, said = simulate(program, "--for", "1")

    assert (code, printed) == (1, "")
    assert "not of a simulation" in said


def test_readings_that_are_set_aside_make_the_run_fail_and_are_named(program: Product) -> None:
    simulate(program, "--for", "1")
    for device in program.ask("device", "list", "--limit", "1000"):
        if device["profile"] == "humidity-meter":
            program.ask("device", "suspend", device["id"])
            break

    code, printed, said = simulate(program, "--for", "3")

    assert (code, printed) == (1, "")
    assert "are not stored" in said
