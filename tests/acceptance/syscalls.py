"""What a process asked of the kernel, in the order in which it happened, as strace saw it.

    recvfrom(PUBLISH … id) ─> pwrite64(….db-wal, … id) ─> fdatasync(….db-wal) = 0 ─> sendto(PUBACK or receipt)

A call has two places in that order, where it began and where it returned: strace splits those that
another thread's call came into.
"""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.product import PATIENCE_SECONDS, wait_until

TRACED: Final = "fdatasync,fsync,write,sendto,writev,pwrite64,recvfrom,read"
LONGEST_TEXT: Final = 5_000
"""Shows a whole page of the store."""

WAL: Final = "/stadsnav.db-wal>"

_LINE: Final = re.compile(r"(?P<thread>\d+) +(?P<text>.*)")
_RESUMED: Final = re.compile(r"<\.\.\. \w+ resumed>(?P<rest>.*)")
_UNFINISHED: Final = " <unfinished ...>"


class CannotTraceError(Exception):
    """This machine lets nobody look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One system call: its text with the result, and its places in the order of things."""

    text: str
    began: int
    returned: int

    def is_of(self, *names: str) -> bool:
        return self.text.partition("(")[0] in names

    @property
    def file(self) -> str:
        """The first argument: the number of the file, and what it is."""
        return self.text.partition("(")[2].partition(">")[0]


@contextmanager
def traced(process_id: int, trace: Path) -> Iterator[None]:
    """Write down every traced call of a process while the block runs.

    Raises:
        CannotTraceError: There is no strace, or it may not attach.
    """
    if shutil.which("strace") is None:
        raise CannotTraceError("strace is missing; apt-get install strace")
    command = ["strace", "-f", "-y", "-s", str(LONGEST_TEXT), "-e", f"trace={TRACED}", "-o", str(trace)]
    tracer = subprocess.Popen([*command, "-p", str(process_id)], stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: tracer.poll() is not None or _has_begun(trace), "strace has attached")
        if tracer.poll() is not None:
            raise CannotTraceError(tracer.stderr.read() if tracer.stderr else "")
        yield
    finally:
        tracer.terminate()
        tracer.communicate(timeout=PATIENCE_SECONDS)


def _has_begun(trace: Path) -> bool:
    """The product looks for what is due five times a second, so there is something soon."""
    return trace.exists() and trace.stat().st_size > 0


def calls_in(lines: Iterable[str]) -> list[Call]:
    """The calls of a trace, in the order in which they began."""
    calls, open_calls = [], dict[str, tuple[int, str]]()
    for place, line in enumerate(lines):
        matched = _LINE.match(line)
        if matched is None:
            continue
        thread, text = matched["thread"], matched["text"]
        resumed = _RESUMED.match(text)
        if text.endswith(_UNFINISHED):
            open_calls[thread] = (place, text.removesuffix(_UNFINISHED))
        elif resumed is not None and thread in open_calls:
            began, head = open_calls.pop(thread)
            calls.append(Call(text=head + resumed["rest"], began=began, returned=place))
        else:
            calls.append(Call(text=text, began=place, returned=place))
    return sorted(calls, key=lambda call: call.began)


def why_not_synced(calls: list[Call], alarm_id: str) -> str | None:
    """What is wrong with the order of one alarm's calls; None when it was on disk before anyone was told."""
    word = f'\\"{alarm_id}\\"'
    arrival = _first(calls, lambda call: call.is_of("recvfrom", "read") and word in call.text)
    if arrival is None:
        return f"{alarm_id} never arrived"
    later = [call for call in calls if call.began > arrival.returned]
    sent = [call for call in later if call.is_of("sendto", "write", "writev") and call.file == arrival.file]
    puback = _first(sent, lambda call: ', "@' in call.text)
    receipt = _first(sent, lambda call: "/receipt" in call.text and word in call.text)
    written = _first(later, lambda call: call.is_of("pwrite64") and WAL in call.text and word in call.text)
    if puback is None or receipt is None or written is None:
        return f"{alarm_id}: not all of it was seen: PUBACK {puback}, receipt {receipt}, write {written}"
    told_at = min(puback.began, receipt.began)
    synced = _first(later, lambda call: _is_sync(call) and call.began > written.returned)
    if synced is None or synced.returned > told_at:
        return f"{alarm_id}: the home was told at line {told_at}, the WAL was not synced before"
    return None


def _is_sync(call: Call) -> bool:
    return call.is_of("fdatasync", "fsync") and WAL in call.text and call.text.endswith("= 0")


def _first(calls: list[Call], fits: Callable[[Call], bool]) -> Call | None:
    return next((call for call in calls if fits(call)), None)
