"""The whole command, and the one place where its errors become a line and an exit code.

0  done      1  refused: one line on stderr, what and the mend      2  wrong usage
"""

import os
import sys
import traceback
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command

from gateway.cli.printing import one_line
from gateway.cli.refusals import refusal

REFUSED: Final = 1


@dataclass(frozen=True, slots=True)
class Noun:
    """A module of commands, and what it is about."""

    module: str
    help: str


NOUNS: Final = {
    "up": Noun("up", "Run the product until Ctrl-C."),
    "demo": Noun("demo", "Run the product with simulated homes."),
    "simulate": Noun("simulate", "Drive the product with a city's readings and alarms, and count."),
    "home": Noun("homes", "Homes on the fibre: add, change, list, import."),
    "device": Noun("devices", "Devices in homes: add, list, show, enrol, suspend, resume, retire."),
    "profile": Noun("profiles", "What device models can say: list, show."),
    "org": Noun("organisations", "Care providers and others: add, list, credentials, token, client."),
    "account": Noun("accounts", "People who sign in: add, list, show, password, totp, suspend, sessions."),
    "integration": Noun(
        "integrations", "Other systems and the devices behind them: add, list, credentials, unknown, adopt."
    ),
    "resident": Noun(
        "residents", "People in homes: add, list, show, change, move-out, export, erase, rekey."
    ),
    "consent": Noun("consents", "What residents have said yes to: add, list, withdraw."),
    "grant": Noun(
        "grants",
        "Who may know what about whom: add, list, revoke, draft, approve, reject, drafts, template, "
        "emergency, emergencies, review.",
    ),
    "rule": Noun("rules", "Limits on readings that open alarms: list, set, off, unset."),
    "alarm": Noun("alarms", "Cases: list, show, acknowledge, close, comment."),
    "event": Noun("events", "What homes said: list."),
    "reading": Noun("readings", "Measured values: now, list, export, plot, erase, counts."),
    "export": Noun("export", "Readings to databases elsewhere: status, again, position."),
    "quarantine": Noun("quarantine", "What could not be taken, and why: list."),
    "subscription": Noun(
        "subscriptions",
        "Over which channels organisations are told: add, list, ping, rotate, change, remove.",
    ),
    "delivery": Noun("deliveries", "Who was told what, and whether it arrived: list, dead, replay."),
    "audit": Noun(
        "audit",
        "Who looked at or changed what: list, verify, sign, key, export, extract, sample, review.",
    ),
    "usage": Noun("usage", "How much each organisation has used, by month: show."),
    "doctor": Noun("doctor", "Check everything; say what is wrong and what mends it."),
    "asyncapi": Noun("asyncapi", "Describe what travels by MQTT, streams and webhooks (AsyncAPI 3)."),
    "config": Noun("configuration", "The settings that hold, and where each came from."),
    "run": Noun("run", "One process of the product alone, in the foreground."),
}


class _Nouns(TyperGroup):
    """Finds a noun's commands when they are asked for; until then its name and help will do."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None:
            command = get_command(import_module(f"gateway.cli.{NOUNS[name].module}").app)
        return name, command, rest


def main() -> int:
    """Run the command that was typed; returns or exits with its code."""
    try:
        get_command(_program()).main(prog_name="stadsnav")
    except BrokenPipeError:  # whoever was reading has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED
    except Exception as error:  # noqa: BLE001 - the end of the line: a sentence for people, always
        _tell(error)
        return REFUSED
    return 0


def _program() -> typer.Typer:
    program = typer.Typer(
        cls=_Nouns,
        help="Stadsnav: a city's hub for alarms and sensors in homes.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,  # plain: soon there, and the same in a pipe
    )
    program.callback()(_root)
    for name, noun in NOUNS.items():
        program.command(name, help=noun.help)(_found_by_name)
    return program


def _root(
    context: typer.Context,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="DIR", envvar="STADSNAV_DATA", help="The data folder; ./var when not given."
        ),
    ] = None,
) -> None:
    context.obj = data


def _found_by_name() -> None:
    """Stand for the noun's commands in the list; ``_Nouns`` puts them in its place."""


def _tell(error: Exception) -> None:
    sentence = refusal(error)
    if sentence is None:
        sentence = (
            f"Unexpected {type(error).__name__}: {error}; this is a mistake in Stadsnav, please report it"
        )
        traceback.print_exception(error)
    sys.stderr.write(f"{one_line(sentence)}\n")
