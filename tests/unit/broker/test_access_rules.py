import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import topics
from broker.access_rules import (
    HUB_USER,
    Access,
    ClientIdError,
    Role,
    access_file,
    may,
    organisation_of,
    partner_user,
)
from devices.kinds import ID_PATTERN

IDS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True)
READ, WRITE = Access.READ, Access.WRITE


def test_the_access_file_says_what_the_contract_says() -> None:
    content = access_file(["beta", "acme"], ["zigbee", "acme"], shut_out=["old"])
    rules = [line for line in content.splitlines() if line and not line.startswith("#")]

    assert rules == [
        "user @hub",
        "topic readwrite up/#",
        "topic readwrite down/#",
        "topic readwrite care/#",
        "topic read in/#",
        "topic readwrite probe/#",
        "topic read $SYS/#",
        "user CN=acme",
        "topic deny up/#",
        "topic deny down/#",
        "topic write care/acme/action",
        "topic read care/acme/event",
        "topic read care/acme/reading",
        "topic read care/acme/reply",
        "user CN=beta",
        "topic deny up/#",
        "topic deny down/#",
        "topic write care/beta/action",
        "topic read care/beta/event",
        "topic read care/beta/reading",
        "topic read care/beta/reply",
        "user acme",
        "topic deny up/#",
        "topic deny down/#",
        "topic write in/acme/#",
        "user zigbee",
        "topic deny up/#",
        "topic deny down/#",
        "topic write in/zigbee/#",
        "user old",
        "topic deny up/#",
        "topic deny down/#",
        "pattern write up/%u/#",
        "pattern read down/%u/#",
    ]


@pytest.mark.parametrize("id_", ["acme\nuser p7", "+", "#", "a/b", "Acme", "", "@hub"])
def test_an_id_that_could_bring_in_other_rules_is_refused(id_: str) -> None:
    for organisations, integrations, shut_out in (([id_], [], []), ([], [id_], []), ([], [], [id_])):
        with pytest.raises(ClientIdError, match="expected 1 to 63 of a-z"):
            access_file(organisations, integrations, shut_out=shut_out)


@given(id_=IDS)
def test_no_id_is_the_hubs_name_or_a_partners(id_: str) -> None:
    assert ID_PATTERN.fullmatch(HUB_USER) is None
    assert ID_PATTERN.fullmatch(partner_user(id_)) is None


@given(id_=IDS)
def test_a_partners_name_leads_back_to_the_organisation_and_a_homes_does_not(id_: str) -> None:
    assert organisation_of(partner_user(id_)) == id_
    assert organisation_of(id_) is None
    assert organisation_of(HUB_USER) is None


@given(id_=IDS, device_id=IDS)
def test_a_home_says_and_hears_what_the_contract_gives_it(id_: str, device_id: str) -> None:
    for lane in topics.Lane:
        assert may(Role.HOME, id_, WRITE, f"up/{id_}/{device_id}/{lane}")
        assert not may(Role.HOME, id_, READ, f"up/{id_}/{device_id}/{lane}")
    assert may(Role.HOME, id_, READ, topics.receipt_topic(id_, device_id))
    assert not may(Role.HOME, id_, WRITE, topics.receipt_topic(id_, device_id))


@given(id_=IDS)
def test_a_partner_says_and_hears_what_the_contract_gives_it(id_: str) -> None:
    for topic in (topics.event_topic(id_), topics.reply_topic(id_), f"care/{id_}/reading"):
        assert may(Role.PARTNER, id_, READ, topic)
        assert not may(Role.PARTNER, id_, WRITE, topic)
    assert may(Role.PARTNER, id_, WRITE, f"care/{id_}/action")
    assert not may(Role.PARTNER, id_, READ, f"care/{id_}/action")


@given(id_=IDS, rest=st.text(min_size=1, max_size=20))
def test_an_integration_says_what_it_likes_below_its_own_id_and_hears_nothing(id_: str, rest: str) -> None:
    assert may(Role.INTEGRATION, id_, WRITE, f"in/{id_}/{rest}")
    for branch in ("in", "up", "down", "care"):
        assert not may(Role.INTEGRATION, id_, READ, f"{branch}/{id_}/{rest}")


@given(id_=IDS, other=IDS, rest=st.text(alphabet="ab/", max_size=8), access=st.sampled_from([READ, WRITE]))
def test_nobody_reaches_below_anothers_id(id_: str, other: str, rest: str, access: Access) -> None:
    if id_ == other:
        return

    for role in (Role.HOME, Role.INTEGRATION, Role.PARTNER):
        for branch in ("up", "down", "care", "in"):
            assert not may(role, id_, access, f"{branch}/{other}/{rest}")


@given(id_=IDS, rest=st.text(alphabet="ab/", max_size=8), access=st.sampled_from([READ, WRITE]))
def test_clients_of_different_kinds_and_the_same_id_share_no_topic(
    id_: str, rest: str, access: Access
) -> None:
    topics_of_all = [f"{branch}/{id_}/{rest}" for branch in ("up", "down", "care", "in")]
    for topic in (*topics_of_all, f"care/{id_}/event"):
        roles = (Role.HOME, Role.INTEGRATION, Role.PARTNER)
        assert sum(may(role, id_, access, topic) for role in roles) <= 1


def test_only_the_hub_reads_what_the_broker_says_of_itself() -> None:
    assert may(Role.HUB, HUB_USER, READ, "$SYS/broker/log/N")
    assert not may(Role.HOME, "p7", READ, "$SYS/broker/log/N")
    assert not may(Role.PARTNER, "acme", READ, "$SYS/broker/log/N")
