"""``stadsnav simulate``: a city's readings and alarms on the whole product, and what became of them."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.cli import printing
from gateway.cli.desk import chosen_folder
from gateway.cli.options import AsJson, Data, single

DEFAULT_FOLDER: Final = Path("var/simulation")

app = single()


@app.command()
def simulate(
    context: typer.Context,
    *,
    homes: Annotated[int, typer.Option(metavar="N", min=1, max=100_000, help="How many homes.")] = 200,
    rate: Annotated[
        float, typer.Option(metavar="R", min=1, max=200_000, help="Packs of readings a second, all homes.")
    ] = 1_000,
    seconds: Annotated[float, typer.Option("--for", metavar="SECONDS", min=1, help="How long.")] = 60,
    alarms: Annotated[
        float, typer.Option(metavar="R", min=0.01, max=100, help="Presses a second, on average over a day.")
    ] = 1,
    day: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=1, help="How long a simulated day is; --for when not given."),
    ] = None,
    outage: Annotated[
        bool, typer.Option("--outage", help="A fibre node goes dark, and all its homes come back at once.")
    ] = False,
    seed: Annotated[int, typer.Option(metavar="N", help="The same number, the same city.")] = 1,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Play a city on the product that runs on the folder, or on one that is started for it."""
    from gateway import simulation  # noqa: PLC0415 - numpy and the whole product, which --help does not need

    script = simulation.Script(
        homes=homes,
        packs_per_second=rate,
        alarms_per_second=alarms,
        length=timedelta(seconds=seconds),
        day=timedelta(seconds=day or seconds),
        seed=seed,
        has_outage=outage,
    )
    folder = chosen_folder(context, data, default=DEFAULT_FOLDER)
    tell = printing.note if as_json else printing.print_text
    summary = simulation.run(folder, script, tell=tell, tell_moment=tell)
    printing.show(summary, as_json=as_json)
