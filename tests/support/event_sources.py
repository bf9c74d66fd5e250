"""Receivers of Server-Sent Events that we did not write: curl, and a browser's ``EventSource``.

Each comes back by itself: the browser because it is one, curl because it is started again with the number
that it saw last, as a script would do it.
"""

import subprocess
import threading
import time
from typing import IO, Final, Self

AGAIN_AFTER_SECONDS: Final = 0.2

Frame = dict[str, str]
"""``id``, ``event`` and ``data``, as far as they were there."""


class FrameReader:
    """Frames out of lines (WHATWG HTML, 9.2.6, as far as we use it)."""

    def __init__(self) -> None:
        self._frame: Frame = {}

    def take(self, line: str) -> Frame | None:
        """Take a line without its end; returns the frame that an empty one completes."""
        if line.startswith(":"):
            return None
        if line:
            name, _, value = line.partition(":")
            self._frame[name] = value.removeprefix(" ")
            return None
        whole, self._frame = self._frame, {}
        return whole if "data" in whole else None


class Curl:
    """``curl -N``, again and again."""

    def __init__(
        self, url: str, token: str, *, last: str | None = None, options: tuple[str, ...] = ()
    ) -> None:
        self.frames: list[Frame] = []
        self.last = last
        self.times_opened = 0
        self._url = url
        self._token = token
        self._options = options
        self._leaving = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._run, name="curl", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        if self._process is not None:
            self._process.kill()
        self._thread.join(10)

    def numbers(self) -> list[int]:
        """The sequence of every event heard, ours (start, reset) left out."""
        return [int(frame["id"]) for frame in list(self.frames) if frame["event"] not in {"start", "reset"}]

    def _run(self) -> None:
        while not self._leaving.is_set():
            resume = ["-H", f"Last-Event-ID: {self.last}"] if self.last is not None else []
            with subprocess.Popen(
                [
                    "curl",
                    "-sN",
                    "-H",
                    f"Authorization: Bearer {self._token}",
                    *resume,
                    *self._options,
                    self._url,
                ],
                stdout=subprocess.PIPE,
                text=True,
            ) as self._process:
                self.times_opened += 1
                assert self._process.stdout is not None
                self._hear(self._process.stdout)
            time.sleep(AGAIN_AFTER_SECONDS)

    def _hear(self, lines: IO[str]) -> None:
        reader = FrameReader()
        for line in lines:
            frame = reader.take(line.rstrip("\n"))
            if frame is not None:
                self.frames.append(frame)
                self.last = frame["id"]


LISTEN: Final = """
window.heard = [];
window.opened = 0;
window.source = new EventSource(%s);
window.source.onopen = () => { window.opened += 1; };
for (const type of ["start", "reset", "withheld", ...%s.map(kind => `se.stadsnav.alarm.${kind}.v1`)])
  window.source.addEventListener(type, event =>
    window.heard.push({id: event.lastEventId, event: type, data: event.data}));
0
"""
KINDS: Final = ("raised", "repeated", "updated", "acknowledged", "cleared", "escalated", "closed")
