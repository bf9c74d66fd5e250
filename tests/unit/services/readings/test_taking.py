"""What becomes of the values of one message: converted, measured against the model, stored or set aside."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.bulk_session import Mark
from services.readings.handover import Heard, Said
from services.store.connection import to_micros
from tests.support.clock import FrozenClock
from tests.support.reading_lane import ReadingLane, pack, readings_database
from tests.support.stores import memory_database
from tests.support.town import Town

METER = "up/m-1/m-1/reading"


@pytest.mark.parametrize(
    ("device", "record", "stored"),
    [
        ("m-1", {"n": "temperature", "u": "Cel", "v": 21.5}, 21.5),
        ("m-1", {"n": "temperature", "v": 21.5}, 21.5),
        ("m-1", {"n": "pressure", "u": "hPa", "v": 1_013}, 101_300.0),
        ("m-1", {"n": "co2", "u": "ppm", "v": 400}, 0.0004),
        ("e-1", {"n": "energy", "u": "kWh", "v": 2}, 7_200_000.0),
        ("e-1", {"n": "power", "u": "kW", "v": -1.5}, -1_500.0),
        ("l-1", {"n": "leak", "vb": True}, 1.0),
        ("m-1", {"bn": "urn:dev:mac:0024befffe804ff1:", "n": "temperature", "v": 4}, 4.0),
        ("m-1", {"bn": "urn:home/bathroom/", "n": "temperature", "v": 4}, 4.0),
        ("m-1", {"bv": 20, "n": "temperature", "v": 1.5}, 21.5),
        ("m-1", {"n": "humidity", "v": 0}, 0.0),
        ("m-1", {"n": "humidity", "v": 100}, 100.0),
    ],
)
async def test_a_value_is_stored_in_the_unit_and_under_the_name_of_the_model(
    lane: ReadingLane, device: str, record: dict[str, Any], stored: float
) -> None:
    lane.packet(f"up/{device}/{device}/reading", pack(record))

    await lane.commit()

    assert lane.values(record["n"]) == [pytest.approx(stored)]
    assert lane.counted() == {"received": 1, "stored": 1}
    assert lane.counted("reading_values") == {"received": 1, "stored": 1}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"n": "humidity", "v": 100.5}, "humidity: 100.5 %RH; right would be 0 to 100"),
        ({"n": "humidity", "v": -1}, "humidity: -1 %RH; right would be 0 to 100"),
        ({"n": "temperature", "u": "K", "v": 290}, "temperature: unit 'K'; right would be Cel"),
        ({"n": "pressure", "u": "hPa", "v": 2}, "pressure: 200 Pa; right would be 50000 to 115000"),
        ({"n": "smell", "v": 3}, "'smell': a humidity-meter measures humidity, temperature, pressure, co2"),
        ({"n": "humidity", "vs": "damp"}, "humidity: text; right would be a number"),
        ({"n": "humidity", "s": 7}, "humidity: only a sum; right would be a number"),
        ({"n": "humidity", "vd": "aGVq"}, "humidity: data; right would be a number"),
    ],
)
async def test_what_cannot_be_right_is_set_aside_with_what_would_be_right(
    lane: ReadingLane, record: dict[str, Any], reason: str
) -> None:
    lane.packet(METER, pack(record))

    await lane.commit()

    [kept] = lane.set_aside()
    assert (kept.reason, kept.home_id, kept.lane) == (reason, "h-1", "reading")
    assert (kept.topic, kept.client_id, kept.device_id, kept.payload) == (METER, "m-1", "m-1", pack(record))
    assert lane.rows() == []
    assert lane.counted() == {"received": 1, "quarantined": 1}
    assert lane.counted("reading_values") == {"received": 1, "quarantined": 1}


async def test_one_bad_value_is_set_aside_and_the_good_ones_beside_it_are_stored(lane: ReadingLane) -> None:
    lane.hear("m-1", humidity=130.0, temperature=21.0, smell=1.0, pressure=90_000.0)

    await lane.commit()

    assert lane.values("temperature") == [21.0]
    assert lane.values("pressure") == [90_000.0]
    [kept] = lane.set_aside()
    assert kept.reason.startswith("humidity: 130 %RH; right would be 0 to 100; 'smell':")
    assert lane.counted() == {"received": 1, "stored": 1}
    assert lane.counted("reading_values") == {"received": 4, "stored": 2, "quarantined": 2}


async def test_of_many_reasons_three_are_named_and_the_others_counted(lane: ReadingLane) -> None:
    lane.hear("m-1", a=1.0, b=1.0, c=1.0, d=1.0, e=1.0)

    await lane.commit()

    assert lane.set_aside()[0].reason.endswith("; and 2 more")


async def test_a_pack_that_cannot_be_read_is_set_aside_whole(lane: ReadingLane) -> None:
    lane.packet(METER, b"[{")
    lane.packet("up/m-1/p-1/reading", pack({"n": "humidity", "v": 5}))
    lane.packet("up/nobody/nobody/reading", pack({"n": "humidity", "v": 5}))

    await lane.commit()

    broken, other, nobody = lane.set_aside()
    assert (broken.reason.partition(" (")[0], broken.home_id) == ("not JSON", "h-1")
    assert (other.reason, other.home_id) == ("m-1 is not a home hub, it speaks only for itself", "h-1")
    assert (nobody.reason, nobody.home_id) == ("client nobody is not registered", None)
    assert lane.counted() == {"received": 3, "quarantined": 3}


async def test_a_packet_that_breaks_our_own_code_is_set_aside_and_the_next_one_is_taken(
    lane: ReadingLane, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object, **__: object) -> float:
        raise ZeroDivisionError

    lane.hear("m-1", temperature=20.0)
    await lane.commit()
    with monkeypatch.context() as broken:
        broken.setattr("services.readings.taking.in_primary", breaks)
        poison = pack({"n": "humidity", "v": 40}, {"n": "temperature", "u": "K", "v": 1})
        lane.packet(METER, poison)
    lane.town.clock.advance(timedelta(seconds=1))
    lane.hear("m-1", temperature=21.0)

    await lane.commit()

    assert [kept.payload for kept in lane.set_aside()] == [poison]
    assert lane.values("temperature") == [20.0, 21.0]
    assert lane.counted() == {"received": 3, "stored": 2, "quarantined": 1}


async def test_a_backlog_is_stored_by_the_devices_own_times(lane: ReadingLane, clock: FrozenClock) -> None:
    now = to_micros(clock.now()) / 1e6
    records = [{"n": "temperature", "t": now - 60 * ago, "v": ago} for ago in (3, 1, 2)]

    lane.packet(METER, pack(*records))
    stored = await lane.commit()

    assert lane.values("temperature") == [3.0, 2.0, 1.0]
    assert set(stored.received_at.tolist()) == {lane.now_us}


async def test_the_same_reading_again_is_a_duplicate_whatever_it_says_now(
    lane: ReadingLane, clock: FrozenClock
) -> None:
    then = clock.now()
    lane.hear("m-1", at=then, humidity=40.0)
    lane.hear("m-1", at=then, humidity=41.0)
    await lane.commit()
    clock.advance(timedelta(minutes=1))
    lane.hear("m-1", at=then, humidity=42.0)

    await lane.commit()

    assert [row[3] for row in lane.rows()] == [40.0]
    assert lane.counted() == {"received": 3, "stored": 1, "duplicate": 2}
    assert lane.counted("reading_values") == {"received": 3, "stored": 1, "duplicate": 2}


async def test_a_late_reading_is_stored_beside_the_newer_ones(lane: ReadingLane, clock: FrozenClock) -> None:
    lane.hear("m-1", at=clock.now(), humidity=40.0)
    await lane.commit()

    lane.hear("m-1", at=clock.now() - timedelta(minutes=3), humidity=39.0)
    await lane.commit()

    assert lane.values("humidity") == [39.0, 40.0]
    assert lane.states.last_value[1] == 40.0, "the newest by the device's clock stays the last"


async def test_a_duplicate_is_known_after_a_restart(lane: ReadingLane, clock: FrozenClock) -> None:
    then = clock.now()
    lane.hear("m-1", at=then, humidity=40.0)
    lane.hear("m-1", at=then - timedelta(minutes=1), humidity=39.0)
    await lane.commit()

    lane.restart()
    lane.hear("m-1", at=then, humidity=40.0)
    lane.hear("m-1", at=then - timedelta(minutes=1), humidity=39.0)
    await lane.commit()

    assert len(lane.rows()) == 2
    assert lane.counted() == {"received": 4, "stored": 2, "duplicate": 2}


async def test_readings_from_the_future_are_stored_and_do_not_make_later_ones_look_old(
    lane: ReadingLane, clock: FrozenClock
) -> None:
    ahead = clock.now() + timedelta(days=400)
    lane.hear("m-1", at=ahead, humidity=50.0)
    await lane.commit()
    clock.advance(timedelta(minutes=1))
    lane.hear("m-1", at=ahead, humidity=50.0)
    lane.hear("m-1", at=clock.now(), humidity=51.0)
    await lane.commit()

    assert sorted(row[3] for row in lane.rows()) == [50.0, 51.0]
    assert lane.states.last_value[1] == 51.0
    assert lane.counted() == {"received": 3, "stored": 2, "duplicate": 1}


# Rules and clocks that are wrong.


def wet(lane: ReadingLane) -> list[str]:
    """The signals of the leak rule that were handed over."""
    return [said.signal for said in lane.handed_over(Said) if said.kind == "property.leak"]


async def test_a_crossing_is_handed_over_in_the_commit_that_stores_its_reading(lane: ReadingLane) -> None:
    lane.hear("l-1", leak=1.0)
    assert lane.handed_over(Said) == []

    await lane.commit()

    [said] = lane.handed_over(Said)
    assert (said.device_id, said.kind, said.signal) == ("l-1", "property.leak", "raised")
    assert said.data["value"] == 1.0


async def test_one_glimpse_of_the_far_future_does_not_silence_the_rules(
    lane: ReadingLane, clock: FrozenClock
) -> None:
    lane.hear("l-1", at=clock.now() + timedelta(days=400), leak=0.0)
    await lane.commit()
    clock.advance(timedelta(minutes=1))

    lane.hear("l-1", at=clock.now(), leak=1.0)
    await lane.commit()

    assert wet(lane) == ["raised"]


async def test_the_same_holds_after_a_restart(lane: ReadingLane, clock: FrozenClock) -> None:
    lane.hear("l-1", at=clock.now() + timedelta(days=400), leak=0.0)
    await lane.commit()
    lane.restart()
    clock.advance(timedelta(minutes=1))

    lane.hear("l-1", at=clock.now(), leak=1.0)
    await lane.commit()

    assert wet(lane) == ["raised"]


async def test_a_clock_that_fell_back_for_good_does_not_silence_the_rules(
    lane: ReadingLane, clock: FrozenClock
) -> None:
    lane.hear("l-1", at=clock.now(), leak=0.0)
    await lane.commit()
    fallen_back_by = timedelta(days=9_000)
    for _ in range(5):
        clock.advance(timedelta(minutes=5))
        lane.hear("l-1", at=clock.now() - fallen_back_by, leak=1.0)
        await lane.commit()

    assert wet(lane) == ["raised"], "a quarter of an hour later it counts from our clock"


async def test_a_bad_time_beside_a_good_one_does_not_silence_the_good_ones_rule(
    lane: ReadingLane, clock: FrozenClock
) -> None:
    lane.hear("l-1", at=clock.now(), leak=0.0)
    await lane.commit()
    clock.advance(timedelta(minutes=1))
    now, far = (to_micros(clock.now() + by) / 1e6 for by in (timedelta(0), timedelta(days=300)))

    lane.packet(
        "up/l-1/l-1/reading",
        pack({"n": "leak", "t": now, "v": 1}, {"n": "temperature", "t": far, "v": 20}),
    )
    await lane.commit()

    assert wet(lane) == ["raised"]


async def test_a_backlog_of_a_home_that_was_cut_off_asks_no_rule_twice(
    lane: ReadingLane, clock: FrozenClock
) -> None:
    began = clock.now()
    lane.hear("l-1", at=began, leak=1.0)
    await lane.commit()
    clock.advance(timedelta(hours=2))
    for minutes, leak in ((30, 0.0), (60, 1.0), (120, 0.0)):
        lane.hear("l-1", at=began + timedelta(minutes=minutes), leak=leak)
    await lane.commit()

    assert wet(lane) == ["raised", "cleared", "raised", "cleared"]


# Who is told that a device lives.


async def test_a_device_that_is_heard_for_the_first_time_is_announced_once(lane: ReadingLane) -> None:
    lane.hear("m-1", humidity=40.0)
    await lane.commit()
    assert lane.handed_over(Heard) == [Heard(device_id="m-1")]
    lane.town.hear("m-1")  # the alarm process has filed it

    lane.town.clock.advance(timedelta(minutes=1))
    lane.hear("m-1", humidity=41.0, temperature=20.0)
    await lane.commit()

    assert len(lane.handed_over(Heard)) == 1, "temperature is new, the device is not"


async def test_after_a_long_outage_of_the_hub_nobody_is_announced_but_those_that_are_called_silent(
    lane: ReadingLane, clock: FrozenClock
) -> None:
    for device in ("m-1", "m-2"):
        lane.hear(device, humidity=40.0)
        lane.town.hear(device)
    await lane.commit()
    clock.advance(timedelta(hours=9))
    lane.town.hear("m-1")  # the alarm process gave everybody more time, but m-2 was silent before
    lane.town.look_for_silence()
    lane.restart()

    for device in ("m-1", "m-2"):
        lane.hear(device, humidity=40.0)
    await lane.commit()

    assert [heard.device_id for heard in lane.handed_over(Heard)] == ["m-1", "m-2", "m-2"]


async def test_a_device_whose_clock_is_behind_is_announced_now_and_then(
    lane: ReadingLane, clock: FrozenClock
) -> None:
    lane.hear("m-1", at=clock.now(), humidity=40.0)
    lane.town.hear("m-1")
    await lane.commit()
    for _ in range(4 * 6):
        clock.advance(timedelta(minutes=15))
        lane.hear("m-1", at=clock.now() - timedelta(days=30), humidity=40.0)
        await lane.commit()

    announced = len(lane.handed_over(Heard)) - 1
    assert 5 <= announced <= 7, "six hours, with an hour between two"


# The sums.

PACKS = st.fixed_dictionaries(
    {
        "device": st.sampled_from(["m-1", "l-1", "hub-1", "nobody"]),
        "minutes": st.integers(-3, 3) | st.sampled_from([30, -600]),
        "values": st.dictionaries(
            st.sampled_from(["humidity", "temperature", "leak", "smell"]),
            st.sampled_from([0.0, 1.0, 50.0, 1e9, None]),
            min_size=1,
        ),
    }
)
STEPS = st.lists(
    st.one_of(
        PACKS,
        st.builds(lambda back: {"again": back}, st.integers(1, 5)),
        st.sampled_from([{"raw": b"\xff"}, {"raw": b"[]"}, {"commit": True}, {"restart": True}]),
    ),
    max_size=25,
)


@given(steps=STEPS)
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
async def test_received_is_stored_and_duplicate_and_quarantined_over_any_sequence(
    steps: list[dict[str, Any]],
) -> None:
    town = Town(memory_database(), FrozenClock())
    town.settle()
    town.add_device("m-1", "h-1", "humidity-meter")
    town.add_device("l-1", "h-1", "water-leak-sensor")
    sender = Sender(ReadingLane(town, readings_database()))

    for step in steps:
        town.clock.advance(timedelta(seconds=1))
        await sender.do(step)
    await sender.do({"commit": True})

    packs, values, rows = sender.lane.counted(), sender.lane.counted("reading_values"), sender.lane.rows()
    for found in (packs, values):
        parts = sum(found.get(name, 0) for name in ("stored", "duplicate", "quarantined"))
        assert found.get("received", 0) == parts
    assert packs.get("received", 0) == sender.committed
    assert values.get("stored", 0) == len(rows)
    assert len({row[:2] for row in rows}) == len(rows), "nothing is there twice"


class Sender:
    """Sends what it is told, and counts what a commit has taken in."""

    def __init__(self, lane: ReadingLane) -> None:
        self.lane = lane
        self.committed = 0
        self._waiting = 0
        self._sent: list[tuple[int, str, bytes]] = []

    async def do(self, step: dict[str, Any]) -> None:
        if "commit" in step:
            await self.lane.commit()
            self.committed, self._waiting = self.committed + self._waiting, 0
        elif "restart" in step:
            self.lane.restart()
            self._waiting = 0
        elif "again" not in step:
            topic, raw = self._packet(step)
            self._sent.append((self.lane.packet(topic, raw), topic, raw))
            self._waiting += 1
        elif len(self._sent) >= step["again"]:
            id_, topic, raw = self._sent[-step["again"]]
            self.lane.packet(topic, raw, id_=id_, mark=Mark.AGAIN)
            self._waiting += 1

    def _packet(self, step: dict[str, Any]) -> tuple[str, bytes]:
        if "raw" in step:
            return METER, step["raw"]
        at = to_micros(self.lane.town.now + timedelta(minutes=step["minutes"])) / 1e6
        records = [
            {"n": name, "t": at} | ({"vs": "text"} if value is None else {"v": value})
            for name, value in step["values"].items()
        ]
        return f"up/{step['device']}/{step['device']}/reading", pack(*records)
