"""What doctor reads in the store, on a small town."""

from datetime import timedelta
from functools import partial

import pytest

from devices.kinds import AlarmKind
from gateway.doctor import certificates, contents
from gateway.doctor.check import Check, Status
from gateway.outgoing import StreamChannel
from services import quarantine
from services.delivery.release import Release
from services.quarantine import Outcome
from services.store import certificates as certificate_rows
from services.store import events, status
from services.store.certificates import CertificateRow
from services.store.connection import to_micros
from services.supervision import auditor
from tests.support.outward import Outside, is_away
from tests.support.town import SOURCE, Town


def only(checks: list[Check]) -> Check:
    (check,) = checks
    return check


def test_a_home_with_a_device_and_no_safety_grant_is_named(town: Town) -> None:
    town.grant("acme", "h-1")

    check = only(contents.homes_without_grant(town.connection, now=town.now))

    assert check.status is Status.WARN
    assert "1 homes" in check.found
    assert "h-2" in check.found
    assert "grant add" in check.mend


@pytest.mark.parametrize("data_class", ["care", "fire"])
def test_a_grant_of_another_class_is_no_safety_grant(town: Town, data_class: str) -> None:
    town.grant("acme", "h-1", data_class)

    assert "2 homes" in only(contents.homes_without_grant(town.connection, now=town.now)).found


def test_a_safety_grant_counts_only_while_it_is_in_force(town: Town) -> None:
    ended = town.grant("acme", "h-1")
    town.grant("acme", "h-2", valid_until=town.now + timedelta(hours=1))
    well_before = only(contents.homes_without_grant(town.connection, now=town.now))

    town.revoke(ended)
    town.wait(3600)

    assert well_before.status is Status.OK
    assert "2 homes" in only(contents.homes_without_grant(town.connection, now=town.now)).found


def test_an_alarm_without_an_answer_is_told_with_its_age_until_it_is_answered(town: Town) -> None:
    town.grant("acme")
    alarm = town.press()
    town.wait(180)
    waiting = only(contents.unanswered(town.connection, now=town.now))

    town.acknowledge("acme", alarm)

    assert waiting.status is Status.WARN
    assert "1 without an answer, the oldest for 3 minutes" in waiting.found
    assert only(contents.unanswered(town.connection, now=town.now)).status is Status.OK


def test_a_delivery_is_late_after_a_minute_without_its_confirmation(town: Town) -> None:
    town.grant("acme")
    town.press()
    at_once = only(contents.deliveries(town.connection, now=town.now))
    town.wait(61)
    late = only(contents.deliveries(town.connection, now=town.now))
    town.confirm_all("acme")

    assert (at_once.status, late.status) == (Status.OK, Status.WARN)
    assert "1 unconfirmed" in late.found
    assert only(contents.deliveries(town.connection, now=town.now)).status is Status.OK


def test_what_is_read_in_the_live_stream_is_never_late(town: Town) -> None:
    town.grant("acme")
    outside = Outside(town)
    outside.subscribe("acme", "stream")
    town.release = Release(
        channels={"mqtt": town.channel, "stream": StreamChannel()},
        homes=town.homes,
        source=SOURCE,
        clock=town.clock,
    )
    town.press()
    town.confirm_all("acme")
    town.wait(61)

    assert only(contents.deliveries(town.connection, now=town.now)).status is Status.OK


def test_a_webhook_that_fails_is_named_with_how_long_and_why(town: Town) -> None:
    town.grant("acme")
    nobody = contents.webhooks(town.connection, now=town.now)
    outside = Outside(town)
    outside.subscribe("acme")
    outside.subscribe("beta")
    well = only(contents.webhooks(town.connection, now=town.now))
    outside.answers["acme"] = is_away

    town.press()
    outside.turn()
    outside.wait(180)

    failing = only(contents.webhooks(town.connection, now=town.now))
    assert nobody == []
    assert (well.status, well.found) == (Status.OK, "2, none fails")
    assert (failing.status, failing.found) == (
        Status.WARN,
        "1 of 2 fail: acme for 3 minutes, it is unreachable",
    )


