"""``stadsnav resident``, ``consent``, ``grant``: a customer in three steps, withdrawal, emergency, rights."""

import json
import subprocess
from functools import partial
from pathlib import Path

import pytest

from services import granting
from services.domain.granting import BasisKind, LegalBasis
from services.granting import Proposal
from services.store.sqlite import SqliteConnection
from tests.support.household import ACME, ACME_OPERATOR
from tests.support.product import PROGRAM, Product
from tests.support.town import Town

pytestmark = pytest.mark.usefixtures("folk")

PATROL = ("grant", "template", "add", "evening-patrol", "--title", "Evening patrol", "--kind", "care")
ITEMS = (
    "--item",
    "safety; answers alarms; consent; 1; 60",
    "--item",
    "care; evening visits; decision; 2; 90",
)
APPLY = ("grant", "template", "apply", "evening-patrol", "--org", "acme", "--home", "h-1")
CONSENT = ("consent", "add", "--template", "evening-patrol", "--how", "in-writing")


@pytest.fixture
def customer(stadsnav: Product) -> Product:
    """``r-1`` of ``h-1`` is a customer of acme's evening patrol."""
    stadsnav.ask(*PATROL, *ITEMS)
    stadsnav.ask("resident", "add", "--home", "h-1", "--id", "r-1", "--name", "Anna Andersson")
    stadsnav.ask(*CONSENT, "--resident", "r-1", "--reference", "form 12")
    stadsnav.ask(*APPLY, "--reference", "SoL 17")
    return stadsnav


