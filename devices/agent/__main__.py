"""The agent for a shell script: presses on standard input, receipts on standard output.

    {"device": "p7", "kind": "safety.manual"}  ──>  {"device": "p7", "kept": "p7-3f9a1c20-000001"}
                                                    {"device": "p7", "id": "p7-3f9…", "status": "stored", …}
    {"device": "p7", "status": {"mains": false}}
    {"device": "m1", "readings": [{"n": "humidity", "u": "%RH", "v": 57.1}]}

One JSON object on each line, both ways; a press has the members of an alarm message without ``id``, readings
are a SenML pack (a record without a time was measured now). At the end of the input it waits for outstanding
receipts, and until the broker has taken the readings over. Exit 0: every alarm was stored. 1: one was refused
or has no receipt yet (it is kept, and sent at the next start), or the agent could not start. 2: a wrong
argument, or a line that could not be read.
"""

import argparse
import json
import logging
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from threading import RLock
from typing import Any, Final, TextIO

import structlog

from devices.agent.client import Agent, DeviceIdError
from devices.agent.retry import Backoff
from devices.agent.settings import AgentSettings, Credentials, CredentialsError
from devices.agent.store import StoreError
from devices.codecs.errors import PayloadError
from devices.codecs.own_json import decode_alarm, decode_status, encode_receipt
from devices.codecs.senml import UnwritableRecordError, decode
from devices.kinds import DeviceId
from devices.messages import AlarmMessage, Receipt, ReceiptStatus

DONE: Final = 0
NOT_STORED: Final = 1
WRONG_USE: Final = 2

_LOOK_SECONDS: Final = 0.05


class LineError(ValueError):
    """A line of the input is no press, no status and no readings."""

    def __init__(self, number: int, problem: str) -> None:
        super().__init__(
            f'line {number}: {problem}; right would be like {{"device": "p7", "kind": "safety.manual"}}'
        )


class Terminal:
    """Writes JSON lines, and remembers whether anything was refused."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._order = RLock()
        self.has_refusal = False

    def show_receipt(self, device_id: DeviceId, receipt: Receipt) -> None:
        """A receipt, from the agent's thread."""
        with self._order:
            self.has_refusal = self.has_refusal or receipt.status is ReceiptStatus.REFUSED
            self._write({"device": device_id, **json.loads(encode_receipt(receipt))})

    def send(self, agent: Agent, device_id: str, message: AlarmMessage) -> None:
        """Give an alarm to the agent and say so, before its receipt can be shown."""
        with self._order:
            self._write({"device": device_id, "kept": agent.send(device_id, message)})

    def _write(self, line: dict[str, Any]) -> None:
        self._out.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._out.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until the input ends and its alarms are answered; returns the exit code."""
    options = _parser().parse_args(arguments)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    terminal = Terminal(sys.stdout)
    try:
        with Agent(_settings(options), on_receipt=terminal.show_receipt) as agent:
            all_read = _feed(agent, sys.stdin, terminal)
            is_answered = _wait_for_receipts(agent, options.wait)
    except (CredentialsError, StoreError) as error:
        sys.stderr.write(f"{error}\n")
        return NOT_STORED
    except KeyboardInterrupt:
        return NOT_STORED
    if not all_read:
        return WRONG_USE
    return DONE if is_answered and not terminal.has_refusal else NOT_STORED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m devices.agent", description="Send alarms until they are stored."
    )
    parser.add_argument("--host", required=True, help="the broker; its certificate must bear this name")
    parser.add_argument("--port", type=int, default=8883)
    parser.add_argument(
        "--credentials", type=Path, required=True, metavar="DIR", help="with key.pem, cert.pem, ca.pem"
    )
    parser.add_argument(
        "--store",
        type=Path,
        required=True,
        metavar="FILE",
        help="where alarms are kept, readings beside it; made if missing",
    )
    parser.add_argument(
        "--wait", type=float, metavar="SECONDS", help="for receipts, after the input; for ever by default"
    )
    parser.add_argument(
        "--repeat-first", type=float, default=2.0, metavar="SECONDS", help="wait before the first repeat"
    )
    parser.add_argument(
        "--repeat-limit", type=float, default=60.0, metavar="SECONDS", help="longest wait between repeats"
    )
    return parser


def _settings(options: argparse.Namespace) -> AgentSettings:
    return AgentSettings(
        host=options.host,
        port=options.port,
        credentials=Credentials.in_folder(options.credentials),
        store_file=options.store,
        repeat=Backoff(
            first=timedelta(seconds=options.repeat_first), limit=timedelta(seconds=options.repeat_limit)
        ),
    )


def _feed(agent: Agent, lines: TextIO, terminal: Terminal) -> bool:
    """Hand every line to the agent; whether all of them could be read."""
    all_read = True
    for number, line in enumerate(lines, start=1):
        try:
            _take_line(agent, number, line, terminal)
        except (LineError, DeviceIdError, PayloadError, UnwritableRecordError) as error:
            sys.stderr.write(f"{error}\n")
            all_read = False
    return all_read


def _take_line(agent: Agent, number: int, line: str, terminal: Terminal) -> None:
    if not line.strip():
        return
    try:
        members = json.loads(line)
    except ValueError as error:
        raise LineError(number, f"not JSON ({error})") from error
    match members:
        case {"device": str(device_id), "status": dict(status)}:
            agent.send_status(device_id, decode_status(json.dumps(status).encode()))
        case {"device": str(device_id), "readings": list(pack)}:
            received_us = time.time_ns() // 1_000
            agent.send_readings(device_id, decode(json.dumps(pack).encode(), received_us=received_us))
        case {"device": str(device_id), "kind": str()}:
            message = decode_alarm(json.dumps(members | {"id": "new"}).encode())
            terminal.send(agent, device_id, message)
        case _:
            raise LineError(number, "no device, or neither kind, status nor readings")


def _wait_for_receipts(agent: Agent, seconds: float | None) -> bool:
    deadline = time.monotonic() + (float("inf") if seconds is None else seconds)
    while agent.pending() or agent.statuses_waiting() or agent.packs_waiting():
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_SECONDS)
    return True


if __name__ == "__main__":
    sys.exit(main())
