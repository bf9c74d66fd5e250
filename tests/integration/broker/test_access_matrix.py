"""Every kind of client, on every topic, in every way: who is heard and who hears.

    subject  ──publish, publish retained, will──>  broker  ──>  observer     what arrives must be
    observer ──publish, publish retained──────>    broker  ──>  subject      what the table allows

Asserted on what arrives. The broker grants every subscription and, to MQTT 3.1.1, acknowledges every
publication, so its answers prove nothing.
"""

import itertools
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from broker.access_rules import Access, Role, may
from broker.certificates import Issuer
from broker.configuration import LOOPBACK
from tests.integration.broker.client import MQTT_5, PROTOCOLS, MqttClient, client_context
from tests.integration.broker.running import OBSERVER, OBSERVER_USER, RunningBroker
from tests.integration.conftest import BrokerFactory

ORGANISATIONS = ("acme", "beta")
INTEGRATIONS = ("lora", "beta")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose rights are tried. The home ``acme`` and the integration ``beta`` have organisations' ids."""

    role: Role
    id: str
    protocol: MQTTProtocolVersion

    def __str__(self) -> str:
        return f"{self.role} {self.id} by MQTT {'5' if self.protocol == MQTT_5 else '3.1.1'}"


WHO = (
    (Role.HOME, "p7"),
    (Role.HOME, "acme"),
    (Role.INTEGRATION, "lora"),
    (Role.INTEGRATION, "beta"),
    (Role.PARTNER, "acme"),
    (Role.PARTNER, "beta"),
    (Role.HUB, "@hub"),
)
SUBJECTS = tuple(Subject(role=role, id=id_, protocol=p) for p in PROTOCOLS for role, id_ in WHO)

CONTRACT_TOPICS = tuple(
    pattern.format(id=id_)
    for pattern in (
        "up/{id}/d1/alarm",
        "up/{id}/d1/reading",
        "up/{id}/d1/status",
        "down/{id}/d1/receipt",
        "down/{id}/d1/command",
        "care/{id}/event",
        "care/{id}/reading",
        "care/{id}/action",
        "care/{id}/reply",
        "in/{id}/d1",
        "in/{id}/application/0/device/d1/event/up",
    )
    for id_ in ("p7", "h8", "acme", "beta", "lora")
)
ODD_TOPICS = (
    # other case
    "UP/p7/d1/alarm",
    "up/P7/d1/alarm",
    "Down/p7/d1/receipt",
    "care/ACME/event",
    "care/acme/Event",
    # trailing slash, missing and empty levels
    "up",
    "up/p7",
    "up/p7/",
    "up/p7//alarm",
    "up//p7/alarm",
    "/up/p7/d1/alarm",
    "down/p7",
    "down/p7/d1/receipt/",
    "down//p7/receipt",
    "care/acme",
    "care/acme/",
    "care/acme/event/",
    "care/acme/event/more",
    "care//event",
    "in",
    "in/lora",
    "in/lora/",
    "in/lora//d1",
    "in//d1",
    "IN/lora/d1",
    "in/Lora/d1",
    "/in/lora/d1",
    # one id the beginning of another, user names in the place of ids
    "up/p77/d1/alarm",
    "down/p77/d1/receipt",
    "in/lora2/d1",
    "up/CN=acme/d1/alarm",
    "down/CN=acme/d1/receipt",
    "care/CN=acme/event",
    "in/CN=beta/d1",
    "up/@hub/d1/alarm",
    "in/@hub/d1",
    # what is nobody's, and what is the hub's
    "probe/1",
    "elsewhere/p7",
)
TOPICS = CONTRACT_TOPICS + ODD_TOPICS
BROKERS_OWN_TOPICS = ("$SYS/stadsnav", "$SYS/broker/connection/p7/state", "$SYS/broker/version")
WRITTEN_TOPICS = TOPICS + BROKERS_OWN_TOPICS
WILDCARDS = (
    "#",
    "+/#",
    "+/+/+/+",
    "/#",
    "up/#",
    "up/+/+/alarm",
    "up/acme/#",
    "up/h8/#",
    "down/#",
    "down/+/+/receipt",
    "down/acme/#",
    "down/h8/+/command",
    "care/#",
    "care/+/event",
    "care/+/action",
    "care/acme/#",
    "care/beta/+",
    "in/#",
    "in/+/#",
    "in/lora/#",
    "in/beta/d1",
    "+/acme/#",
    "+/lora/#",
    "probe/#",
    "$SYS/#",
    "$share/{group}/#",
    "$share/{group}/up/+/+/alarm",
    "$share/{group}/down/+/+/receipt",
    "$share/{group}/care/+/event",
    "$share/{group}/in/+/#",
)


