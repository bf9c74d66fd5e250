"""Looking at alarms and answering them, by the real command."""

import getpass
import json
from typing import Any

import pytest

from services import quarantine
from services.store import audit as audit_rows
from tests.support.product import CommandRefusedError, Product
from tests.support.town import Town

ALARM_KEYS = (
    "id kind class priority state test home position device room raised_at received_at step "
    "acknowledged_by acknowledged_at escalated_at closed_at"
)
EVENT_KEYS = "event id device home kind state alarm test at received_at conflict text"
QUARANTINE_KEYS = "id received_at lane topic client device home external_id reason bytes encoding"
DELIVERY_KEYS = (
    "delivery event type alarm org channel grant step state sequence attempts first_sent_at settled_at reason"
)


def refusal(product: Product, *arguments: str) -> str:
    with pytest.raises(CommandRefusedError) as refused:
        product.ask(*arguments)
    assert refused.value.code == 1
    assert "\n" not in refused.value.said
    return refused.value.said


def looks(town: Town) -> list[tuple[str | None, str]]:
    """Whose home was looked at, and what was asked, oldest first."""
    entries = audit_rows.entries(town.connection)
    return [(entry.home_id, entry.details) for entry in entries if entry.action == "looked"]


def quarantined(town: Town, payload: bytes, *, home_id: Any = "h-1") -> None:
    town.write(
        lambda connection: quarantine.keep(
            connection,
            lane="alarm",
            topic="up/p-1/p-1/alarm",
            client_id="p-1",
            device_id="p-1",
            home_id=home_id,
            external_id=None,
            reason="not JSON",
            payload=payload,
            now=town.now,
        )
    )


def test_lists_have_the_members_that_programs_rely_on(stadsnav: Product, folk: Town) -> None:
    folk.grant("acme")
    folk.press()
    quarantined(folk, b"\xff")

    assert " ".join(stadsnav.ask("alarm", "list")[0]) == ALARM_KEYS
    assert " ".join(stadsnav.ask("event", "list")[0]) == EVENT_KEYS
    assert " ".join(stadsnav.ask("quarantine", "list")[0]) == QUARANTINE_KEYS
    assert " ".join(stadsnav.ask("delivery", "list")[0]) == DELIVERY_KEYS


def test_alarms_are_listed_newest_first_and_narrowed(stadsnav: Product, folk: Town) -> None:
    folk.grant("acme")
    first = folk.press("p-1")
    folk.wait(1)
    second = folk.alarm_of(folk.say("s-1", "fire.stove"))
    folk.wait(1)
    test = folk.alarm_of(folk.say("p-2", "safety.manual", is_test=True))
    folk.acknowledge("acme", first)
    folk.close("acme", first)

    def listed(*more: str) -> list[str]:
        return [alarm["id"] for alarm in stadsnav.ask("alarm", "list", *more)]

    assert listed() == [test.id, second.id, first.id]
    assert listed("--open") == [test.id, second.id]
    assert listed("--test") == [test.id]
    assert listed("--no-test", "--open") == [second.id]
    assert listed("--home", "h-1") == [second.id, first.id]
    assert listed("--device", "p-1") == [first.id]
    assert listed("--org", "acme") == [first.id]
    assert listed("--limit", "1") == [test.id]


def test_an_alarm_is_shown_with_everything_that_belongs_to_it(stadsnav: Product, folk: Town) -> None:
    folk.grant("acme")
    alarm = folk.press()

    shown = stadsnav.ask("alarm", "show", alarm.id)

    assert shown["id"] == alarm.id
    assert (shown["class"], shown["step"], shown["position"]) == ("safety", 1, folk.device("p-1").position)
    assert [event["alarm"] for event in shown["events"]] == [alarm.id]
    assert [notice["type"] for notice in shown["notices"]] == ["raised"]
    assert [(told["org"], told["type"]) for told in shown["deliveries"]] == [("acme", "raised")]
    assert [timer["kind"] for timer in shown["timers"]] == ["escalate"]


def test_events_keep_the_home_s_own_id(stadsnav: Product, folk: Town) -> None:
    stored = folk.say("p-1", "safety.manual", event_id="p1-000001", text="help")

    (event,) = stadsnav.ask("event", "list", "--device", "p-1")

    assert (event["event"], event["id"], event["state"]) == (stored.event_id, "p1-000001", "raised")
    assert (event["text"], event["conflict"], event["test"]) == ("help", False, False)
    assert stadsnav.ask("event", "list", "--home", "h-2") == []


def test_quarantined_bytes_are_text_or_said_to_be_base64(stadsnav: Product, folk: Town) -> None:
    quarantined(folk, b"not json")
    quarantined(folk, b"\xff\x00")

    rows = stadsnav.ask("quarantine", "list", "--home", "h-1", "--device", "p-1")

    assert {(row["bytes"], row["encoding"]) for row in rows} == {("not json", "utf-8"), ("/wA=", "base64")}


def test_a_delivery_tells_what_it_was_and_whether_it_arrived(stadsnav: Product, folk: Town) -> None:
    grant = folk.grant("acme")
    alarm = folk.press()
    folk.confirm_all("acme")

    (delivery,) = stadsnav.ask("delivery", "list", "--org", "acme", "--home", "h-1", "--device", "p-1")

    assert (delivery["type"], delivery["state"], delivery["sequence"]) == ("raised", "confirmed", 1)
    assert (delivery["alarm"], delivery["grant"], delivery["attempts"]) == (alarm.id, grant.id, 1)
    assert delivery["event"] == folk.channel.told("acme")[0].notice.id
    assert delivery["settled_at"] is not None