def test_counters_that_do_not_add_up_are_a_failure(town: Town) -> None:
    def count(outcome: Outcome) -> None:
        town.write(lambda connection: quarantine.count(connection, "alarm", outcome))

    count(Outcome.STORED)
    count(Outcome.DUPLICATE)
    right = only(contents.counters(town.connection))
    town.write(lambda connection: events.count(connection, "alarm_received"))
    wrong = only(contents.counters(town.connection))

    assert (right.check, right.status) == ("counters alarm", Status.OK)
    assert right.found == "received 2 = stored 1 + duplicate 1 + quarantined 0"
    assert wrong.status is Status.FAIL
    assert wrong.found == "received 3 is not stored 1 + duplicate 1 + quarantined 0"


def test_quarantine_of_the_last_day_is_counted(town: Town) -> None:
    town.write(
        lambda connection: quarantine.keep(
            connection,
            lane="alarm",
            topic="up/p-1/p-1/alarm",
            client_id="p-1",
            device_id="p-1",
            home_id=None,
            external_id=None,
            reason="not JSON",
            payload=b"x",
            now=town.now,
        )
    )
    today = only(contents.quarantine(town.connection, now=town.now))

    assert (today.status, today.found[:1]) == (Status.WARN, "1")
    tomorrow = town.now + timedelta(hours=25)
    assert only(contents.quarantine(town.connection, now=tomorrow)).status is Status.OK


def test_without_a_city_organisation_doctor_warns_and_says_how_to_add_one(town: Town) -> None:
    without = only(contents.city(town.connection))
    town.add_city()

    assert without.status is Status.WARN
    assert "org add" in without.mend
    assert only(contents.city(town.connection)).status is Status.OK


def test_an_open_alarm_whose_timer_nobody_takes_is_a_failure(town: Town) -> None:
    town.grant("acme")
    town.press()

    on_time = only(contents.next_steps(town.connection, now=town.now))
    late = only(contents.next_steps(town.connection, now=town.now + timedelta(minutes=2)))

    assert (on_time.status, late.status) == (Status.OK, Status.FAIL)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (auditor.NO_NEXT_STEP, Status.FAIL),
        (auditor.LATE_TIMER, Status.FAIL),
        ("conflicting_event", Status.WARN),
    ],
)
def test_a_fault_is_as_grave_as_what_it_means_for_alarms(town: Town, code: str, expected: Status) -> None:
    town.write(lambda connection: status.open_fault(connection, code, "x", "Something is wrong", at=town.now))

    check = only(contents.faults(town.connection))

    assert check.status is expected
    assert "Something is wrong" in check.found


def test_an_auditor_that_has_not_looked_for_half_a_minute_is_a_failure_of_a_running_product(
    town: Town,
) -> None:
    town.write(lambda connection: events.set_counter(connection, auditor.AUDITED_AT, to_micros(town.now)))

    def seen_after(seconds: int, *, is_running: bool) -> list[Status]:
        now = town.now + timedelta(seconds=seconds)
        found = contents.auditor_is_fresh(town.connection, now=now, is_running=is_running)
        return [check.status for check in found]

    assert seen_after(29, is_running=True) == [Status.OK]
    assert seen_after(30, is_running=True) == [Status.FAIL]
    assert seen_after(30, is_running=False) == []


def test_certificates_that_run_out_within_a_month_or_have_are_counted_and_named(town: Town) -> None:
    for serial, subject, days in (("a", "p-1", -1), ("b", "p-2", 29), ("c", "s-1", 31)):
        row = CertificateRow(
            serial=serial,
            issuer="homes",
            subject=subject,
            issued_at=town.now - timedelta(days=900),
            expires_at=town.now + timedelta(days=days),
        )
        town.write(partial(certificate_rows.insert, certificate=row))

    check = only(certificates.issued(town.connection, now=town.now))

    assert check.status is Status.WARN
    assert check.found == "1 have run out, 1 will within 30 days; first: p-1, p-2"


def test_a_closed_alarm_is_nobody_s_worry(town: Town) -> None:
    town.grant("acme")
    alarm = town.alarm_of(town.say("p-1", AlarmKind.SAFETY_FALL))
    town.acknowledge("acme", alarm)
    town.close("acme", alarm)
    town.confirm_all("acme")
    later = town.now + timedelta(hours=1)

    for check in (
        *contents.unanswered(town.connection, now=later),
        *contents.deliveries(town.connection, now=later),
        *contents.next_steps(town.connection, now=later),
    ):
        assert check.status is Status.OK
