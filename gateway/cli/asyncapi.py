"""``stadsnav asyncapi``: the description of what travels by MQTT, streams and webhooks."""

import sys

import typer

from gateway import settings
from gateway.asyncapi.document import written
from gateway.cli.desk import chosen_folder
from gateway.cli.options import AsJson, Data, single

app = single()


@app.command()
def asyncapi(context: typer.Context, *, data: Data = None, as_json: AsJson = False) -> None:  # noqa: ARG001 - it is JSON either way
    """Print the AsyncAPI 3.0 document, as the web process serves it at /api/v1/asyncapi.json."""
    chosen = settings.load(chosen_folder(context, data).absolute())
    sys.stdout.write(f"{written(chosen.city).decode()}\n")
