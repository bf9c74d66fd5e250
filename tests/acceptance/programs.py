"""``mosquitto_pub`` and ``mosquitto_sub`` as a home or a partner: programs that we did not write.

with Listener(door, "care/acme/event") as listener:   returns once the broker has taken the subscription
    publish(door, "up/p1/p1/alarm", {...})            returns once the broker has the message
    listener.next(lambda said: said["type"] == …)     the first message that fits, each given once
"""

import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from tests.support.product import HOST, PATIENCE_SECONDS

MQTT_311: Final = "mqttv311"
MQTT_5: Final = "mqttv5"
NEEDED: Final = ("mosquitto_pub", "mosquitto_sub")

_MARK: Final = "ARRIVED "
Document = dict[str, Any]


def missing_programs() -> list[str]:
    """Those of the two that this machine lacks."""
    return [name for name in NEEDED if shutil.which(name) is None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where a program connects, and as whom."""

    port: int
    credentials: Path
    """Holds key.pem, cert.pem and ca.pem."""
    version: str = MQTT_5

    def options(self) -> list[str]:
        folder = self.credentials
        address = ["-h", HOST, "-p", str(self.port), "-V", self.version, "-q", "1"]
        tls = {"--cafile": "ca.pem", "--cert": "cert.pem", "--key": "key.pem"}
        return address + [word for name, file in tls.items() for word in (name, str(folder / file))]


def publish(door: Door, topic: str, message: Document | str, *more: str) -> None:
    """Say one thing with QoS 1; ``more`` are further options of mosquitto_pub."""
    text = message if isinstance(message, str) else json.dumps(message)
    command = ["mosquitto_pub", *door.options(), "-t", topic, "-m", text, *more]
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_SECONDS)


@dataclass(slots=True)
class _Arrivals:
    """What the reading thread hands to the test."""

    messages: list[tuple[str, str]] = field(default_factory=list)
    is_subscribed: bool = False
    is_over: bool = False
    """mosquitto_sub that is told to end can print its last line once more."""
    changed: threading.Condition = field(default_factory=threading.Condition)


class Listener:
    """A mosquitto_sub that runs until it is left."""

    def __init__(self, door: Door, *topics: str, options: Sequence[str] = ()) -> None:
        named = [word for topic in topics for word in ("-t", topic)]
        self._command = [
            "stdbuf",
            "-oL",
            "mosquitto_sub",
            "-d",
            *door.options(),
            *named,
            *options,
            "-F",
            f"{_MARK}%t %p",
        ]
        self._arrivals = _Arrivals()
        self._taken: set[int] = set()

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._reader = threading.Thread(target=self._read, name="mosquitto_sub", daemon=True)
        self._reader.start()
        self._wait(lambda: self._arrivals.is_subscribed, "mosquitto_sub is subscribed", PATIENCE_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._arrivals.is_over = True
        self._process.terminate()
        self._process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)

    def documents(self) -> list[Document]:
        """Every JSON message so far."""
        with self._arrivals.changed:
            return [json.loads(payload) for _, payload in self._arrivals.messages]

    def next(
        self, fits: Callable[[Document], object], *, within_seconds: float = PATIENCE_SECONDS
    ) -> Document:
        """The first message that fits and was not handed out before."""
        found: list[int] = []

        def look() -> bool:
            candidates = range(len(self._arrivals.messages))
            found[:] = [at for at in candidates if at not in self._taken and fits(self._document(at))]
            return bool(found)

        try:
            self._wait(look, "a message that fits", within_seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; these arrived: {self.documents()}") from None
        self._taken.add(found[0])
        return self._document(found[0])

    def _document(self, at: int) -> Document:
        document: Document = json.loads(self._arrivals.messages[at][1])
        return document

    def _wait(self, is_so: Callable[[], bool], what: str, within_seconds: float) -> None:
        with self._arrivals.changed:
            assert self._arrivals.changed.wait_for(is_so, within_seconds), f"waited in vain for: {what}"

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                with self._arrivals.changed:
                    self._note(line.rstrip("\n"))
                    self._arrivals.changed.notify_all()

    def _note(self, line: str) -> None:
        if line.startswith(_MARK) and not self._arrivals.is_over:
            topic, _, payload = line.removeprefix(_MARK).partition(" ")
            self._arrivals.messages.append((topic, payload))
        elif "Subscribed" in line:
            self._arrivals.is_subscribed = True
