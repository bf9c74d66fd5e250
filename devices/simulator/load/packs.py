"""Packets of readings, written before the run; while it runs only time and packet identifier are patched.

    device, hour of the day ──> one row of bytes: PUBLISH, topic, SenML with that hour's values
    rows that are due ──copied──> block ──patch columns──> what goes on the wire

All rows have the same width, so that NumPy patches thousands at once, for many hubs in one go.
"""

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from devices.simulator.load.mqtt import PACKET_IDS, packet_id_column, publish_packet
from devices.simulator.load.plan import LoadHub

Bytes: TypeAlias = NDArray[np.uint8]
Numbers: TypeAlias = NDArray[np.int64]

HOURS: Final = 24

PACK: Final = (
    '[{{"bver": 10, "bt": 0000000000.000000, "n": "temperature", "u": "Cel", "v": {temperature:5.2f}}}, '
    '{{"n": "humidity", "u": "%RH", "v": {humidity:5.2f}}}]'
)
"""RFC 8428: one time for both values. A number that is short has a blank before it, as JSON allows."""

_BT: Final = '"bt": '
_SECONDS_DIGITS: Final = 10

DAMP_SHARE: Final = 0.005
"""Rooms that are over 75 %RH day and night."""

_FOUR_DIGITS: Final = np.frombuffer("".join(f"{n:04d}" for n in range(10_000)).encode(), np.uint8).reshape(
    -1, 4
)


class PackRing:
    """The packets of every device of a load."""

    def __init__(self, hubs: Sequence[LoadHub], seed: str) -> None:
        self._devices = np.array([len(hub.devices) for hub in hubs])
        self._first_device = np.cumsum(self._devices) - self._devices
        topic = topic_of(hubs[0].client_id, hubs[0].devices[0])
        payload = PACK.format(temperature=0.0, humidity=0.0).encode()
        rows = b"".join(_rows(hubs, seed))
        self.width = len(publish_packet(topic, payload))
        """Bytes of each packet."""
        self._rows = np.frombuffer(rows, np.uint8).reshape(-1, self.width)
        self._id_column = packet_id_column(topic, payload)
        self._time_column = self.width - len(payload) + payload.index(_BT.encode()) + len(_BT)

    def render(self, hub: Numbers, number: Numbers, at: Numbers, hour: Numbers) -> Bytes:
        """The packets that are due, one a row.

        Args:
            hub: Whose, as an index.
            number: Which of that hub's packets, from 0.
            at: Microseconds since 1970, from 2001 to 2286: ten digits of seconds.
            hour: Of the day, 0 to 23.
        """
        device = self._first_device[hub] + number % self._devices[hub]
        block: Bytes = self._rows[device * HOURS + hour]
        identifier = number % PACKET_IDS + 1
        block[:, self._id_column] = identifier >> 8
        block[:, self._id_column + 1] = identifier & 0xFF
        digits, after = _digits(at), self._time_column + _SECONDS_DIGITS
        block[:, self._time_column : after] = digits[:, :_SECONDS_DIGITS]
        block[:, after + 1 : after + 7] = digits[:, _SECONDS_DIGITS:]
        return block

    def device_of(self, hub: Numbers, number: Numbers) -> Numbers:
        """Which device a packet speaks for, counted over all hubs."""
        device: Numbers = self._first_device[hub] + number % self._devices[hub]
        return device


def topic_of(client_id: str, device_id: str) -> str:
    """Where a hub publishes the readings of a device."""
    return f"up/{client_id}/{device_id}/reading"


def _rows(hubs: Sequence[LoadHub], seed: str) -> Iterator[bytes]:
    for hub in hubs:
        for device in hub.devices:
            topic = topic_of(hub.client_id, device)
            for temperature, humidity in zip(*_day(f"{seed}/{device}"), strict=True):
                payload = PACK.format(temperature=temperature, humidity=humidity)
                yield publish_packet(topic, payload.encode())


def _day(seed: str) -> tuple[list[float], list[float]]:
    """A room's temperature and relative humidity in each hour: warm in the afternoon, damp after showers."""
    chance = np.random.default_rng(list(seed.encode()))
    hours = np.arange(HOURS)
    usual = 84.0 if chance.random() < DAMP_SHARE else chance.normal(45.0, 7.0)
    temperature = chance.normal(21.0, 1.5) + 1.5 * _wave(hours, peak=15) + chance.normal(0, 0.1, HOURS)
    humidity = usual + 6.0 * _wave(hours, peak=8) + chance.normal(0, 1.0, HOURS)
    return np.clip(temperature, 5, 40).tolist(), np.clip(humidity, 5, 99).tolist()


def _wave(hours: NDArray[np.int64], *, peak: int) -> NDArray[np.float64]:
    wave: NDArray[np.float64] = np.cos((hours - peak) * (2 * np.pi / HOURS))
    return wave


def _digits(values: Numbers) -> Bytes:
    """Sixteen decimal digits of each value, as ASCII."""
    digits = np.empty((len(values), 16), np.uint8)
    left = values
    for column in (12, 8, 4, 0):
        left, last = np.divmod(left, 10_000)
        digits[:, column : column + 4] = _FOUR_DIGITS[last]
    return digits
