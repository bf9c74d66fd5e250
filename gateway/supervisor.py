"""``stadsnav up``: one machine's product, from its lock to its last process.

    lock ─> store ─> broker (files, start, self-test) ─> alarm, reading, export, outward, web ─> ready
    SIGTERM: the same (each finishes what it has), one after the other ─> broker (writes its state)

It stops in the order in which the data flow, so that whatever is on its way is finished or stays with the
one who sent it. Every process that ends is started again, after a pause that grows to five seconds.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from datetime import timedelta
from typing import IO, Final

import structlog

from gateway import data_folder
from gateway.broker_keeper import AccessList, BrokerKeeper, access_list
from gateway.children import Child
from gateway.data_folder import DataFolder, Lock
from gateway.settings import Settings
from services.domain.clock import Clock
from services.store.migrations import migrate
from services.store.sqlite import SqliteConnection

LOCK: Final = "up"
BESIDE: Final = frozenset({"export", "outward"})
"""Nothing waits for these processes: alarms are taken and carried without them."""

STOP_WITHIN: Final = timedelta(seconds=15)
READY_WITHIN: Final = timedelta(seconds=60)

FOLLOW_EVERY: Final = timedelta(milliseconds=200)
"""How soon a new organisation or integration, or a revoked certificate is known to the broker."""

READING_HEARTBEAT_WITHIN: Final = timedelta(seconds=10)
"""Sooner than for others: what homes measure meanwhile piles up in the broker, which alarms need too."""

BROKER_AWAY_AT_MOST: Final = timedelta(seconds=60)

_log = structlog.get_logger(__name__)


class NotReadyError(Exception):
    """A process did not come up."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The {name} process was not ready within {READY_WITHIN.total_seconds():g} s; "
            "its log lines above say why"
        )


class Supervisor:
    """Everything that ``stadsnav up`` runs."""

    def __init__(
        self, folder: DataFolder, settings: Settings, clock: Clock, *, child_log: IO[str] | None = None
    ) -> None:
        self._child_log = child_log
        self._folder = folder
        self._settings = settings
        self._clock = clock
        self._stack = ExitStack()

    async def run(self, *, stop: asyncio.Event, on_ready: Callable[[dict[str, int]], None]) -> None:
        """Bring everything up, keep it up, and bring it down when told to.

        Raises:
            RefusedError: Another instance runs on this folder.
            Exception: A part cannot start; the text says why and what would mend it.
        """
        with self._stack:
            self._stack.callback(Lock(self._folder, LOCK).release)
            self._folder.ports_file.unlink(missing_ok=True)
            store = self._stack.enter_context(closing(SqliteConnection(self._folder.database)))
            migrate(store)
            web_socket = self._stack.enter_context(_bound(self._settings))
            alarm = Child("alarm", "gateway.alarm_process", str(self._folder.path), stderr=self._child_log)
            reading = Child(
                "reading",
                "gateway.reading_process",
                str(self._folder.path),
                stderr=self._child_log,
                heartbeat_within=READING_HEARTBEAT_WITHIN,
            )
            export = Child("export", "gateway.export_process", str(self._folder.path), stderr=self._child_log)
            outward = Child(
                "outward", "gateway.outward_process", str(self._folder.path), stderr=self._child_log
            )
            web = Child(
                "web",
                "gateway.web_process",
                str(self._folder.path),
                str(web_socket.fileno()),
                pass_fds=(web_socket.fileno(),),
                stderr=self._child_log,
            )
            keeper = BrokerKeeper(self._folder, self._settings, self._clock, on_restart=alarm.ready.clear)
            children = (alarm, reading, *([export] if self._settings.export else []), outward, web)
            try:
                await keeper.start(access_list(store, self._clock))
                await self._keep(keeper, children, store, web_socket, stop=stop, on_ready=on_ready)
            finally:
                await keeper.stop()
                self._folder.ports_file.unlink(missing_ok=True)

    async def _keep(
        self,
        keeper: BrokerKeeper,
        children: tuple[Child, ...],
        store: SqliteConnection,
        web_socket: socket.socket,
        *,
        stop: asyncio.Event,
        on_ready: Callable[[dict[str, int]], None],
    ) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(child.run(), name=child.name) for child in children]
            tasks.append(group.create_task(keeper.run(), name="broker"))
            await _all_ready([child for child in children if child.name not in BESIDE], stop)
            if not stop.is_set():
                ports = {
                    "mqtt": keeper.ports.homes,
                    "partner": keeper.ports.partners,
                    "http": web_socket.getsockname()[1],
                }
                data_folder.write_ports(self._folder, ports)
                on_ready(ports)
                tasks.append(group.create_task(self._follow(keeper, store, children[0]), name="follow"))
                if self._settings.broker.manage:
                    watch = self._watch_broker(keeper, children[0])
                    tasks.append(group.create_task(watch, name="broker watch"))
            await stop.wait()
            _log.info("stopping")
            for child in children:
                await child.stop(deadline=STOP_WITHIN)
            for task in tasks:
                task.cancel()

    async def _follow(self, keeper: BrokerKeeper, store: SqliteConnection, alarm: Child) -> None:
        """Let the broker know what has changed in the registry, also from the command line."""
        version, known = -1, AccessList(organisations=(), revoked={})
        while True:
            await asyncio.sleep(FOLLOW_EVERY.total_seconds())
            try:
                newest = store.data_version()
                if newest == version:
                    continue
                access = access_list(store, self._clock)
                if access != known:
                    await alarm.ready.wait()  # a reload while its sessions are away would lose their rights
                    keeper.write_access(access)
                    keeper.reload()
                version, known = newest, access
            except Exception:  # noqa: BLE001 - the supervisor's guard: tried again at once, and for ever
                _log.exception("broker_not_told")

    async def _watch_broker(self, keeper: BrokerKeeper, alarm: Child) -> None:
        """End a broker that runs but has not let the hub in for long; it is started again."""
        while True:
            await alarm.ready.wait()
            while alarm.ready.is_set():  # noqa: ASYNC110 - an event tells when it is set, not when it ends
                await asyncio.sleep(1.0)
            try:
                async with asyncio.timeout(BROKER_AWAY_AT_MOST.total_seconds()):
                    await alarm.ready.wait()
            except TimeoutError:
                _log.error("broker_killed", reason="it does not let the hub in")
                keeper.kill()


async def _all_ready(children: Sequence[Child], stop: asyncio.Event) -> None:
    """Return when every child is ready, or we are to stop.

    Raises:
        NotReadyError: One of them was not, in time.
    """
    loop = asyncio.get_running_loop()
    stopping = loop.create_task(stop.wait(), name="stop")
    for child in children:
        ready = loop.create_task(child.ready.wait(), name=f"{child.name} ready")
        done, _ = await asyncio.wait(
            {ready, stopping}, timeout=READY_WITHIN.total_seconds(), return_when=asyncio.FIRST_COMPLETED
        )
        ready.cancel()
        if not done:
            stopping.cancel()
            raise NotReadyError(child.name)
    stopping.cancel()


def _bound(settings: Settings) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((settings.bind or "0.0.0.0", settings.http_port))  # noqa: S104 - as the operator chose
    bound.set_inheritable(True)
    return bound
