"""Fault points, for tests only: with this folder on its PYTHONPATH the product fails where a test says.

    STADSNAV_TEST_KILL_AT=committed:1       the alarm process kills itself (SIGKILL) at its first time there
    STADSNAV_TEST_KILL_MARKER=FILE          written just before; while it exists nobody is killed again
    STADSNAV_TEST_SYNCHRONOUS=NORMAL        the store syncs less than it promises
    STADSNAV_TEST_HEARTBEAT_WITHIN_S=3      how long the supervisor waits for a silent child

Python imports a module of this name by itself when it starts. The product knows nothing of it: functions
are wrapped by their dotted names, and a name that is gone ends the process with a sentence, at once.
"""

import functools
import importlib
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

KILL_AT: Final = "STADSNAV_TEST_KILL_AT"
KILL_MARKER: Final = "STADSNAV_TEST_KILL_MARKER"
SYNCHRONOUS: Final = "STADSNAV_TEST_SYNCHRONOUS"
HEARTBEAT_WITHIN_S: Final = "STADSNAV_TEST_HEARTBEAT_WITHIN_S"

BROKEN: Final = "the fault kit is broken"
BROKEN_EXIT: Final = 70

_PROMISED: Final = "PRAGMA synchronous=FULL"

Call = tuple[Any, ...]
"""The arguments of a call, ``self`` first, and its result last."""

_handled: set[str] = set()
"""What has been handled in the transaction that is open; only the writer's thread touches it."""


def _always(_call: Call) -> bool:
    return True


def _is_alarm(call: Call) -> bool:
    return bool(call[1].topic.endswith("/alarm"))


def _is_answer(call: Call) -> bool:
    return bool(call[1].topic.endswith("/action") and b'"acknowledge"' in call[1].payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A step of the way, as a call of the product."""

    call: str
    counts: Callable[[Call], bool] = _always
    is_before: bool = False
    """Killed before the call; else after it."""


POINTS: Final = {
    "received": Point(call="gateway.intake.Intake.receive", counts=_is_alarm, is_before=True),
    "in_transaction": Point(call="gateway.lanes.AlarmLane.handle"),
    "committed": Point(call="services.store.writer.Writer._try", counts=lambda _: "alarm" in _handled),
    "lease_committed": Point(
        call="services.delivery.release.Release.committed",
        counts=lambda call: bool(call[1].events),
        is_before=True,
    ),
    "handed_over": Point(call="gateway.outgoing.MqttChannel.hand_over"),
    "acknowledged": Point(call="broker.session.Session.acknowledge", counts=_is_alarm),
    "receipted": Point(
        call="broker.session.Session.publish", counts=lambda call: call[1].endswith("/receipt")
    ),
    "timer_fired": Point(call="services.alarms.chain.fire_due", counts=lambda call: call[-1] > 0),
    "action_received": Point(call="gateway.intake.Intake.receive", counts=_is_answer, is_before=True),
    "action_in_transaction": Point(
        call="gateway.lanes.PartnerLane.handle", counts=lambda call: _is_answer((None, call[2]))
    ),
    "action_committed": Point(
        call="services.store.writer.Writer._try", counts=lambda _: "answer" in _handled
    ),
    "news_handed_over": Point(call="gateway.outgoing.MqttHomes.hand_over_receipt"),
    "replied": Point(call="broker.session.Session.publish", counts=lambda call: call[1].endswith("/reply")),
}


class MissingError(Exception):
    """The product no longer has what a fault point wraps."""

    def __init__(self, dotted: str, problem: str) -> None:
        super().__init__(f"{dotted}: {problem}; name the step's new place in {__file__}")


def find(dotted: str) -> tuple[Any, str]:
    """The module or class that has the last part of a dotted name, and that part.

    Raises:
        MissingError: There is no such thing.
    """
    *path, name = dotted.split(".")
    is_of_class = path[-1][0].isupper()
    module = ".".join(path[:-1] if is_of_class else path)
    try:
        owner = importlib.import_module(module)
        owner = getattr(owner, path[-1]) if is_of_class else owner
        getattr(owner, name)
    except (ImportError, AttributeError) as error:
        raise MissingError(dotted, str(error)) from error
    return owner, name


def wrap(dotted: str, *, before: Callable[[Call], None], after: Callable[[Call], None]) -> None:
    """Have something called around every call of a function or method of the product."""
    owner, name = find(dotted)
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(*positional: Any, **named: Any) -> Any:
        before((*positional, None))
        result = original(*positional, **named)
        after((*positional, result))
        return result

    setattr(owner, name, wrapped)


def _pass(_call: Call) -> None:
    pass


def _kill_at(step: str, number: int, marker: Path) -> None:
    """Kill this process when it reaches a step for the so manieth time, unless that was done before."""
    if marker.exists():
        return
    point, seen = POINTS[step], iter(range(1, sys.maxsize))

    def reach(call: Call) -> None:
        if point.counts(call) and next(seen) == number:
            marker.write_text(f"{step} {os.getpid()}\n")
            os.kill(os.getpid(), signal.SIGKILL)

    if point.is_before:
        wrap(point.call, before=reach, after=_pass)
    else:
        wrap(point.call, before=_pass, after=reach)


def _note_what_is_handled() -> None:
    def handled(what: str, counts: Callable[[Call], bool]) -> Callable[[Call], None]:
        return lambda call: _handled.add(what) if counts((None, call[2])) else None

    wrap("services.store.writer.Writer._try", before=lambda _: _handled.clear(), after=_pass)
    wrap("gateway.lanes.AlarmLane.handle", before=_pass, after=handled("alarm", _is_alarm))
    wrap("gateway.lanes.PartnerLane.handle", before=_pass, after=handled("answer", _is_answer))


def _sync_less(mode: str) -> None:
    owner, name = find("services.store.sqlite._PRAGMAS")
    pragmas = getattr(owner, name)
    if _PROMISED not in pragmas:
        raise MissingError("services.store.sqlite._PRAGMAS", f"{_PROMISED!r} is not among them")
    setattr(owner, name, tuple(p.replace(_PROMISED, f"PRAGMA synchronous={mode}") for p in pragmas))


def _wait_less(seconds: float) -> None:
    owner, name = find("gateway.children.HEARTBEAT_WITHIN")
    setattr(owner, name, timedelta(seconds=seconds))


def _install() -> None:
    environment = os.environ  # noqa: TID251 - not a setting of the product
    if "gateway.alarm_process" in sys.orig_argv:
        if SYNCHRONOUS in environment:
            _sync_less(environment[SYNCHRONOUS])
        if KILL_AT in environment:
            step, _, number = environment[KILL_AT].partition(":")
            _note_what_is_handled()
            _kill_at(step, int(number), Path(environment[KILL_MARKER]))
    if "up" in sys.orig_argv and HEARTBEAT_WITHIN_S in environment:
        _wait_less(float(environment[HEARTBEAT_WITHIN_S]))


try:
    _install()
except Exception as error:  # noqa: BLE001 - Python itself would only mention it and go on
    sys.stderr.write(f"{BROKEN}: {type(error).__name__}: {error}\n")
    sys.stderr.flush()
    os._exit(BROKEN_EXIT)
