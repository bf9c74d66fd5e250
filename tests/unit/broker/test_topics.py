"""The topics of the contract: what is written can be read again, anything else is refused."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broker import topics
from broker.topics import HomeTopic, Lane, TopicError
from devices.kinds import DeviceId

ids = st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True)
levels = st.sampled_from(
    [
        "up",
        "down",
        "care",
        "in",
        "alarm",
        "status",
        "reading",
        "action",
        "event",
        "p-1",
        "P1",
        "",
        "#",
        "+",
        "å",
    ]
)
topic_like = st.lists(levels, max_size=6).map("/".join)


def is_id(text: str) -> bool:
    """Slow and obvious."""
    letters = set("abcdefghijklmnopqrstuvwxyz0123456789")
    return 1 <= len(text) <= 63 and text[0] in letters and all(c in letters | {"-"} for c in text)


def matches(topic_filter: str, topic: str) -> bool:
    """MQTT's ``+``, level by level."""
    pairs = list(zip(topic_filter.split("/"), topic.split("/"), strict=False))
    is_as_long = topic_filter.count("/") == topic.count("/")
    return is_as_long and all(wanted in {"+", level} for wanted, level in pairs)


@given(client=ids, device=ids, lane=st.sampled_from(Lane))
def test_a_home_topic_that_is_written_is_read_again(client: str, device: str, lane: Lane) -> None:
    topic = f"up/{client}/{device}/{lane}"

    assert topics.parse_home_topic(topic) == HomeTopic(
        client_id=DeviceId(client), device_id=DeviceId(device), lane=lane
    )
    assert [matches(topics.lane_filter(other), topic) for other in Lane] == [other is lane for other in Lane]


@given(organisation=ids)
def test_an_action_topic_that_is_written_is_read_again(organisation: str) -> None:
    topic = f"care/{organisation}/action"

    assert topics.parse_action_topic(topic) == organisation
    assert matches(topics.ACTION_FILTER, topic)


@given(integration=ids, rest=st.text(min_size=1, max_size=100))
@example(integration="lora", rest="application/0/device/0004a30b001c0530/event/up")
@example(integration="z1", rest="/")
def test_an_integrations_topic_is_its_id_and_the_topic_of_its_dialect(integration: str, rest: str) -> None:
    topic = f"in/{integration}/{rest}"

    assert topics.parse_integration_topic(topic) == (integration, rest)
    assert topics.INTEGRATION_FILTER == "in/+/#"


@given(client=ids, device=ids)
def test_what_goes_out_is_never_taken_for_what_comes_in(client: str, device: str) -> None:
    for topic in (
        topics.receipt_topic(client, device),
        topics.event_topic(client),
        topics.reading_topic(client),
        topics.reply_topic(client),
    ):
        with pytest.raises(TopicError):
            topics.parse_home_topic(topic)
        with pytest.raises(TopicError):
            topics.parse_integration_topic(topic)
        with pytest.raises(TopicError):
            topics.parse_action_topic(topic)
    assert topics.receipt_topic(client, device) == f"down/{client}/{device}/receipt"
    assert topics.event_topic(client) == f"care/{client}/event"
    assert topics.reading_topic(client) == f"care/{client}/reading"
    assert topics.reply_topic(client) == f"care/{client}/reply"


@given(topic=st.text(max_size=100) | topic_like)
@example(topic="up/p-1/p-1/alarm\n")
@example(topic="up/p-1\n/p-1/alarm")
@example(topic="up/p-1/p-1/alarm/")
@example(topic="/up/p-1/p-1/alarm")
def test_any_text_is_a_home_topic_with_proper_ids_or_a_topic_error(topic: str) -> None:
    match topic.split("/"):
        case ["up", client, device, lane] if is_id(client) and is_id(device) and lane in list(Lane):
            read = topics.parse_home_topic(topic)
            assert (read.client_id, read.device_id, read.lane) == (client, device, lane)
        case _:
            with pytest.raises(TopicError, match=r"expected up/\{client\}/\{device\}/") as caught:
                topics.parse_home_topic(topic)
            assert caught.value.topic == topic


@given(topic=st.text(max_size=100) | topic_like)
@example(topic="care/acme/action\n")
def test_any_text_is_an_action_topic_with_a_proper_id_or_a_topic_error(topic: str) -> None:
    match topic.split("/"):
        case ["care", organisation, "action"] if is_id(organisation):
            assert topics.parse_action_topic(topic) == organisation
        case _:
            with pytest.raises(TopicError, match=r"expected care/\{organisation\}/action"):
                topics.parse_action_topic(topic)


@given(topic=st.text(max_size=100) | topic_like)
@example(topic="in/lora")
@example(topic="in/lora/")
@example(topic="in/lora\n/x")
def test_any_text_is_an_integrations_topic_with_a_proper_id_or_a_topic_error(topic: str) -> None:
    match topic.split("/"):
        case ["in", integration, *rest] if is_id(integration) and rest not in ([], [""]):
            assert topics.parse_integration_topic(topic) == (integration, "/".join(rest))
        case _:
            with pytest.raises(TopicError, match=r"expected in/\{integration\}/"):
                topics.parse_integration_topic(topic)


@pytest.mark.parametrize("name", ["", "A", "-a", "a" * 64, "a b", "a/b", "+", "#"])
def test_a_name_that_is_no_id_makes_no_topic(name: str) -> None:
    for topic in (f"up/{name}/p-1/alarm", f"up/p-1/{name}/alarm"):
        with pytest.raises(TopicError):
            topics.parse_home_topic(topic)


@pytest.mark.parametrize("name", ["", "A", "-a", "a" * 64, "a b", "+", "#"])
def test_a_name_that_is_no_id_makes_no_integrations_topic(name: str) -> None:
    with pytest.raises(TopicError):
        topics.parse_integration_topic(f"in/{name}/state")


def test_a_long_topic_is_cut_in_the_sentence() -> None:
    error = TopicError("x" * 1_000, expected="y")

    assert len(str(error)) < 200
