"""The options that many commands share, each written once."""

from pathlib import Path
from typing import Annotated, Final

import typer

LIMIT: Final = 100
LONGEST: Final = 1_000_000

Data = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="The data folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON value on stdout.")]
Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, max=LONGEST, help="At most so many.")]
OfHome = Annotated[str | None, typer.Option("--home", metavar="ID", help="Only of this home.")]
OfDevice = Annotated[str | None, typer.Option("--device", metavar="ID", help="Only of this device.")]
OfOrganisation = Annotated[str | None, typer.Option("--org", metavar="ID", help="Only of this organisation.")]
Out = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Where key.pem, cert.pem and ca.pem are written.")
]
Roles = Annotated[
    list[str] | None,
    typer.Option(
        "--role", metavar="ROLE", help="What it is to the hub; again for more. See docs/sign-in.md."
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="PERMISSION", help="Only this of what its roles permit; again for more."),
]


def commands(summary: str) -> typer.Typer:
    """A noun for commands to be added to; it stays a noun when it has only one."""
    app = typer.Typer(help=summary, no_args_is_help=True, add_completion=False, rich_markup_mode=None)
    app.callback(help=summary)(_nothing_before_the_command)
    return app


def single() -> typer.Typer:
    """A noun that is its own and only command."""
    return typer.Typer(add_completion=False, rich_markup_mode=None)


def _nothing_before_the_command() -> None:
    """Have typer keep the noun and its command apart."""
