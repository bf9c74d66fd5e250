"""Registering and granting: every refusal says what is wrong and what would be right, and writes nothing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from devices.kinds import DataClass, HomeId
from devices.profiles import load_profiles
from services import registry
from services.domain.errors import RefusedError
from services.domain.homes import DeviceState, Home, Organisation, OrganisationKind
from services.domain.ids import OrganisationId
from services.registry import HomeChange, HomeCorrection, NewDevice, NewGrant
from services.store import audit, certificates
from services.store import registry as rows
from services.store.certificates import CertificateRow
from services.store.connection import Connection
from tests.support.clock import START
from tests.support.town import TESTER, Town

ID_FORM = "expected a-z, 0-9 and '-', at most 63, beginning with a letter or a digit"
TEXT_FORM = "expected 1 to 200 printable characters"
PROFILES = load_profiles()
HOME = Home(id=HomeId("h-3"), address="Storgatan 3", co_id="co", access_id="7", node="n-1")
DEVICE = NewDevice(id="p-3", home_id="h-1", profile="fall-detector")
CARE = Organisation(id=OrganisationId("gamma"), name="Gamma AB", kind=OrganisationKind.CARE)
GRANT = NewGrant(
    organisation_id="acme", home_id="h-1", data_class="safety", purpose="answers", legal_basis="contract"
)

Work = Callable[[Connection], Any]


def adding(thing: Home | NewDevice | Organisation | NewGrant) -> Work:
    """The use case that registers it."""
    match thing:
        case Home():
            return partial(registry.add_home, home=thing, actor=TESTER, now=START)
        case NewDevice():
            return partial(registry.add_device, new=thing, profiles=PROFILES, actor=TESTER, now=START)
        case Organisation():
            return partial(registry.add_organisation, organisation=thing, actor=TESTER, now=START)
    return partial(registry.add_grant, new=thing, actor=TESTER, now=START)


def setting(device_id: str, state: DeviceState) -> Work:
    return partial(registry.set_device_state, device_id=device_id, state=state, actor=TESTER, now=START)


def revoking(grant_id: str) -> Work:
    return partial(registry.revoke_grant, grant_id=grant_id, actor=TESTER, now=START)


LONG = "x" * 201
TAKEN = (
    "Position 'safety alarm' of home 'h-1' is held by device 'p-1'; "
    "name another with --position, or retire that device first"
)
REFUSALS: list[tuple[Work, str, str]] = [
    (adding(replace(HOME, id=HomeId("H 3"))), "invalid", f"Cannot use 'H 3' as home id: {ID_FORM}"),
    (adding(replace(HOME, id=HomeId("-h"))), "invalid", f"Cannot use '-h' as home id: {ID_FORM}"),
    (adding(replace(HOME, id=HomeId("å"))), "invalid", f"Cannot use 'å' as home id: {ID_FORM}"),
    (
        adding(replace(HOME, id=HomeId("h" * 64))),
        "invalid",
        f"Cannot use '{'h' * 64}' as home id: {ID_FORM}",
    ),
    (adding(replace(HOME, id=HomeId("h-3\n"))), "invalid", f"Cannot use 'h-3\\n' as home id: {ID_FORM}"),
    (adding(replace(HOME, address=" ")), "invalid", f"Cannot use ' ' as address: {TEXT_FORM}"),
    (adding(replace(HOME, address=LONG)), "invalid", f"Cannot use '{'x' * 80}' as address: {TEXT_FORM}"),
    (adding(replace(HOME, node="a\nb")), "invalid", f"Cannot use 'a\\nb' as node: {TEXT_FORM}"),
    (adding(replace(HOME, co_id="\0")), "invalid", f"Cannot use '\\x00' as line: {TEXT_FORM}"),
    (
        adding(replace(HOME, id=HomeId("h-1"))),
        "exists",
        "The home 'h-1' exists already; choose another id",
    ),
    (adding(replace(DEVICE, id="P3")), "invalid", f"Cannot use 'P3' as device id: {ID_FORM}"),
    (
        adding(replace(DEVICE, profile="toaster")),
        "invalid",
        "Cannot use 'toaster' as profile: expected one of " + ", ".join(PROFILES.names),
    ),
    (
        adding(replace(DEVICE, home_id="h-9")),
        "unknown",
        "There is no home 'h-9'; register it first with `stadsnav home add`",
    ),
    (adding(replace(DEVICE, position="\t")), "invalid", f"Cannot use '\\t' as position: {TEXT_FORM}"),
    (
        adding(replace(DEVICE, id="p-1")),
        "exists",
        "The device 'p-1' exists already; choose another id",
    ),
    (
        adding(replace(DEVICE, position="safety alarm")),
        "position_taken",
        TAKEN,
    ),
    (
        setting("p-9", DeviceState.SUSPENDED),
        "unknown",
        "There is no device 'p-9'; see `stadsnav device list`",
    ),
    (
        adding(replace(CARE, id=OrganisationId(""))),
        "invalid",
        f"Cannot use '' as organisation id: {ID_FORM}",
    ),
    (adding(replace(CARE, name="")), "invalid", f"Cannot use '' as name: {TEXT_FORM}"),
    (
        adding(replace(CARE, id=OrganisationId("acme"))),
        "exists",
        "The organisation 'acme' exists already; choose another id",
    ),
    (
        adding(replace(GRANT, organisation_id="eve")),
        "unknown",
        "There is no organisation 'eve'; register it with `stadsnav org add`",
    ),
    (
        adding(replace(GRANT, home_id="h-9")),
        "unknown",
        "There is no home 'h-9'; register it with `stadsnav home add`",
    ),
    (
        adding(replace(GRANT, data_class="safty")),
        "invalid",
        f"Cannot use 'safty' as class: expected one of {', '.join(DataClass)}",
    ),
    (adding(replace(GRANT, purpose="")), "invalid", f"Cannot use '' as purpose: {TEXT_FORM}"),
    (adding(replace(GRANT, legal_basis="")), "invalid", f"Cannot use '' as basis: {TEXT_FORM}"),
    (adding(replace(GRANT, step=0)), "invalid", "Cannot use '0' as step: expected a number from 1 to 99"),
    (
        adding(replace(GRANT, step=100)),
        "invalid",
        "Cannot use '100' as step: expected a number from 1 to 99",
    ),
    (
        adding(replace(GRANT, within=timedelta(0))),
        "invalid",
        "Cannot use '0:00:00' as within: expected more than 0 and at most 86400 seconds",
    ),
    (
        adding(replace(GRANT, within=timedelta(days=1, microseconds=1))),
        "invalid",
        "Cannot use '1 day, 0:00:00.000001' as within: expected more than 0 and at most 86400 seconds",
    ),
    (
        adding(replace(GRANT, valid_until=START)),
        "invalid",
        f"Cannot use '{START}' as until: expected a time after {START.isoformat()}",
    ),
    (
        adding(replace(GRANT, position="bed")),
        "unknown",
        "There is no position 'bed'; see `stadsnav device list --home h-1`",
    ),
    (revoking("g-9"), "unknown", "There is no grant 'g-9'; see `stadsnav grant list`"),
]


@pytest.mark.parametrize(("work", "code", "sentence"), REFUSALS, ids=[case[2][:50] for case in REFUSALS])
def test_every_refusal_says_what_is_wrong_and_what_would_be_right_and_writes_nothing(
    town: Town, work: Work, code: str, sentence: str
) -> None:
    before = list(audit.entries(town.connection))

    with pytest.raises(RefusedError) as caught:
        work(town.connection)

    assert str(caught.value) == sentence
    assert caught.value.code == code
    assert list(audit.entries(town.connection)) == before


def actions(town: Town) -> list[str]:
    return [row.action for row in audit.entries(town.connection)]


@pytest.mark.parametrize("thing", [HOME, DEVICE, CARE], ids=["home", "device", "organisation"])
def test_the_very_same_again_changes_nothing(town: Town, thing: Home | NewDevice | Organisation) -> None:
    first = town.write(adding(thing))
    logged = actions(town)

    again = town.write(adding(thing))

    assert again == first
    assert actions(town) == logged


def test_what_is_registered_is_in_the_log_with_who_did_it(town: Town) -> None:
    before = len(actions(town))

    town.write(adding(HOME))
    town.write(adding(DEVICE))
    town.write(adding(CARE))
    grant = town.write(adding(GRANT))
    town.revoke(grant)
    town.set_state("p-1", DeviceState.SUSPENDED)

    new = list(audit.entries(town.connection))[before:]
    assert [row.action for row in new] == [
        "home_added",
        "device_added",
        "organisation_added",
        "granted",
        "grant_revoked",
        "device_suspended",
    ]
    assert {row.actor for row in new} == {TESTER}
    assert (new[3].organisation_id, new[3].home_id, new[3].purpose) == ("acme", "h-1", "answers")
    assert new[3].details == "safety step 1 basis contract"


@pytest.mark.parametrize(
    ("home", "expected"),
    [
        (HOME, HomeChange.CREATED),
        (Home(id=HomeId("h-1"), address="Storgatan h-1"), HomeChange.UNCHANGED),
        (Home(id=HomeId("h-1"), address="Lilla torg"), HomeChange.UPDATED),
    ],
)
def test_putting_a_home_does_what_the_judgement_said(town: Town, home: Home, expected: HomeChange) -> None:
    judged = registry.judge_home(town.connection, home)
    logged = len(actions(town))

    done = town.write(partial(registry.put_home, home=home, actor=TESTER, now=START))

    assert (judged, done) == (expected, expected)
    assert rows.home(town.connection, home.id) == home
    assert len(actions(town)) - logged == (0 if expected is HomeChange.UNCHANGED else 1)


def test_a_device_takes_its_profiles_place_unless_one_is_named(town: Town) -> None:
    usual = town.write(adding(DEVICE))
    named = town.write(adding(replace(DEVICE, id="p-4", position="bedside")))

    assert (usual.position, named.position) == ("fall detector", "bedside")
    assert usual.state is DeviceState.IN_SERVICE


def test_a_profile_may_be_named_by_any_of_its_names(town: Town) -> None:
    device = town.write(adding(replace(DEVICE, profile="Falldetektor")))

    assert device.profile == "fall-detector"


def test_a_successor_takes_the_position_of_a_retired_device(town: Town) -> None:
    old = town.device("p-1")
    town.set_state("p-1", DeviceState.RETIRED)

    new = town.write(adding(replace(DEVICE, profile="safety-alarm")))

    assert (new.position, new.position_id) == ("safety alarm", old.position_id)


def test_a_suspended_device_keeps_its_position_and_comes_back(town: Town) -> None:
    town.set_state("p-1", DeviceState.SUSPENDED)
    with pytest.raises(RefusedError, match="held by device 'p-1'"):
        adding(replace(DEVICE, profile="safety-alarm"))(town.connection)

    town.set_state("p-1", DeviceState.IN_SERVICE)

    assert town.device("p-1").state is DeviceState.IN_SERVICE


@pytest.mark.parametrize("state", [DeviceState.IN_SERVICE, DeviceState.SUSPENDED])
def test_a_retired_device_stays_retired(town: Town, state: DeviceState) -> None:
    town.set_state("p-1", DeviceState.RETIRED)

    with pytest.raises(RefusedError) as caught:
        setting("p-1", state)(town.connection)

    assert caught.value.code == "retired"
    assert str(caught.value) == "Device 'p-1' is retired for good; register its successor with a new id"


def test_retiring_a_device_ends_its_certificates_and_suspending_does_not(town: Town) -> None:
    def issue(connection: Connection) -> None:
        for serial, subject in (("0a", "p-1"), ("0b", "s-1")):
            row = CertificateRow(
                serial=serial,
                issuer="homes",
                subject=subject,
                issued_at=START,
                expires_at=START + timedelta(days=1),
            )
            certificates.insert(connection, row)

    town.write(issue)

    town.set_state("p-1", DeviceState.RETIRED)
    town.set_state("s-1", DeviceState.SUSPENDED)

    assert certificates.revoked(town.connection, "homes", now=START) == [("0a", START)]


def test_a_grant_holds_from_now_for_every_position_in_step_1_for_a_minute_unless_said_otherwise(
    town: Town,
) -> None:
    grant = town.write(adding(GRANT))

    assert (grant.valid_from, grant.valid_until, grant.position_id) == (START, None, None)
    assert (grant.step, grant.within) == (1, timedelta(seconds=60))
    assert rows.grant(town.connection, grant.id) == grant


def test_a_grant_of_one_position_reaches_no_other(town: Town) -> None:
    town.write(adding(replace(GRANT, position="stove guard")))

    town.say("p-1", "safety.manual")
    town.say("s-1", "safety.manual")

    assert [told.alarm.device_id for told in town.channel.told("acme")] == ["s-1"]


def test_revoking_again_keeps_the_first_end_and_logs_nothing(town: Town) -> None:
    grant = town.write(adding(GRANT))
    town.revoke(grant)
    logged = len(actions(town))
    town.clock.advance(timedelta(hours=1))

    town.revoke(grant)

    after = rows.grant(town.connection, grant.id)
    assert after is not None
    assert (after.revoked_at, len(actions(town))) == (START, logged)


def test_a_home_is_corrected_where_it_is_said_and_logged(town: Town) -> None:
    town.write(adding(HOME))

    correct = partial(registry.correct_home, home_id="h-3", actor=TESTER, now=START)
    home = town.write(partial(correct, correction=HomeCorrection(node="n-2", co_id="", access_id="")))

    assert home == replace(HOME, node="n-2", co_id="", access_id="") == rows.home(town.connection, "h-3")
    assert [row.action for row in audit.entries(town.connection) if row.home_id == "h-3"] == [
        "home_added",
        "home_updated",
    ]


def test_a_correction_that_cannot_be_right_or_is_of_no_home_changes_nothing(town: Town) -> None:
    for home_id, correction in (("h-1", HomeCorrection(address=" ")), ("h-x", HomeCorrection(node="n"))):
        with pytest.raises(RefusedError):
            town.write(
                partial(
                    registry.correct_home, home_id=home_id, correction=correction, actor=TESTER, now=START
                )
            )

    assert [home.address for home in rows.homes(town.connection, limit=9)] == [
        "Storgatan h-1",
        "Storgatan h-2",
    ]
