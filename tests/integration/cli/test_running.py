"""The command beside the running product, and the examples of the manual."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from broker.mosquitto import MosquittoMissingError, find_executable
from services.domain.clock import SystemClock
from services.store.sqlite import SqliteConnection
from tests.support.clock import FrozenClock
from tests.support.product import PROGRAM, Product
from tests.support.town import Town

ROOT: Final = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _mosquitto() -> None:
    try:
        find_executable()
    except MosquittoMissingError as error:
        pytest.skip(f"THE RUNNING PRODUCT IS NOT TESTED HERE. {error}")


def test_up_says_once_that_it_is_ready_serves_and_ends_with_0_on_sigterm(program: Product) -> None:
    process = subprocess.Popen(
        [str(PROGRAM), "up", "--json", "--data", str(program.folder)],
        env=program.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        ready = json.loads(process.stdout.readline())
        while_running = _beside(program)
    finally:
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=30)
        program.end()

    assert ready["ready"] is True
    assert ready["ports"] == while_running["ports"]
    assert while_running["doctor"] == 0, while_running["checks"]
    assert while_running["checks"]["running"]["status"] == "ok"
    assert while_running["checks"]["readyz"]["status"] == "ok"
    assert {"port mqtt", "port partner", "port http"} <= set(while_running["checks"])
    assert "already running" in while_running["second up"]
    assert "already running" in while_running["second alarm process"]
    assert rest == ""
    assert process.returncode == 0


def _beside(product: Product) -> dict[str, Any]:
    """What other commands find while the product runs."""
    ports = json.loads((product.folder / "run" / "ports.json").read_text())
    product.ask("home", "add", "h-1", "--address", "Storgatan 1")
    product.ask("org", "add", "city", "--kind", "city")
    doctor = product.cli("doctor", "--json")
    return {
        "ports": ports,
        "doctor": doctor.returncode,
        "checks": {row["check"]: row for row in json.loads(doctor.stdout)},
        "second up": product.cli("up").stderr,
        "second alarm process": product.cli("run", "alarm").stderr,
    }


def test_a_taken_port_is_refused_in_one_line(program: Product) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        program.environment["STADSNAV_HTTP_PORT"] = str(taken.getsockname()[1])
        done = program.cli("up")

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "STADSNAV_HTTP_PORT" in done.stderr.splitlines()[-1]


_EACH_COMMAND: Final = """
import json, sys
from gateway.cli import main
for line in sys.stdin:
    sys.argv = ["stadsnav", *json.loads(line)]
    try:
        code = main()
    except SystemExit as end:
        code = end.code
    if code:
        sys.exit(f"{line}: exit {code}")
"""


def _run_all(commands: list[list[str]], product: Product, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _EACH_COMMAND],
        input="".join(json.dumps([*command, "--data", str(product.folder)]) + "\n" for command in commands),
        env={**product.environment, "PYTHONPATH": os.pathsep.join([str(ROOT)])},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_example_of_the_manual_works(program: Product, tmp_path: Path, store: SqliteConnection) -> None:
    manual = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", manual, re.DOTALL | re.MULTILINE)
    commands = [shlex.split(line)[1:] for block in blocks for line in block.splitlines()]
    listed = re.findall(r"^```csv\n(.*?)^```", manual, re.DOTALL | re.MULTILINE)
    (tmp_path / "homes.csv").write_text(listed[0], encoding="utf-8")
    first_with = {
        word: next(number for number, command in enumerate(commands) if word in command)
        for word in ("GRANT", "ALARM")
    }

    done = _run_all(commands[: first_with["GRANT"]], program, tmp_path)
    grant = program.ask("grant", "list")[0]["id"]
    alarm = Town(store, FrozenClock(SystemClock().now())).press("p7").id
    values = {"GRANT": grant, "ALARM": alarm}
    rest = [[values.get(word, word) for word in command] for command in commands[first_with["GRANT"] :]]
    then = _run_all(rest, program, tmp_path)

    assert len(commands) > 30
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
    assert (then.returncode, then.stderr.count("Traceback")) == (0, 0), then.stderr
    assert (tmp_path / "credentials" / "p7" / "key.pem").exists()
