"""``stadsnav run``: one process of the product alone, where something else supervises it."""

import os
import sys

import typer

from gateway.cli.desk import chosen_folder
from gateway.cli.options import Data, commands
from gateway.data_folder import AlreadyRunningError, holder, open_folder

app = commands("One process of the product alone, in the foreground.")


@app.command("alarm")
def alarm(context: typer.Context, *, data: Data = None) -> None:
    """Run the alarm process until SIGTERM; its broker must run already."""
    folder = open_folder(chosen_folder(context, data))
    if holder(folder, "alarm") is not None:
        raise AlreadyRunningError(folder.path, "alarm")
    arguments = [sys.executable, "-m", "gateway.alarm_process", str(folder.path)]
    os.execv(sys.executable, arguments)  # noqa: S606 - becomes that process, so that signals reach it
