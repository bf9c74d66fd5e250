"""``stadsnav up``: the product, until Ctrl-C or SIGTERM."""

import asyncio
import errno
import signal
from collections.abc import Callable

import typer

from gateway import log, settings
from gateway.cli import printing
from gateway.cli.desk import chosen_folder
from gateway.cli.options import AsJson, Data, single
from gateway.data_folder import DataFolder, open_folder
from gateway.supervisor import Supervisor
from services.domain.clock import SystemClock
from services.domain.errors import RefusedError

app = single()


class CannotListenError(RefusedError):
    """Another program has one of our ports, or this user may not take it."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"Cannot listen: {problem}; stop the other program, or choose ports with STADSNAV_MQTT_PORT, "
            "STADSNAV_PARTNER_PORT and STADSNAV_HTTP_PORT (0: any)"
        )


@app.command()
def up(context: typer.Context, *, data: Data = None, as_json: AsJson = False) -> None:
    """Run the product until Ctrl-C: broker, alarm process, web. Says when it is ready."""
    folder = open_folder(chosen_folder(context, data))
    chosen = settings.load(folder.path)
    log.configure(process="supervisor")
    product = Supervisor(folder, chosen, SystemClock())
    try:
        asyncio.run(_run(product, on_ready=lambda ports: _tell_ready(folder, ports, as_json=as_json)))
    except OSError as error:
        if error.errno in {errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL} and error.filename is None:
            raise CannotListenError(error.strerror or str(error)) from error
        raise


async def _run(product: Supervisor, *, on_ready: Callable[[dict[str, int]], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await product.run(stop=stop, on_ready=on_ready)


def _tell_ready(folder: DataFolder, ports: dict[str, int], *, as_json: bool) -> None:
    if as_json:
        printing.print_json({"ready": True, "ports": ports, "data": folder.path})
        return
    printing.print_text(
        f"Ready: homes on port {ports['mqtt']}, partners on {ports['partner']}, "
        f"web on {ports['http']}; data in {folder.path}; Ctrl-C stops it"
    )
