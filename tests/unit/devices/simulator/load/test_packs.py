"""The load's packets: readable by others, the same for the same seed, never two of one device at one time."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.codecs import senml
from devices.simulator.load import LoadHub, LoadPlan
from devices.simulator.load.mqtt import PACKET_IDS, PUBACK_BYTES, expected_acknowledgements
from devices.simulator.load.packs import HOURS, Numbers, PackRing
from devices.simulator.load.plan import LoadPlanError
from devices.simulator.load.timetable import Timetable

HUBS: Final = (
    LoadHub(client_id="hub-1", devices=("meter-11", "meter-12", "meter-13")),
    LoadHub(client_id="hub-2", devices=("meter-21",)),
)
AT: Final = 1_764_000_000_000_000


@dataclass(frozen=True)
class Published:
    topic: str
    packet_id: int
    pack: list[dict[str, Any]]


def plan(**changes: Any) -> LoadPlan:
    chosen: dict[str, Any] = {
        "host": "h",
        "port": 1,
        "hubs": HUBS,
        "packs_per_second": 100.0,
        "seconds": 60.0,
    }
    return LoadPlan(**{**chosen, **changes})


def numbers(*values: int) -> Numbers:
    return np.array(values, np.int64)


def read(packet: bytes) -> Published:
    """MQTT 3.1.1, 3.3, byte by byte."""
    assert packet[0] == 0x32
    length, shift, at = 0, 0, 1
    while True:
        length |= (packet[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if packet[at - 1] < 0x80:
            break
    assert len(packet) == at + length
    end = at + 2 + int.from_bytes(packet[at : at + 2], "big")
    return Published(
        topic=packet[at + 2 : end].decode(),
        packet_id=int.from_bytes(packet[end : end + 2], "big"),
        pack=msgspec.json.decode(packet[end + 2 :]),
    )


@given(
    hub=st.integers(0, 1),
    number=st.integers(0, 10**9),
    at=st.integers(10**15, 2 * 10**15),
    hour=st.integers(0, HOURS - 1),
)
def test_a_packet_can_be_read_and_says_what_it_should(hub: int, number: int, at: int, hour: int) -> None:
    ring = PackRing(HUBS, "1")

    block = ring.render(numbers(hub), numbers(number), numbers(at), numbers(hour))

    found = read(block[0].tobytes())
    planned = HUBS[hub]
    device = planned.devices[number % len(planned.devices)]
    assert found.topic == f"up/{planned.client_id}/{device}/reading"
    assert found.packet_id == number % PACKET_IDS + 1
    temperature, humidity = found.pack
    assert round(temperature["bt"] * 1_000_000) == at
    assert (temperature["n"], temperature["u"]) == ("temperature", "Cel")
    assert (humidity["n"], humidity["u"]) == ("humidity", "%RH")
    assert 5 <= temperature["v"] <= 40
    assert 5 <= humidity["v"] <= 99


def test_the_product_reads_both_values_and_the_time() -> None:
    (packet,) = PackRing(HUBS, "1").render(numbers(0), numbers(0), numbers(AT + 123_457), numbers(3))

    temperature, humidity = senml.decode(packet.tobytes().partition(b"/reading\x00\x01")[2], received_us=AT)

    assert (temperature.name, temperature.unit, temperature.at_us) == ("temperature", "Cel", AT + 123_457)
    assert (humidity.name, humidity.unit, humidity.at_us) == ("humidity", "%RH", AT + 123_457)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    packets = (numbers(0, 0, 1), numbers(0, 1, 0), numbers(AT, AT + 1, AT + 2), numbers(0, 7, 23))

    first, again, other = (PackRing(HUBS, seed).render(*packets).tobytes() for seed in ("1", "1", "2"))

    assert first == again != other


def test_a_device_says_the_same_in_a_larger_load() -> None:
    packets = (numbers(0), numbers(2), numbers(AT), numbers(5))

    small, large = (PackRing(hubs, "1").render(*packets) for hubs in (HUBS[:1], HUBS))

    assert small.tobytes() == large.tobytes()


@settings(deadline=None)
@given(
    rate=st.floats(0.1, 400_000),
    first=st.integers(0, 10**7),
    day=st.none() | st.floats(10, 86_400),
    seed=st.text(max_size=3),
)
def test_the_times_of_a_hub_s_packs_strictly_increase(
    rate: float, first: int, day: float | None, seed: str
) -> None:
    timetable = Timetable(plan(packs_per_second=rate, day_seconds=day, seed=seed))
    number = first + np.arange(300)

    for hub in range(len(HUBS)):
        micros, hours = timetable.when(np.full(300, hub), number)

        assert (np.diff(micros) > 0).all()
        assert ((hours >= 0) & (hours < HOURS)).all()


@given(second=st.floats(0, 1_000), rate=st.floats(0.1, 10_000), day=st.none() | st.floats(10, 600))
def test_a_pack_is_due_at_its_time_and_not_before(second: float, rate: float, day: float | None) -> None:
    timetable = Timetable(plan(packs_per_second=rate, day_seconds=day))
    hubs = np.arange(len(HUBS))

    due = timetable.due(second)

    last, _ = timetable.when(hubs, np.maximum(due - 1, 0))
    following, _ = timetable.when(hubs, due)
    assert (last[due > 0] <= second * 1e6 + 1).all()
    assert (following >= second * 1e6 - 1).all()


def test_every_device_has_the_same_share() -> None:
    due = Timetable(plan(packs_per_second=400.0)).due(10.0)

    assert due == pytest.approx([3_000, 1_000], abs=1)


def test_acknowledgements_are_expected_in_order_and_from_any_byte() -> None:
    stream = b"".join(
        b"\x40\x02" + (number % PACKET_IDS + 1).to_bytes(2, "big") for number in range(PACKET_IDS + 10)
    )
    end = PACKET_IDS * PUBACK_BYTES

    assert expected_acknowledgements(0, len(stream)) == stream
    assert expected_acknowledgements(end - 7, 20) == stream[end - 7 : end + 13]
    assert expected_acknowledgements(3 * end + 5, 9) == stream[5:14]


@pytest.mark.parametrize(
    "hubs",
    [
        (),
        (LoadHub(client_id="a", devices=()),),
        (LoadHub(client_id="a", devices=("b", "bb")),),
        (LoadHub(client_id="a", devices=("b",)), LoadHub(client_id="aa", devices=("c",))),
    ],
)
def test_a_load_that_cannot_be_is_refused(hubs: tuple[LoadHub, ...]) -> None:
    with pytest.raises(LoadPlanError, match="expected"):
        plan(hubs=hubs)


@pytest.mark.parametrize("rate", [0.0, 10_000_000.0])
def test_a_pace_that_cannot_be_is_refused(rate: float) -> None:
    with pytest.raises(LoadPlanError, match="expected"):
        Timetable(plan(packs_per_second=rate))
