"""The broker as a child: it starts, ends, says why it did not start, and never outlives its parent."""

import asyncio
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from broker import mosquitto
from broker.configuration import LOOPBACK
from broker.limits import OPEN_FILES
from broker.mosquitto import BrokerEndedError, BrokerProcess, BrokerSilentError, PortTakenError
from tests.integration.broker.running import RunningBroker, wait_until
from tests.integration.conftest import BrokerFactory

SOON = timedelta(seconds=5)


@pytest.fixture
def set_up(tmp_path: Path, broker_factory: BrokerFactory) -> Iterator[RunningBroker]:
    """A broker's files and ports; nothing runs yet."""
    with broker_factory(tmp_path) as made:
        yield made


class Child:
    """A BrokerProcess with what it said."""

    def __init__(self, command: list[str]) -> None:
        self.lines: list[str] = []
        self.process = BrokerProcess(command, on_line=self.lines.append)


@pytest.fixture
async def child(set_up: RunningBroker) -> AsyncIterator[Child]:
    made = Child(mosquitto.command(set_up.executable, set_up.paths.configuration))
    await made.process.start()
    yield made
    await made.process.stop(deadline=SOON)


async def test_a_broker_that_accepts_connections_lets_the_hub_in(set_up: RunningBroker, child: Child) -> None:
    await child.process.wait_until_accepting(set_up.configuration.ports, deadline=SOON)

    def log_in() -> None:
        with set_up.hub_client():
            pass

    await asyncio.to_thread(log_in)


async def test_every_listener_is_open_when_the_wait_is_over(set_up: RunningBroker, child: Child) -> None:
    await child.process.wait_until_accepting(set_up.configuration.ports, deadline=SOON)

    for port in set_up.configuration.ports:
        socket.create_connection((LOOPBACK, port), timeout=5).close()


async def test_waiting_leaves_no_trace_in_the_log(set_up: RunningBroker, child: Child) -> None:
    await child.process.wait_until_accepting(set_up.configuration.ports, deadline=SOON)
    await child.process.stop(deadline=SOON)

    assert not [line for line in child.lines if "connection" in line]


async def test_stopping_lets_the_broker_write_its_state(set_up: RunningBroker, child: Child) -> None:
    await child.process.wait_until_accepting(set_up.configuration.ports, deadline=SOON)

    exit_code = await child.process.stop(deadline=SOON)

    assert exit_code == 0
    assert (set_up.paths.state / "mosquitto.db").exists()


async def test_its_log_arrives_line_by_line(set_up: RunningBroker, child: Child) -> None:
    await child.process.wait_until_accepting(set_up.configuration.ports, deadline=SOON)
    socket.create_connection((LOOPBACK, set_up.internal_port), timeout=5).close()
    await child.process.stop(deadline=SOON)

    assert any(line.startswith("New connection from 127.0.0.1") for line in child.lines)
    assert all("\n" not in line for line in child.lines)


async def test_a_killed_broker_is_told_with_the_number_of_the_signal(
    set_up: RunningBroker, child: Child
) -> None:
    await child.process.wait_until_accepting(set_up.configuration.ports, deadline=SOON)

    psutil.Process(child.process.pid).kill()

    assert await child.process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("which", ["homes", "partners", "internal"])
async def test_a_port_that_another_process_has_is_named_as_the_reason(
    set_up: RunningBroker, which: str
) -> None:
    port: int = getattr(set_up, f"{which}_port")
    with socket.create_server((LOOPBACK, port)):
        child = Child(mosquitto.command(set_up.executable, set_up.paths.configuration))
        await child.process.start()

        with pytest.raises(PortTakenError, match="Address already in use"):
            await child.process.wait_until_accepting(set_up.configuration.ports, deadline=SOON)


async def test_a_configuration_that_mosquitto_refuses_is_told_in_its_words(set_up: RunningBroker) -> None:
    with set_up.paths.configuration.open("a") as configuration:
        configuration.write("no_such_option true\n")
    child = Child(mosquitto.command(set_up.executable, set_up.paths.configuration))
    await child.process.start()

    with pytest.raises(BrokerEndedError, match="no_such_option") as caught:
        await child.process.wait_until_accepting(set_up.configuration.ports, deadline=SOON)

    assert not isinstance(caught.value, PortTakenError)
    assert caught.value.exit_code > 0


async def test_a_child_that_never_accepts_is_given_up_at_the_deadline_and_killed_if_it_will_not_end() -> None:
    child = Child(["sh", "-c", "trap '' TERM; echo 'deaf and silent'; exec sleep 60"])
    await child.process.start()

    with pytest.raises(
        BrokerSilentError, match=r"did not open port 1 within 0\.3 s; it said: deaf and silent"
    ):
        await child.process.wait_until_accepting([1], deadline=timedelta(milliseconds=300))
    exit_code = await child.process.stop(deadline=timedelta(milliseconds=50))

    assert exit_code == -signal.SIGKILL


async def test_stopping_twice_or_after_the_end_is_no_error(set_up: RunningBroker, child: Child) -> None:
    await child.process.wait_until_accepting(set_up.configuration.ports, deadline=SOON)
    await child.process.stop(deadline=SOON)

    assert await child.process.stop(deadline=SOON) == 0


async def test_a_last_line_without_a_line_end_and_bytes_that_are_no_text_are_handed_on() -> None:
    child = Child(["printf", r"first\nlast \377"])
    await child.process.start()

    await child.process.wait()

    assert child.lines == ["first", "last \\xff"]


def test_a_broker_does_not_outlive_a_killed_supervisor(set_up: RunningBroker) -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, *mosquitto.command(set_up.executable, set_up.paths.configuration)],
        stdout=subprocess.PIPE,
        text=True,
    )
    with supervisor:
        assert supervisor.stdout is not None
        broker_process = psutil.Process(int(supervisor.stdout.readline()))
        try:
            wait_until(lambda: "mosquitto" in broker_process.name(), "mosquitto has started")

            supervisor.kill()
            supervisor.wait(5)

            wait_until(lambda: not _is_running(broker_process), "the broker is gone too")
        finally:
            if _is_running(broker_process):
                broker_process.kill()


def test_a_broker_may_open_more_files_than_the_shell_allows_by_default() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    said = subprocess.run(
        ["sh", "-c", 'ulimit -S -n 64; exec "$0" -c "$1"', sys.executable, SAYS_LIMIT],
        capture_output=True,
        text=True,
        check=True,
    )

    assert int(said.stdout) == (OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)) > 64


def _is_running(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


SUPERVISOR = """
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(child.pid, flush=True)
time.sleep(60)
"""
SAYS_LIMIT = """
import subprocess
from pathlib import Path
from broker.mosquitto import command
*wrappers, _program, _option, _file = command(Path("mosquitto"), Path("mosquitto.conf"))
subprocess.run([*wrappers, "sh", "-c", "ulimit -S -n"], check=True)
"""
