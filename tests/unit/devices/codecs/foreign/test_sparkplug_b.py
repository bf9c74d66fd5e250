"""Sparkplug B: births, aliases, sequence numbers, deaths; and the wire format, written here by hand."""

import struct
from datetime import UTC, datetime

import pytest

from devices.codecs.errors import PayloadError
from devices.codecs.foreign import sparkplug_b
from devices.codecs.foreign.sparkplug_b import OTHERS, SparkplugB
from devices.codecs.foreign.values import ForeignMessage
from devices.codecs.foreign.vocabulary import State, StatusPart
from tests.support.foreign import values

AT = datetime(2026, 11, 23, 8, 15, 2, 120_000, tzinfo=UTC)
AT_MS = 1_795_421_702_120

INT8, INT64, DOUBLE, BOOLEAN = 1, 4, 10, 11


def varint(number: int) -> bytes:
    number %= 1 << 64
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def number_field(field: int, number: int) -> bytes:
    return varint(field << 3) + varint(number)


def bytes_field(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


def double(value: float) -> bytes:
    return varint(13 << 3 | 1) + struct.pack("<d", value)


def unit(text: str) -> bytes:
    value = number_field(1, 12) + bytes_field(8, text.encode())
    return bytes_field(9, bytes_field(1, b"engUnit") + bytes_field(2, value))


def metric(name: str = "", *, alias: int | None = None, datatype: int = DOUBLE, rest: bytes = b"") -> bytes:
    parts = bytes_field(1, name.encode()) if name else b""
    parts += number_field(2, alias) if alias is not None else b""
    return parts + number_field(3, AT_MS) + number_field(4, datatype) + rest


def payload(*metrics: bytes, seq: int | None = 0) -> bytes:
    said = number_field(1, AT_MS) + b"".join(bytes_field(2, one) for one in metrics)
    return said + (number_field(3, seq) if seq is not None else b"")


BD_SEQ = metric("bdSeq", datatype=INT64, rest=number_field(11, 7))
TEMPERATURE = metric("Temperature", alias=3, rest=double(21.5))


class Edge:
    """A dialect, and an edge node that counts its messages."""

    def __init__(self) -> None:
        self.dialect = SparkplugB()
        self.seq = 0

    def say(self, topic: str, *metrics: bytes, seq: int | None = -1) -> list[ForeignMessage]:
        seq = self.seq if seq == -1 else seq
        self.seq = (self.seq + 1) % 256
        return self.dialect.decode(f"spBv1.0/{topic}", payload(*metrics, seq=seq), received_at=AT)

    def be_born(self) -> None:
        self.seq = 0
        self.say("g/NBIRTH/e", BD_SEQ)
        self.say("g/DBIRTH/e/meter", TEMPERATURE, metric("Power", alias=4, rest=unit("kW") + double(0)))


@pytest.fixture
def edge() -> Edge:
    edge = Edge()
    edge.be_born()
    return edge


def test_a_birth_is_data_too() -> None:
    messages = Edge().say("g/DBIRTH/e/meter", TEMPERATURE)

    assert messages[0].external_id == "g/e/meter"
    assert messages[0].values[0].sent_at == AT
    assert values(*messages) == {"temperature": (21.5, "Cel")}


def test_data_by_alias_mean_what_the_birth_said(edge: Edge) -> None:
    messages = edge.say("g/DDATA/e/meter", metric(alias=4, rest=double(1.25)))

    assert values(*messages) == {"power": (1250, "W")}


def test_data_by_alias_before_a_birth_are_refused_by_name() -> None:
    with pytest.raises(PayloadError, match="'g/e/meter' needs a rebirth: no birth says what 'alias 4' is"):
        Edge().say("g/DDATA/e/meter", metric(alias=4, rest=double(1)))


def test_what_has_a_name_is_taken_before_a_birth_and_the_rest_is_named() -> None:
    (message,) = Edge().say("g/DDATA/e/meter", TEMPERATURE, metric(alias=4, rest=double(1)))

    assert values(message) == {"temperature": (21.5, "Cel")}
    assert message.ignored == ("alias 4: needs a rebirth",)


def test_after_a_gap_an_alias_means_nothing_until_the_next_birth(edge: Edge) -> None:
    edge.seq += 1

    with pytest.raises(PayloadError, match="needs a rebirth"):
        edge.say("g/DDATA/e/meter", metric(alias=4, rest=double(1)))

    edge.be_born()
    assert values(*edge.say("g/DDATA/e/meter", metric(alias=4, rest=double(1)))) == {"power": (1000, "W")}


def test_the_same_message_again_is_no_gap(edge: Edge) -> None:
    edge.say("g/DDATA/e/meter", metric(alias=4, rest=double(1)), seq=2)

    again = edge.say("g/DDATA/e/meter", metric(alias=4, rest=double(1)), seq=2)

    assert again[0].message_id == "DDATA-1795421702120-2"
    assert values(*edge.say("g/DDATA/e/meter", metric(alias=4, rest=double(2)), seq=3)) == {
        "power": (2000, "W")
    }


def test_the_sequence_wraps_after_255(edge: Edge) -> None:
    for _ in range(300):
        assert edge.say("g/DDATA/e/meter", metric(alias=4, rest=double(1)))


@pytest.mark.parametrize(("bd_seq", "is_forgotten"), [(7, True), (6, False)])
def test_a_death_counts_if_it_belongs_to_the_birth(edge: Edge, bd_seq: int, *, is_forgotten: bool) -> None:
    death = metric("bdSeq", datatype=INT64, rest=number_field(11, bd_seq))

    assert edge.dialect.decode("spBv1.0/g/NDEATH/e", payload(death, seq=None), received_at=AT) == []

    assert ("g/e" not in edge.dialect._edges) is is_forgotten


def test_a_device_that_has_died_needs_a_birth(edge: Edge) -> None:
    assert edge.say("g/DDEATH/e/meter") == []

    with pytest.raises(PayloadError, match="needs a rebirth"):
        edge.say("g/DDATA/e/meter", metric(alias=4, rest=double(1)))


def test_metrics_that_end_alike_keep_their_paths() -> None:
    messages = Edge().say(
        "g/NBIRTH/e",
        metric("Hall 1/Temperature", rest=double(20)),
        metric("Loft/Temperature", rest=double(10)),
        metric("Meter/Power", rest=double(5)),
    )

    assert values(*messages) == {
        "hall-1/temperature": (20, "Cel"),
        "loft/temperature": (10, "Cel"),
        "power": (5, "W"),
    }


def test_a_name_with_a_path_needs_a_birth_since_another_may_end_alike() -> None:
    with pytest.raises(PayloadError, match="needs a rebirth"):
        Edge().say("g/NDATA/e", metric("Hall/Temperature", rest=double(20)))


def test_energy_without_a_unit_is_not_guessed() -> None:
    (message,) = Edge().say("g/DBIRTH/e/m", metric("Energy", rest=double(1)))

    assert message.values == ()
    assert message.ignored == ("Energy",)


@pytest.mark.parametrize("on_the_wire", [0xFB, 0xFFFFFFFB])
def test_signed_numbers_travel_in_twos_complement(on_the_wire: int) -> None:
    messages = Edge().say(
        "g/DBIRTH/e/m", metric("Temperature", datatype=INT8, rest=number_field(10, on_the_wire))
    )

    assert values(*messages) == {"temperature": (-5, "Cel")}


def test_null_and_not_a_number_are_ignored() -> None:
    (message,) = Edge().say(
        "g/DBIRTH/e/m",
        metric("Temperature", rest=number_field(7, 1) + double(1)),
        metric("Power", rest=double(float("nan"))),
    )

    assert message.values == ()
    assert message.ignored == ("Temperature", "Power")


def test_a_name_that_is_no_text_spoils_one_metric() -> None:
    messages = Edge().say("g/DBIRTH/e/m", bytes_field(1, b"\xff\xfe") + double(1), TEMPERATURE)

    assert values(*messages) == {"temperature": (21.5, "Cel")}


def test_presence_is_a_reading_and_the_battery_is_status() -> None:
    (message,) = Edge().say(
        "g/DBIRTH/e/m",
        metric("Occupancy", datatype=BOOLEAN, rest=number_field(14, 1)),
        metric("Battery", rest=double(55)),
    )

    assert values(message) == {"presence": (1, "/")}
    assert message.status is not None
    assert message.status.battery_percent == 55


def test_nothing_is_ever_an_alarm() -> None:
    (message,) = Edge().say("g/DBIRTH/e/m", metric("Smoke", datatype=BOOLEAN, rest=number_field(14, 1)))

    assert message.alarms == ()
    assert all(isinstance(place, State | StatusPart) for place in OTHERS.values())


@pytest.mark.parametrize(
    "topic", ["spBv1.0/STATE/host", "spBv1.0/g/NCMD/e", "spBv1.0/g/DCMD/e/m", "STATE/host"]
)
def test_what_is_about_no_device_says_nothing(topic: str) -> None:
    assert SparkplugB().decode(topic, b"\xff", received_at=AT) == []


@pytest.mark.parametrize("topic", ["spBv1.0/g/NDATA/e/m", "spBv1.0/g/DDATA/e", "spAv1.0/g/NDATA/e", "g"])
def test_a_topic_of_another_shape_is_refused(topic: str) -> None:
    with pytest.raises(PayloadError, match=r"right would be spBv1\.0/"):
        SparkplugB().decode(topic, b"", received_at=AT)


def test_an_edge_that_is_forgotten_at_the_bound_needs_a_birth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparkplug_b, "MAX_METRICS", 12)
    edge = Edge()
    edge.be_born()

    for number in range(4):
        edge.say(f"g/NBIRTH/other{number}", TEMPERATURE, seq=0)

    with pytest.raises(PayloadError, match="needs a rebirth"):
        edge.say("g/DDATA/e/meter", metric(alias=4, rest=double(1)), seq=2)