def refusal(product: Product, *arguments: str) -> str:
    done = product.cli(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr


def test_a_new_customer_is_three_steps_and_each_grant_is_there(customer: Product) -> None:
    grants = customer.ask("grant", "list", "--home", "h-1")

    assert {(one["class"], one["basis"], one["step"], one["within"]) for one in grants} == {
        ("safety", "consent: SoL 17", 1, 60.0),
        ("care", "decision: SoL 17", 2, 90.0),
    }
    assert all(one["in_force"] for one in grants)


def test_without_the_consent_none_of_the_grants_is_added_and_the_resident_is_named(stadsnav: Product) -> None:
    stadsnav.ask(*PATROL, *ITEMS)
    stadsnav.ask("resident", "add", "--home", "h-1", "--id", "r-1", "--name", "Anna Andersson")

    told = refusal(stadsnav, *APPLY, "--reference", "SoL 17")

    assert "have not consented to safety for 'answers alarms': r-1" in told
    assert stadsnav.ask("grant", "list") == []


def test_a_withdrawal_names_the_grants_that_end_with_it(customer: Product) -> None:
    (consent,) = customer.ask("consent", "list", "--home", "h-1")

    withdrawn = customer.ask("consent", "withdraw", consent["id"])

    ended = {one["id"]: one["class"] for one in customer.ask("grant", "list") if not one["in_force"]}
    assert list(ended.values()) == ["safety"]
    assert withdrawn["grants_ended"] == list(ended)
    assert withdrawn["withdrawn_by"].startswith("cli:")


def test_an_arrival_that_would_end_grants_says_so_and_takes_the_consent_with_it(customer: Product) -> None:
    arrival = ("resident", "add", "--home", "h-1", "--id", "r-2", "--name", "Bo")

    told = refusal(customer, *arrival)
    settled = customer.ask(*arrival, "--consent", "oral")

    assert "would end grants of home 'h-1'" in told
    assert settled["grants_ended"] == []


def test_names_stand_in_no_list_in_no_file_and_in_no_log(customer: Product) -> None:
    customer.ask("resident", "change", "r-1", "--phone", "070-123456")

    said = customer.cli("resident", "list").stdout + customer.cli("audit", "list", "--json").stdout
    kept = b"".join(path.read_bytes() for path in customer.folder.rglob("*") if path.is_file())
    shown = customer.ask("resident", "show", "r-1")

    for secret in ("Anna Andersson", "070-123456"):
        assert secret not in said
        assert secret.encode() not in kept
    assert (shown["name"], shown["phone"]) == ("Anna Andersson", "070-123456")


def test_a_look_at_a_name_is_in_the_log(customer: Product) -> None:
    customer.ask("resident", "show", "r-1")

    newest = customer.ask("audit", "list", "--limit", "1")[0]
    assert (newest["action"], newest["home"]) == ("looked", "h-1")


def test_a_name_is_read_from_stdin_so_that_it_stands_in_no_history(program: Product) -> None:
    command = [str(PROGRAM), "resident", "add", "--home", "h-1", "--id", "r-1", "--data", str(program.folder)]
    done = subprocess.run(
        command,
        input="Anna Andersson\n070-1\n",
        env=program.environment,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    shown = program.ask("resident", "show", "r-1")
    assert (shown["name"], shown["phone"]) == ("Anna Andersson", "070-1")


def test_a_draft_of_a_provider_is_approved_here_and_ones_own_is_not(
    stadsnav: Product, folk: Town, store: SqliteConnection
) -> None:
    proposal = Proposal(
        organisation_id="acme",
        home_id="h-1",
        data_class="fire",
        purpose="fire",
        basis=LegalBasis(kind=BasisKind.CONTRACT, reference="7"),
    )
    theirs = folk.write(partial(granting.propose, proposal=proposal, actor=ACME, now=folk.now))
    own = stadsnav.ask(
        *("grant", "draft", "--org", "acme", "--home", "h-1", "--class", "care", "--purpose", "visits"),
        *("--basis", "decision", "--reference", "SoL 17"),
    )

    told = refusal(stadsnav, "grant", "approve", own["id"])
    approved = stadsnav.ask("grant", "approve", theirs.id)
    rejected = stadsnav.ask("grant", "reject", own["id"], "--reason", "a mistake")

    assert "is your own, so somebody else must decide" in told
    assert (approved["state"], rejected["state"]) == ("approved", "rejected")
    assert [one["id"] for one in stadsnav.ask("grant", "list")] == [approved["grant"]]
    assert [one["id"] for one in stadsnav.ask("grant", "drafts", "--state", "approved")] == [theirs.id]
    assert store is folk.connection


def test_an_emergency_is_listed_until_somebody_else_reviews_it(customer: Product) -> None:
    taken = customer.ask(
        *("grant", "emergency", "--org", "acme", "--home", "h-1", "--class", "camera"),
        *("--reason", "screams are heard", "--for", "30m"),
    )

    told = refusal(customer, "grant", "review", taken["id"], "--outcome", "justified", "--note", "fine")

    assert "is your own" in told
    assert [one["id"] for one in customer.ask("grant", "emergencies", "--unreviewed")] == [taken["id"]]
    assert ACME_OPERATOR.organisation_id == taken["org"]


def test_an_export_is_a_file_for_its_reader_alone(customer: Product, tmp_path: Path) -> None:
    out = tmp_path / "r-1.json"

    done = customer.cli("resident", "export", "r-1", "--out", str(out))

    document = json.loads(out.read_text("utf-8"))
    assert done.returncode == 0
    assert document["resident"]["name"] == "Anna Andersson"
    assert len(document["grants"]) == 2
    assert out.stat().st_mode & 0o777 == 0o600


def test_an_erased_name_is_gone_and_what_stays_is_said(customer: Product) -> None:
    erased = customer.ask("resident", "erase", "r-1", "--readings", "--yes")

    assert customer.ask("resident", "show", "r-1")["name"] is None
    assert {one["what"] for one in erased["kept"]} == {"alarms", "events", "consents", "log"}
    assert erased["readings_erased"] == 0


def test_the_homes_readings_stay_while_others_live_there(customer: Product) -> None:
    customer.ask("resident", "add", "--home", "h-1", "--name", "Bo", "--temporary")

    assert "Others live in home 'h-1'" in refusal(customer, "resident", "erase", "r-1", "--readings", "--yes")
    assert customer.ask("resident", "show", "r-1")["name"] == "Anna Andersson"


def test_a_new_key_opens_what_was_sealed_before(customer: Product) -> None:
    made = customer.ask("resident", "rekey")

    assert made == {"key": "k2", "sealed": 1}
    assert customer.ask("resident", "show", "r-1")["name"] == "Anna Andersson"


def test_who_moves_out_is_listed_and_lives_there_no_more(customer: Product) -> None:
    moved = customer.ask("resident", "move-out", "r-1")

    assert len(moved["grants_ended"]) == 1
    assert customer.ask("resident", "list", "--home", "h-1")[0]["moved_out_at"] is not None


@pytest.mark.parametrize(
    ("arguments", "mend"),
    [
        (["consent", "withdraw", "nothing"], "stadsnav consent list"),
        (["resident", "show", "nobody"], "stadsnav resident list"),
        (["grant", "approve", "nothing"], "stadsnav grant drafts"),
        (["grant", "review", "nothing", "--outcome", "justified", "--note", "x"], "grant emergencies"),
        ([*PATROL, "--item", "safety"], "CLASS; PURPOSE; BASIS; STEP; SECONDS"),
        ([*PATROL, "--item", "safety; p; consent; 1; soon"], "CLASS; PURPOSE; BASIS; STEP; SECONDS"),
        ([*PATROL, "--item", "safety; p; consent; 1; nan"], "more than 0 and at most 86400"),
        ([*PATROL, "--item", "gossip; p; consent; 1; 60"], "one of safety"),
        ([*PATROL, "--item", "safety; p; emergency; 1; 60"], "one of consent, decision, contract"),
    ],
    ids=str,
)
def test_a_refusal_says_what_mends_it(stadsnav: Product, arguments: list[str], mend: str) -> None:
    assert mend in refusal(stadsnav, *arguments)
