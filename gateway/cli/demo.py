"""``stadsnav demo``: the product with simulated homes and care providers."""

from pathlib import Path
from typing import Annotated, Final

import typer

from gateway import demo as play
from gateway.cli.desk import chosen_folder
from gateway.cli.options import Data, single

DEFAULT_FOLDER: Final = Path("var/demo")

app = single()


@app.command()
def demo(
    context: typer.Context,
    *,
    seconds: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", min=0, help="Stop by itself after that.")
    ] = None,
    homes: Annotated[int, typer.Option(metavar="N", min=1, max=1_000, help="How many homes.")] = 12,
    seed: Annotated[int, typer.Option(metavar="N", help="The same number, the same day.")] = 1,
    data: Data = None,
) -> None:
    """Run the whole product with simulated homes and care providers until Ctrl-C."""
    folder = chosen_folder(context, data, default=DEFAULT_FOLDER)
    code = play.run(folder, seconds=seconds, homes=homes, seed=seed)
    raise typer.Exit(code)
