"""The command in a data folder of its own: as a program, or in this process, without Python's start."""

import io
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.data_folder import open_folder
from services.domain.clock import SystemClock
from services.store.migrations import READINGS, migrate
from services.store.sqlite import SqliteConnection
from tests.integration.cli.stored import Meters
from tests.support.clock import FrozenClock
from tests.support.product import PATIENCE_SECONDS, Product
from tests.support.town import Town


class InThisProcess(Product):
    """The same command, run by a call: for the many tests that ask what it says."""

    def cli(
        self,
        *arguments: str,
        within_seconds: float = PATIENCE_SECONDS,  # noqa: ARG002 - a call cannot be ended
    ) -> subprocess.CompletedProcess[str]:
        words = ["stadsnav", *arguments, "--data", str(self.folder)]
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") for _ in range(2))
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", words)
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            code = _exit_code()
        return subprocess.CompletedProcess(words, code, _text(out), _text(err))


def _exit_code() -> int:
    try:
        return main()
    except SystemExit as end:
        return int(end.code or 0)


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    stream.seek(0)
    return stream.read()


@pytest.fixture
def program(tmp_path: Path) -> Product:
    """The installed command on a data folder that is not there yet; nothing of the product runs."""
    return Product(tmp_path / "data")


@pytest.fixture
def stadsnav(tmp_path: Path) -> Product:
    """The command, called in this process, on the same folder as ``program``'s."""
    return InThisProcess(tmp_path / "data")


@pytest.fixture
def store(stadsnav: Product) -> Iterator[SqliteConnection]:
    """The command's own store, as another process has it open."""
    with closing(SqliteConnection(open_folder(stadsnav.folder).database)) as connection:
        migrate(connection)
        yield connection


@pytest.fixture
def folk(store: SqliteConnection) -> Town:
    """A town in the command's store, at the machine's own time: see ``tests.support.town``."""
    town = Town(store, FrozenClock(SystemClock().now()))
    town.settle()
    return town


@pytest.fixture
def readings(stadsnav: Product) -> Iterator[SqliteConnection]:
    """The file of measured values, as the reading process has it open."""
    with closing(SqliteConnection(open_folder(stadsnav.folder).readings)) as connection:
        migrate(connection, READINGS)
        yield connection


@pytest.fixture
def meters(folk: Town, readings: SqliteConnection) -> Meters:
    return Meters(folk, readings)
