"""``stadsnav config``: the settings that hold, and where each of them came from; no secrets."""

import typer

from gateway import settings
from gateway.cli import printing
from gateway.cli.desk import chosen_folder
from gateway.cli.options import AsJson, Data, single
from gateway.data_folder import open_folder

app = single()


@app.command()
def config(context: typer.Context, *, data: Data = None, as_json: AsJson = False) -> None:
    """Print the settings that hold and where each came from; secrets are hidden."""
    path = chosen_folder(context, data).absolute()
    if path.exists():
        open_folder(path)
    values = settings.values(path)
    if as_json:
        printing.print_json(
            {name: {"value": item.value, "origin": item.origin} for name, item in values.items()}
        )
        return
    rows = [{"setting": name, "value": item.value, "origin": item.origin} for name, item in values.items()]
    printing.show(rows, ("setting", "value", "origin"), as_json=False)
