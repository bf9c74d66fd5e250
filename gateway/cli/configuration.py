"""``stadsnav config``: the settings that hold, and where each of them came from; no secrets."""

from typing import Any

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
    values = _flat(settings.load(path).model_dump(mode="json"))
    origins = settings.origins(path)
    if as_json:
        printing.print_json({name: {"value": values[name], "origin": origins[name]} for name in values})
        return
    rows = [{"setting": name, "value": values[name], "origin": origins[name]} for name in values]
    printing.show(rows, ("setting", "value", "origin"), as_json=False)


def _flat(document: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings by their dotted names, as ``settings.origins`` has them."""
    flat: dict[str, Any] = {}
    for name, value in document.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat
