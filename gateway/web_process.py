"""The web process: uvicorn on a socket that the supervisor has bound.

python -m gateway.web_process DIR SOCKET_FD HEARTBEAT_FD
"""

import asyncio
import logging
import os
import socket
import sys
from pathlib import Path
from typing import Final

import uvicorn

from gateway import log
from gateway.children import HEARTBEAT_EVERY, READY
from gateway.data_folder import open_folder
from gateway.web import create
from services.domain.clock import SystemClock

SEND_BUFFER_BYTES: Final = 131_072
"""What the kernel holds of an answer still leaves when its grant has ended; untold, it holds megabytes."""


def main() -> None:
    """Serve until SIGTERM."""
    log.configure(process="web")
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    folder = open_folder(Path(sys.argv[1]))
    bound = socket.socket(fileno=int(sys.argv[2]))
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)  # its connections inherit it
    config = uvicorn.Config(
        create(folder, SystemClock()),
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
        server_header=False,
    )
    asyncio.run(_serve(uvicorn.Server(config), bound, int(sys.argv[3])))


def _is_news(record: logging.LogRecord) -> bool:
    """Not that an answer was cut short: we do that on purpose, and say why in a line of our own."""
    return "without completing response" not in record.getMessage()


async def _serve(server: uvicorn.Server, bound: socket.socket, to_supervisor: int) -> None:
    async with asyncio.TaskGroup() as group:
        beat = group.create_task(_beat(server, to_supervisor), name="heartbeat")
        await server.serve(sockets=[bound])
        beat.cancel()


async def _beat(server: uvicorn.Server, to_supervisor: int) -> None:
    """Say that we live and answer; end with the supervisor when it is gone."""
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
        await asyncio.sleep(0.02)
    try:
        while True:
            os.write(to_supervisor, READY)
            await asyncio.sleep(HEARTBEAT_EVERY.total_seconds())
    except BrokenPipeError:
        server.should_exit = True


if __name__ == "__main__":
    main()