@pytest.fixture(scope="module")
def broker(
    tmp_path_factory: pytest.TempPathFactory, broker_factory: BrokerFactory
) -> Iterator[RunningBroker]:
    with broker_factory(tmp_path_factory.mktemp("matrix")) as made:
        made.let_observer_in(ORGANISATIONS, INTEGRATIONS, shut_out=["silenced"])
        made.start()
        yield made


@pytest.fixture(scope="module")
def observer(broker: RunningBroker) -> Iterator[MqttClient]:
    login = (OBSERVER_USER, OBSERVER.password)
    with MqttClient(broker.internal_port, login=login, client_id="observer") as client:
        client.subscribe("#", "$SYS/#", qos=2)
        yield client


@pytest.fixture(scope="module")
def subjects(broker: RunningBroker) -> Iterator[dict[Subject, MqttClient]]:
    with ExitStack() as stack:
        yield {subject: stack.enter_context(_client(broker, subject)) for subject in SUBJECTS}


def _client(broker: RunningBroker, subject: Subject) -> MqttClient:
    match subject.role:
        case Role.HOME | Role.INTEGRATION:
            folder = broker.credentials(Issuer.HOMES, subject.id)
            return MqttClient(broker.homes_port, folder=folder, protocol=subject.protocol)
        case Role.PARTNER:
            folder = broker.credentials(Issuer.PARTNERS, subject.id)
            return MqttClient(broker.partners_port, folder=folder, protocol=subject.protocol)
        case Role.HUB:
            login = (broker.hub.user_name, broker.hub.password)
            return MqttClient(broker.internal_port, login=login, protocol=subject.protocol)


Pair = tuple[str, str]
"""A subject and a topic; printed when a test fails."""


def _pairs(access: Access, topics: tuple[str, ...]) -> set[Pair]:
    return {
        (str(subject), topic)
        for subject, topic in itertools.product(SUBJECTS, topics)
        if may(subject.role, subject.id, access, topic) and not (access is Access.WRITE and topic[0] == "$")
    }


def _seen_by(observer: MqttClient, tag: str) -> set[Pair]:
    """What the observer got of the messages ``tag|subject``, once everything sent so far has arrived."""
    observer.publish("elsewhere/barrier", f"barrier {tag}")
    observer.wait_for_payload(f"barrier {tag}")
    return {
        (arrival.payload.removeprefix(f"{tag}|"), arrival.topic)
        for arrival in observer.arrivals
        if arrival.payload.startswith(f"{tag}|")
    }


@pytest.mark.parametrize("retain", [False, True])
def test_a_client_is_heard_on_its_own_topics_and_on_no_other(
    observer: MqttClient, subjects: dict[Subject, MqttClient], *, retain: bool
) -> None:
    tag = f"publish retain={retain}"
    tried = 0

    for subject, client in subjects.items():
        client.publish_all([(topic, f"{tag}|{subject}") for topic in WRITTEN_TOPICS], retain=retain)
        tried += len(WRITTEN_TOPICS)

    assert _seen_by(observer, tag) == _pairs(Access.WRITE, WRITTEN_TOPICS)
    assert tried == len(SUBJECTS) * len(WRITTEN_TOPICS) == 1_344
    observer.publish_all([(topic, "") for topic in TOPICS], retain=True)


