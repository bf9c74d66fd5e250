"""``python -m devices.agent``: what a script can rely on, kill -9 included."""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import devices
from devices.agent import AgentSettings
from devices.codecs.own_json import decode_alarm, decode_status
from devices.codecs.senml import decode
from devices.messages import Receipt, ReceiptStatus
from tests.integration.devices.home_kit import AT, Hub, stored, wait_until

SEED = 20261123
ROOT = Path(devices.__file__).parents[1]


class Program:
    """One run of the program, with its input and output at hand."""

    def __init__(self, settings: AgentSettings, *more: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "devices.agent", "--host", settings.host, "--port", str(settings.port),
             "--credentials", str(settings.credentials.ca_file.parent), "--store", str(settings.store_file),
             "--repeat-first", "0.1", "--repeat-limit", "0.4", *more],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip

    def write(self, **members: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(members) + "\n")
        self.process.stdin.flush()

    def read(self) -> dict[str, Any]:
        assert self.process.stdout
        line: dict[str, Any] = json.loads(self.process.stdout.readline())
        return line

    def end(self) -> tuple[int, list[dict[str, Any]], str]:
        """Close the input; exit code, remaining output and errors."""
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, [json.loads(line) for line in out.splitlines()], err

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def run(settings: AgentSettings) -> Iterator[Callable[..., Program]]:
    programs: list[Program] = []

    def start(*more: str) -> Program:
        programs.append(Program(settings, *more))
        return programs[-1]

    yield start
    for program in programs:
        if program.process.poll() is None:
            program.kill()


def test_a_press_is_kept_then_receipted_each_as_a_line(hub: Hub, run: Callable[..., Program]) -> None:
    hub.answer = stored
    program = run()

    program.write(device="p7", kind="safety.manual", room="hall", test=True)
    kept, receipt = program.read(), program.read()
    code, rest, _ = program.end()

    assert kept == {"device": "p7", "kept": kept["kept"]}
    at = "2026-11-23T08:15:02.000Z"
    assert receipt == {"device": "p7", "id": kept["kept"], "status": "stored", "alarm": "0192", "at": at}
    assert (code, rest) == (0, [])
    assert decode_alarm(hub.alarms()[0]).is_test


def test_killed_between_press_and_receipt_it_says_the_same_alarm_after_a_restart(
    hub: Hub, run: Callable[..., Program]
) -> None:
    first = run()
    first.write(device="p7", kind="safety.manual")
    event_id = first.read()["kept"]
    (before, *_) = hub.wait_for_alarms(1)
    first.kill()
    said = len(hub.alarms())

    hub.answer = stored
    code, lines, _ = run().end()

    assert hub.alarms()[said:] == [before] * len(hub.alarms()[said:]) != []
    assert [(line["id"], line["status"]) for line in lines] == [(event_id, "stored")]
    assert code == 0


def test_killed_at_random_moments_no_kept_press_is_lost_and_no_id_has_two_bodies(
    hub: Hub, run: Callable[..., Program]
) -> None:
    chance = random.Random(SEED)  # noqa: S311 - repeatable, not secret
    hub.answer = lambda payload: stored(payload) if chance.random() < 0.5 else None
    kept: set[str] = set()
    for _ in range(6):
        program = run()
        for number in range(30):
            program.write(device="p7", kind="safety.manual", text=str(number))
        kept.add(program.read()["kept"])
        time.sleep(chance.uniform(0, 0.15))
        program.process.send_signal(signal.SIGKILL)
        out, _ = program.process.communicate()
        for line in out.splitlines():
            if line.endswith("}") and "kept" in (members := json.loads(line)):
                kept.add(members["kept"])

    hub.answer = stored
    code, _, _ = run().end()

    assert code == 0
    bodies = {decode_alarm(payload).id: payload for payload in hub.alarms()}
    assert kept <= bodies.keys(), f"seed {SEED}"
    assert set(hub.alarms()) == set(bodies.values()), f"seed {SEED}"


def test_an_alarm_is_in_the_file_before_it_is_on_the_line(
    hub: Hub, settings: AgentSettings, run: Callable[..., Program]
) -> None:
    log = settings.store_file.with_name(f"{settings.store_file.name}-wal")
    on_disk: dict[bytes, bool] = {}

    def look_then_answer(payload: bytes) -> Receipt:
        if payload not in on_disk:  # a repeat may come when the program has ended and tidied up
            on_disk[payload] = payload in log.read_bytes()
        return stored(payload)

    hub.answer = look_then_answer
    program = run()
    for number in range(20):
        program.write(device="p7", kind="safety.manual", text=str(number))
    program.end()

    assert len(on_disk) == 20
    assert all(on_disk.values())


