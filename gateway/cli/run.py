"""``stadsnav run``: one process of the product alone, where something else supervises it."""

import os
import sys
from pathlib import Path

import typer

from gateway.cli.desk import chosen_folder
from gateway.cli.options import Data, commands
from gateway.data_folder import AlreadyRunningError, holder, open_folder

app = commands("One process of the product alone, in the foreground.")


@app.command("alarm")
def alarm(context: typer.Context, *, data: Data = None) -> None:
    """Run the alarm process until SIGTERM; its broker must run already."""
    _become("alarm", "gateway.alarm_process", chosen_folder(context, data))


@app.command("reading")
def reading(context: typer.Context, *, data: Data = None) -> None:
    """Run the reading process until SIGTERM; its broker must run already."""
    _become("reading", "gateway.reading_process", chosen_folder(context, data))


@app.command("export")
def export(context: typer.Context, *, data: Data = None) -> None:
    """Run the export process until SIGTERM; it does nothing without a target (docs/export.md)."""
    _become("export", "gateway.export_process", chosen_folder(context, data))


@app.command("outward")
def outward(context: typer.Context, *, data: Data = None) -> None:
    """Run the outward process until SIGTERM: webhooks, letters, the dead-man call."""
    _become("outward", "gateway.outward_process", chosen_folder(context, data))


def _become(lock: str, module: str, path: Path) -> None:
    folder = open_folder(path)
    if holder(folder, lock) is not None:
        raise AlreadyRunningError(folder.path, lock)
    arguments = [sys.executable, "-m", module, str(folder.path)]
    os.execv(sys.executable, arguments)  # noqa: S606 - becomes that process, so that signals reach it