def test_the_operator_acknowledges_comments_and_closes(stadsnav: Product, folk: Town) -> None:
    folk.grant("acme")
    alarm = folk.press()

    answered = stadsnav.ask("alarm", "acknowledge", alarm.id, "--by", "anna", "--note", "calls back")
    stadsnav.ask("alarm", "comment", alarm.id, "--note", "neighbour has the key")
    closed = stadsnav.ask("alarm", "close", alarm.id, "--by", "anna", "--note", "well")

    assert (answered["state"], answered["acknowledged_by"]) == (
        "acknowledged",
        "anna (the city's operator)",
    )
    assert stadsnav.ask("alarm", "show", alarm.id)["acknowledged_by"] == answered["acknowledged_by"]
    assert closed["state"] == "closed"
    folk.wait(30)
    assert folk.types_told("acme") == ["raised", "closed"]
    notes = [notice["note"] for notice in stadsnav.ask("alarm", "show", alarm.id)["notices"]]
    assert notes == ["", "calls back", "neighbour has the key", "well"]


def test_an_organisation_answers_only_what_it_may_know(stadsnav: Product, folk: Town) -> None:
    folk.grant("acme")
    alarm = folk.press()

    assert "no grant" in refusal(stadsnav, "alarm", "acknowledge", alarm.id, "--org", "beta")
    assert "org list" in refusal(stadsnav, "alarm", "acknowledge", alarm.id, "--org", "nobody")
    answered = stadsnav.ask("alarm", "acknowledge", alarm.id, "--org", "acme", "--by", "operator-17")

    assert answered["acknowledged_by"] == "operator-17 (Acme AB)"
    said = refusal(stadsnav, "alarm", "acknowledge", alarm.id, "--by", "bo")
    assert said.startswith("Already acknowledged by operator-17 of Acme AB at ")


def test_what_the_state_forbids_is_refused_with_what_it_allows(stadsnav: Product, folk: Town) -> None:
    alarm = folk.press()

    assert "allowed now: repeat, call, clear, acknowledge" in refusal(stadsnav, "alarm", "close", alarm.id)
    assert "something to tell" in refusal(stadsnav, "alarm", "comment", alarm.id, "--note", " ")
    too_long = "x" * 2_001
    assert "2000" in refusal(stadsnav, "alarm", "acknowledge", alarm.id, "--note", too_long)
    assert folk.alarm(alarm.id).state == "raised"


def test_whoever_types_it_stands_in_the_log_beside_the_one_it_was_done_for(
    stadsnav: Product, folk: Town
) -> None:
    folk.grant("acme")
    alarm = folk.press()

    stadsnav.ask("alarm", "acknowledge", alarm.id, "--org", "acme", "--by", "operator-17")

    typed = stadsnav.ask("audit", "list", "--org", "acme")[0]
    assert (typed["actor"], typed["action"]) == (f"cli:{getpass.getuser()}", "acted")
    assert (typed["home"], typed["subject"]) == ("h-1", alarm.id)
    assert typed["details"] == "acknowledge as operator-17 (Acme AB)"


@pytest.mark.parametrize("noun", ["alarm", "event", "delivery", "quarantine"])
def test_a_list_is_logged_once_for_every_home_that_was_seen(stadsnav: Product, folk: Town, noun: str) -> None:
    for device_id, home_id in (("p-1", "h-1"), ("p-2", "h-2")):
        folk.grant("acme", home_id)
        folk.press(device_id)
        folk.press(device_id)
        quarantined(folk, b"x", home_id=home_id)

    stadsnav.ask(noun, "list")

    assert {home_id for home_id, _ in looks(folk)} == {"h-1", "h-2"}
    assert len(looks(folk)) == 2
    assert all(asked.startswith(f"{noun} list") for _, asked in looks(folk))


def test_a_look_that_found_nothing_is_logged_too_for_the_home_that_was_asked_about(
    stadsnav: Product, folk: Town
) -> None:
    stadsnav.ask("alarm", "list", "--home", "h-2", "--no-test")
    stadsnav.ask("event", "list", "--limit", "7")

    assert looks(folk) == [
        ("h-2", "alarm list test=False home=h-2"),
        (None, "event list limit=7"),
    ]


def test_showing_an_alarm_is_logged_for_its_home(stadsnav: Product, folk: Town) -> None:
    alarm = folk.press("p-2")

    stadsnav.ask("alarm", "show", alarm.id)

    assert looks(folk) == [("h-2", f"alarm show alarm_id={alarm.id}")]


def test_an_altered_log_is_found_and_its_first_bad_entry_named(stadsnav: Product, folk: Town) -> None:
    folk.press()
    stadsnav.ask("alarm", "list")
    stadsnav.ask("event", "list")
    count = stadsnav.ask("audit", "verify")["entries"]
    folk.connection.run_script("DROP TRIGGER audit_is_append_only_update")
    folk.connection.run("UPDATE audit SET actor = 'nobody' WHERE number = ?", count - 1)

    done = stadsnav.cli("audit", "verify", "--json")

    assert done.returncode == 1
    verdict = json.loads(done.stdout)
    assert (verdict["ok"], verdict["entries"], verdict["first_bad"]) == (False, count - 1, count - 1)
    assert f"from entry {count - 1} on" in done.stderr
    assert done.stderr.count("\n") == 1