def test_a_refusal_is_shown_with_its_reason_and_ends_with_1(hub: Hub, run: Callable[..., Program]) -> None:
    hub.answer = lambda payload: Receipt(
        id=decode_alarm(payload).id, status=ReceiptStatus.REFUSED, at=AT, reason="not registered"
    )
    program = run()

    program.write(device="p7", kind="safety.manual")
    code, lines, _ = program.end()

    assert lines[-1]["status"] == "refused"
    assert lines[-1]["reason"] == "not registered"
    assert code == 1


def test_without_a_receipt_in_time_it_ends_with_1_and_keeps_the_alarm(
    settings: AgentSettings, run: Callable[..., Program]
) -> None:
    program = run("--wait", "0.3")

    program.write(device="p7", kind="safety.manual")
    code, lines, _ = program.end()

    assert code == 1
    assert lines[0]["kept"].encode() in settings.store_file.read_bytes()


def test_a_status_line_is_sent_and_shows_nothing(hub: Hub, run: Callable[..., Program]) -> None:
    program = run()

    program.write(device="p7", status={"battery_percent": 9})
    code, lines, _ = program.end()
    wait_until(lambda: hub.heard, "the status")

    assert (code, lines) == (0, [])
    assert decode_status(hub.heard[0].payload).battery_percent == 9


def test_readings_are_sent_and_the_program_ends_when_the_broker_has_them(
    hub: Hub, run: Callable[..., Program]
) -> None:
    program = run()
    before_us = time.time_ns() // 1_000

    program.write(
        device="m1", readings=[{"bu": "%RH", "n": "humidity", "v": 57.5}, {"n": "hall/humidity", "v": 60}]
    )
    code, lines, _ = program.end()
    wait_until(lambda: hub.heard, "the readings")

    assert (code, lines) == (0, [])
    assert hub.heard[0].topic == "up/home-1/m1/reading"
    measured = decode(hub.heard[0].payload, received_us=0)
    assert {(one.name, one.unit, one.value) for one in measured} == {
        ("humidity", "%RH", 57.5),
        ("hall/humidity", "%RH", 60.0),
    }
    assert all(before_us <= one.at_us <= time.time_ns() // 1_000 for one in measured)


def test_readings_that_cannot_be_said_are_named_and_stop_no_alarm(
    hub: Hub, run: Callable[..., Program]
) -> None:
    hub.answer = stored
    program = run()

    program.write(device="m1", readings=[{"n": "state", "vs": "wet"}])
    program.write(device="m1", readings=[{"n": "humidity"}])
    program.write(device="p7", kind="safety.manual")
    code, lines, errors = program.end()

    assert code == 2
    assert "it holds text; right would be a finite number" in errors
    assert "no value and no sum" in errors
    assert lines[-1]["status"] == "stored"


def test_an_unreadable_line_is_named_and_stops_no_other(hub: Hub, run: Callable[..., Program]) -> None:
    hub.answer = stored
    program = run()

    assert program.process.stdin
    program.process.stdin.write("press!\n{}\n\n")
    program.write(device="P7", kind="safety.manual")
    program.write(device="p7", kind="safety.manual", state="loud")
    program.write(device="p7", status={"link": "pigeon"})
    program.write(device="p7", kind="safety.manual")
    code, lines, errors = program.end()

    assert code == 2
    assert [line.get("status") for line in lines] == [None, "stored"]
    assert "line 1: not JSON" in errors
    assert "line 2: no device, or neither kind, status nor readings" in errors
    assert "'P7' is no device id" in errors
    assert "right would be one of raised, cleared, cancelled" in errors
    assert "link is not one of fibre, mobile" in errors


def test_missing_credentials_are_named_and_make_the_exit_code_1(settings: AgentSettings) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "devices.agent", "--host", "localhost", "--credentials", "/nonexistent",
         "--store", str(settings.store_file)],
        input="", capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip

    assert result.returncode == 1
    assert result.stderr == "Cannot use /nonexistent/ca.pem: there is no such file\n"


def test_a_wrong_argument_makes_the_exit_code_2() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "devices.agent"], capture_output=True, text=True, check=False, cwd=ROOT
    )

    assert result.returncode == 2
    assert "--host" in result.stderr
