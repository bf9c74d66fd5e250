"""The dialects by their names."""

from collections.abc import Callable
from typing import Final

from devices.codecs.foreign.chirpstack import ChirpStack
from devices.codecs.foreign.home_assistant import HomeAssistant
from devices.codecs.foreign.sparkplug_b import SparkplugB
from devices.codecs.foreign.values import Dialect
from devices.codecs.foreign.wmbusmeters import Wmbusmeters
from devices.codecs.foreign.zigbee2mqtt import Zigbee2Mqtt

DIALECTS: Final[dict[str, Callable[[], Dialect]]] = {
    "zigbee2mqtt": Zigbee2Mqtt,
    "chirpstack": ChirpStack,
    "wmbusmeters": Wmbusmeters,
    "sparkplug-b": SparkplugB,
    "home-assistant": HomeAssistant,
}


class UnknownDialectError(ValueError):
    """No dialect has this name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"No dialect is called {name[:80]!r}; known are: {', '.join(DIALECTS)}")


def dialect_of(name: str) -> Dialect:
    """A new reader of the dialect, with nothing remembered; one per integration.

    Raises:
        UnknownDialectError: There is no such dialect.
    """
    if name not in DIALECTS:
        raise UnknownDialectError(name)
    return DIALECTS[name]()
