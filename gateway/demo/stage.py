"""Puts the demo on: registers the cast, starts the product, lets homes and partners play."""

import asyncio
import signal
import sys
import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Final

from rich.console import Console

from devices.kinds import AlarmKind
from devices.simulator.actions import Fault, Press
from devices.simulator.fleet import Fleet, settings_in
from devices.simulator.plan import Day, day_plan
from devices.simulator.town import SimulatedHome, town
from gateway import data_folder, log, settings
from gateway.broker_keeper import ANYWHERE
from gateway.data_folder import DataFolder
from gateway.demo import cast
from gateway.demo.board import ROWS, Board, Shown
from gateway.demo.partner import Partner
from gateway.settings import Settings
from gateway.supervisor import Supervisor
from services.domain.clock import SystemClock
from services.store import alarms, deliveries
from services.store.migrations import migrate
from services.store.sqlite import SqliteConnection

DAY: Final = timedelta(minutes=5)
"""A simulated day passes in this time, over and over."""

PRESSES_PER_HOME: Final = 30.0
LOG_FILE: Final = "demo.log"
STOP_PARTNERS_WITHIN: Final = 3.0


def run(data: Path, *, seconds: float | None, homes: int, seed: int) -> int:
    """Play until Ctrl-C, or for so many seconds; returns the exit code.

    Raises:
        RefusedError: The data folder is not for play, or in use.
    """
    folder = data_folder.open_folder(data)
    chosen = _local(settings.load(folder.path), folder)
    clock, houses = SystemClock(), town(str(seed), homes)
    with closing(SqliteConnection(folder.database)) as connection:
        migrate(connection)
        with connection.transaction():
            cast.register(folder, connection, houses, clock)
        cast.enrol(folder, connection, houses, clock)
        with (folder.path / cast.MARK / LOG_FILE).open("a") as log_file:
            log.configure(process="demo", file=log_file)
            stage = Stage(folder, connection, houses, seed=seed)
            return asyncio.run(
                stage.play(Supervisor(folder, chosen, clock, child_log=log_file), seconds=seconds)
            )


class Stage:
    """Homes, partners and the board around one running product."""

    def __init__(
        self, folder: DataFolder, connection: SqliteConnection, homes: tuple[SimulatedHome, ...], *, seed: int
    ) -> None:
        self._folder = folder
        self._connection = connection
        self._homes = homes
        self._seed = seed
        self._board = Board(console=Console(file=sys.stdout), heading=[], recent=self._recent)

    async def play(self, product: Supervisor, *, seconds: float | None) -> int:
        """Start the product and play; stop it in order at the end."""
        stop, curtain = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, curtain.set)
        up: asyncio.Future[dict[str, int]] = loop.create_future()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(product.run(stop=stop, on_ready=up.set_result), name="product")
            running.add_done_callback(lambda _: up.cancel())
            await asyncio.wait({up})
            if up.cancelled():
                return 1  # the group raises what kept the product from coming up
            try:
                await self._perform(up.result(), curtain, seconds=seconds)
            finally:
                stop.set()
        self._board.console.print(self._board.summary(), highlight=False, soft_wrap=True)
        return 0

    async def _perform(self, ports: dict[str, int], curtain: asyncio.Event, *, seconds: float | None) -> None:
        self._board.heading = heading(self._folder, ports)
        credentials = cast.credentials(self._folder)
        stores = self._folder.path / cast.MARK / "homes"
        stores.mkdir(mode=0o700, exist_ok=True)
        fleet = Fleet(
            self._homes,
            settings_for=settings_in(credentials, host="localhost", port=ports["mqtt"], stores=stores),
            on_news=self._board.homes_say,
        )
        ended = threading.Event()
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(partner.run(), name="partner")
                for partner in self._partners(ports["partner"])
            ]
            tasks.append(group.create_task(self._board.show(), name="board"))
            acting = group.create_task(asyncio.to_thread(self._act, fleet, ended), name="homes")
            try:
                async with asyncio.timeout(seconds):
                    await curtain.wait()
            except TimeoutError:
                pass
            ended.set()
            await acting
            for task in tasks:
                task.cancel()

    def _act(self, fleet: Fleet, ended: threading.Event) -> None:
        """Play day after day, in a thread of its own."""
        day = Day(
            length=DAY,
            presses_per_home=PRESSES_PER_HOME,
            faults_per_home={Fault.MALFORMED: 0.2, Fault.DUPLICATE: 0.5, Fault.LOW_BATTERY: 0.3},
        )
        first = self._homes[0]
        alarm = first.devices[0]
        press = Press(
            after=timedelta(0),
            client_id=first.client_id,
            device_id=alarm.device_id,
            kind=AlarmKind.SAFETY_MANUAL,
            room=alarm.room,
        )
        with fleet:
            fleet.do(press)
            number = 0
            while not ended.is_set():
                number += 1
                fleet.play(day_plan(f"{self._seed}/{number}", self._homes, day, run=str(number)), ended)

    def _partners(self, port: int) -> list[Partner]:
        return [
            Partner(
                role.organisation.id,
                credentials=cast.credentials(self._folder) / role.organisation.id,
                port=port,
                chance=Random(f"{self._seed}/{role.organisation.id}"),  # noqa: S311 - repeatable, not secret
                on_told=self._board.partner_hears,
            )
            for role in cast.ROLES
        ]

    def _recent(self) -> list[Shown]:
        return [
            Shown(alarm=alarm, told=deliveries.told(self._connection, alarm.id))
            for alarm in alarms.alarms(
                self._connection, home_id=None, device_id=None, organisation_id=None, limit=ROWS
            )
        ]


def heading(folder: DataFolder, ports: dict[str, int]) -> list[str]:
    """Addresses, the credentials' folder, and two lines to paste."""
    credentials = _short(cast.credentials(folder))
    partner, visitor = cast.ROLES[0].organisation.id, cast.VISITOR
    listen = _client("mosquitto_sub", ports["partner"], credentials / partner)
    press = _client("mosquitto_pub", ports["mqtt"], credentials / visitor)
    message = '{\\"id\\": \\"press-$(date +%s)\\", \\"kind\\": \\"safety.manual\\", \\"room\\": \\"hall\\"}'
    return [
        f"homes     localhost:{ports['mqtt']}   MQTT over TLS, client certificate",
        f"partners  localhost:{ports['partner']}   MQTT over TLS, client certificate",
        f"web       http://localhost:{ports['http']}/readyz",
        f"credentials in {credentials}, log in {_short(folder.path / cast.MARK / LOG_FILE)}",
        "",
        "Listen as a care provider (another terminal):",
        f"  {listen} -q 1 -t 'care/{partner}/event'",
        "Press a safety alarm:",
        f'  {press} -q 1 -t up/{visitor}/{visitor}/alarm -m "{message}"',
        "",
    ]


def _short(path: Path) -> Path:
    """The path as one would type it here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _client(program: str, port: int, credentials: Path) -> str:
    files = " ".join(f"--{option} {credentials / name}" for option, name in _FILES)
    return f"{program} -h localhost -p {port} {files}"


_FILES: Final = (("cafile", "ca.pem"), ("cert", "cert.pem"), ("key", "key.pem"))


def _local(chosen: Settings, folder: DataFolder) -> Settings:
    """A demo is for this machine alone, unless an address was chosen."""
    if settings.origins(folder.path)["bind"] == "default" and chosen.bind in ANYWHERE:
        return chosen.model_copy(update={"bind": "127.0.0.1"})
    return chosen
