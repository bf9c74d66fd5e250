"""``stadsnav profile``: what each device model can say."""

from typing import Annotated

import typer

from devices.profiles import load_profiles
from gateway.cli import printing
from gateway.cli.options import AsJson, Data, commands
from services.domain.errors import UnknownError

app = commands("What device models can say.")


@app.command("list")
def list_profiles(*, data: Data = None, as_json: AsJson = False) -> None:  # noqa: ARG001 - as everywhere
    """List the profiles that devices can be registered with."""
    found = [
        {
            "name": profile.name,
            "aliases": profile.aliases,
            "title": profile.title.en,
            "position": profile.position,
            "carries_others": profile.carries_others,
            "kinds": profile.kinds,
            "readings": [reading.name for reading in profile.readings],
        }
        for profile in load_profiles().values()
    ]
    printing.show(found, ("name", "title", "position", "kinds"), as_json=as_json)


@app.command("show")
def show(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    data: Data = None,  # noqa: ARG001 - as everywhere
    as_json: AsJson = False,
) -> None:
    """Show a profile: alarm kinds, readings with their units and limits, heartbeat, power."""
    profiles = load_profiles()
    if name not in profiles:
        raise UnknownError("profile", name, mend="see `stadsnav profile list`")
    printing.show(profiles[name].model_dump(mode="json"), as_json=as_json)
