"""The web process: uvicorn on a socket that the supervisor has bound.

python -m gateway.web_process DIR SOCKET_FD HEARTBEAT_FD
"""

import asyncio
import gc
import logging
import os
import resource
import socket
import sys
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI

from gateway import log, settings
from gateway.api.live.hub import end_streams
from gateway.children import HEARTBEAT_EVERY, READY
from gateway.data_folder import DataFolder, open_folder
from gateway.identity import tls
from gateway.settings import Settings
from gateway.web import create
from gateway.web_connection import Connection
from services.domain.clock import Clock, SystemClock

SEND_BUFFER_BYTES: Final = 131_072
"""What the kernel holds of an answer still leaves when its grant has ended; untold, it holds megabytes."""

OPEN_FILES: Final = 20_000
"""Wanted; a shell often allows no more than 1,024."""


def main() -> None:
    """Serve until SIGTERM."""
    log.configure(process="web")
    _open_as_much_as_may_be()
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    folder = open_folder(Path(sys.argv[1]))
    bound = socket.socket(fileno=int(sys.argv[2]))
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)  # its connections inherit it
    clock = SystemClock()
    config = _config(folder, settings.load(folder.path), clock)
    asyncio.run(_serve(_Server(config), bound, int(sys.argv[3])))


def _open_as_much_as_may_be() -> None:
    """Raise the bound on open files where the machine allows it: each connection and stream needs one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _config(folder: DataFolder, chosen: Settings, clock: Clock) -> uvicorn.Config:
    secured = tls.context(chosen.web, folder, clock)
    return uvicorn.Config(
        create(folder, clock),
        http=Connection,
        ws="none",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
        server_header=False,
        proxy_headers=bool(chosen.web.proxies),
        forwarded_allow_ips=list(chosen.web.proxies),  # untold, uvicorn would believe the whole loopback
        ssl_context_factory=None if secured is None else tls.factory(secured),
    )


class _Server(uvicorn.Server):
    """Waits at its end for answers that are under way; streams would be so for ever."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End."""
        app = self.config.app
        if isinstance(app, FastAPI):
            end_streams(app)
        await super().shutdown(sockets)


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
    gc.freeze()  # what start-up made lives as long as we do: looking at it again holds up every stream
    try:
        while True:
            os.write(to_supervisor, READY)
            await asyncio.sleep(HEARTBEAT_EVERY.total_seconds())
    except BrokenPipeError:
        server.should_exit = True


if __name__ == "__main__":
    main()