def test_a_last_will_is_heard_on_the_clients_own_topics_and_on_no_other(
    broker: RunningBroker, observer: MqttClient
) -> None:
    tried = 0

    for subject in SUBJECTS:
        with_tls = _tls(broker, subject)
        for topic in WRITTEN_TOPICS:
            _die_with_will(broker, subject, with_tls, topic, f"will|{subject}")
            tried += 1

    assert _seen_by(observer, "will") == _pairs(Access.WRITE, WRITTEN_TOPICS)
    assert tried == len(SUBJECTS) * len(WRITTEN_TOPICS) == 1_344


def test_a_client_hears_its_own_topics_and_no_other_when_it_asks_for_each_by_name(
    observer: MqttClient, subjects: dict[Subject, MqttClient]
) -> None:
    for client in subjects.values():
        client.subscribe(*TOPICS)

    observer.publish_all([(topic, "by name") for topic in TOPICS])

    heard = _heard(subjects, "by name", TOPICS)
    assert heard == _pairs(Access.READ, TOPICS)
    assert len(subjects) * len(TOPICS) == len(SUBJECTS) * len(TOPICS) == 1_302


@pytest.mark.parametrize("topic_filter", WILDCARDS)
def test_a_wildcard_brings_a_client_its_own_topics_and_no_other(
    observer: MqttClient, subjects: dict[Subject, MqttClient], topic_filter: str
) -> None:
    asked = {subject: topic_filter.format(group=f"g{n}") for n, subject in enumerate(subjects)}
    for subject, client in subjects.items():
        client.subscribe(asked[subject])

    observer.publish_all([(topic, f"to {topic_filter}") for topic in TOPICS])

    for subject, client in subjects.items():
        client.unsubscribe(asked[subject])
    covered = {topic for topic in TOPICS if _covers(topic_filter, topic)}
    assert _heard(subjects, f"to {topic_filter}", ()) == {
        (subject, topic) for subject, topic in _pairs(Access.READ, TOPICS) if topic in covered
    }


def test_the_wildcards_were_tried_on_every_topic() -> None:
    assert len(WILDCARDS) * len(SUBJECTS) * len(TOPICS) == 39_060


def test_only_the_hub_hears_the_broker_speak_of_itself(subjects: dict[Subject, MqttClient]) -> None:
    for client in subjects.values():
        client.subscribe("$SYS/#", "$SYS/broker/version", "$SYS/broker/log/N")

    for client in subjects.values():
        client.unsubscribe("$SYS/#", "$SYS/broker/version", "$SYS/broker/log/N")

    told = {subject.role for subject, client in subjects.items() if _broker_topics(client)}
    assert told == {Role.HUB}


@pytest.mark.parametrize("topic_filter", ["#", "by name"])
def test_what_the_broker_retained_is_shown_to_those_who_may_read_it_and_no_other(
    observer: MqttClient, subjects: dict[Subject, MqttClient], topic_filter: str
) -> None:
    filters = TOPICS if topic_filter == "by name" else (topic_filter,)
    payload = f"retained, asked for {topic_filter}"
    observer.publish_all([(topic, payload) for topic in TOPICS], retain=True)

    for client in subjects.values():
        client.subscribe(*filters)

    heard = _heard(subjects, payload, filters)
    observer.publish_all([(topic, "") for topic in TOPICS], retain=True)
    assert heard == _pairs(Access.READ, TOPICS)


def test_an_integration_that_is_shut_out_is_heard_nowhere_not_even_as_a_home(
    broker: RunningBroker, observer: MqttClient
) -> None:
    topics = [topic.replace("lora", "silenced") for topic in WRITTEN_TOPICS]

    with broker.home_client("silenced") as client:
        client.publish_all([(topic, "silenced|") for topic in topics])
        client.subscribe("#", *(topic for topic in topics if topic[0] != "$"))
        observer.publish_all([(topic, "to silenced") for topic in topics if topic[0] != "$"])
        client.unsubscribe("#")
        heard = client.arrivals

    assert _seen_by(observer, "silenced") == set()
    assert heard == []


def test_each_role_is_allowed_something_so_that_nothing_arriving_is_no_proof() -> None:
    def allowed(role: Role, id_: str, access: Access) -> int:
        return sum(may(role, id_, access, topic) for topic in TOPICS)

    counts = {
        (role, id_): (allowed(role, id_, Access.WRITE), allowed(role, id_, Access.READ)) for role, id_ in WHO
    }

    assert counts == {
        (Role.HOME, "p7"): (6, 4),
        (Role.HOME, "acme"): (3, 2),
        (Role.INTEGRATION, "lora"): (5, 0),
        (Role.INTEGRATION, "beta"): (2, 0),
        (Role.PARTNER, "acme"): (1, 3),
        (Role.PARTNER, "beta"): (1, 3),
        (Role.HUB, "@hub"): (68, 87),
    }


def _heard(subjects: dict[Subject, MqttClient], payload: str, filters: tuple[str, ...]) -> set[Pair]:
    """What the subjects got of ``payload``, once the broker has ended their subscriptions."""
    for client in subjects.values():
        if filters:
            client.unsubscribe(*filters)
    return {
        (str(subject), arrival.topic)
        for subject, client in subjects.items()
        for arrival in client.arrivals
        if arrival.payload == payload
    }


def _broker_topics(client: MqttClient) -> set[str]:
    return {arrival.topic for arrival in client.arrivals if arrival.topic.startswith("$SYS/broker/")}


def _covers(topic_filter: str, topic: str) -> bool:
    """Whether a subscription takes ``topic`` in: MQTT 5, section 4.7, level by level."""
    if topic_filter.startswith("$share/"):
        topic_filter = topic_filter.split("/", 2)[2]
    levels = topic.split("/")
    for position, wanted in enumerate(topic_filter.split("/")):
        if wanted == "#":
            return True
        if position == len(levels) or wanted not in ("+", levels[position]):
            return False
    return len(topic_filter.split("/")) == len(levels)


def _tls(broker: RunningBroker, subject: Subject) -> ssl.SSLContext | None:
    match subject.role:
        case Role.HOME | Role.INTEGRATION:
            return client_context(broker.credentials(Issuer.HOMES, subject.id))
        case Role.PARTNER:
            return client_context(broker.credentials(Issuer.PARTNERS, subject.id))
        case Role.HUB:
            return None


def _die_with_will(
    broker: RunningBroker, subject: Subject, with_tls: ssl.SSLContext | None, topic: str, payload: str
) -> None:
    """Connect with a will, break the connection off, and return when the broker has noticed.

    By hand, since a client library would take a thread for each.
    """
    port = {
        Role.HOME: broker.homes_port,
        Role.INTEGRATION: broker.homes_port,
        Role.PARTNER: broker.partners_port,
        Role.HUB: broker.internal_port,
    }[subject.role]
    with ExitStack() as stack:
        raw = stack.enter_context(socket.create_connection((LOOPBACK, port), timeout=10))
        stream = stack.enter_context(with_tls.wrap_socket(raw, server_hostname=LOOPBACK)) if with_tls else raw
        stream.sendall(_connect_packet(broker, subject, topic, payload))
        stream.recv(1)  # the first byte of the broker's welcome, or of its refusal
        stream.shutdown(socket.SHUT_WR)
        while stream.recv(4096):
            pass


def _connect_packet(broker: RunningBroker, subject: Subject, topic: str, payload: str) -> bytes:
    """CONNECT with a will of QoS 1 (MQTT 5, section 3.1)."""
    is_hub = subject.role is Role.HUB
    no_properties = b"\0" if subject.protocol == MQTT_5 else b""
    will_and_clean = 0b0000_1110
    login = 0b1100_0000 if is_hub else 0
    body = _text("MQTT") + bytes([subject.protocol, will_and_clean | login]) + struct.pack(">H", 60)
    body += no_properties + _text(f"dying {subject}"[:23])
    body += no_properties + _text(topic) + _text(payload)
    if is_hub:
        body += _text(broker.hub.user_name) + _text(broker.hub.password)
    length = len(body)
    return bytes([0x10, length % 128 | 0x80, length // 128]) + body


def _text(text: str) -> bytes:
    return struct.pack(">H", len(text.encode())) + text.encode()
