"""Puts the demo on: registers the cast, starts the product, lets homes and partners play."""

import asyncio
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Final

from rich.console import Console

from devices.kinds import AlarmKind, DataClass
from devices.simulator.actions import Fault, Press
from devices.simulator.fleet import Fleet, settings_in
from devices.simulator.plan import Day, day_plan
from devices.simulator.town import SimulatedHome, town
from gateway import data_folder, log, settings
from gateway.broker_keeper import ANYWHERE
from gateway.data_folder import DataFolder
from gateway.demo import cast
from gateway.demo.board import ROWS, Board, Shown
from gateway.demo.measured import Measured
from gateway.demo.partner import Partner
from gateway.settings import Settings
from gateway.supervisor import Supervisor
from services.domain.clock import SystemClock
from services.store import alarms, deliveries
from services.store.migrations import migrate
from services.store.sqlite import SqliteConnection

MEASURES_EVERY: Final = timedelta(seconds=5)
PRESSES_PER_HOME: Final = 30.0
LOG_FILE: Final = "demo.log"
STOP_PARTNERS_WITHIN: Final = 3.0


def run(data: Path, *, seconds: float | None, homes: int, seed: int) -> int:
    """Play until Ctrl-C, or for so many seconds; returns the exit code.

    Raises:
        RefusedError: The data folder is not for play, or in use.
    """
    folder = data_folder.open_folder(data)
    chosen = local(settings.load(folder.path), folder)
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
        self._measured = Measured(folder)
        self._board = Board(
            console=Console(file=sys.stdout), heading=[], recent=self._recent, measured=self._measured.line
        )

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
                self._board.counts["readings stored"] = self._measured.stored()
                self._measured.close()
                stop.set()
        self._board.console.print(self._board.summary(), highlight=False, soft_wrap=True)
        return 0

    async def _perform(self, ports: dict[str, int], curtain: asyncio.Event, *, seconds: float | None) -> None:
        self._board.heading = heading(self._folder, ports, self._homes)
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
            length=cast.DAY,
            presses_per_home=PRESSES_PER_HOME,
            measures_every=MEASURES_EVERY,
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
                on_readings=self._board.partner_measures if DataClass.CLIMATE in role.classes else None,
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


def heading(folder: DataFolder, ports: dict[str, int], homes: Sequence[SimulatedHome]) -> list[str]:
    """Addresses, the credentials' folder, and lines to paste."""
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
        *_reading_lines(folder, ports, homes),
        "",
    ]


def _reading_lines(folder: DataFolder, ports: dict[str, int], homes: Sequence[SimulatedHome]) -> list[str]:
    """How to listen to readings as the landlord, and how to plot them."""
    landlord = next(role.organisation.id for role in cast.ROLES if DataClass.CLIMATE in role.classes)
    listen = _client("mosquitto_sub", ports["partner"], _short(cast.credentials(folder)) / landlord)
    lines = ["Listen to readings as the landlord:", f"  {listen} -t 'care/{landlord}/reading'"]
    meters = [(home, device) for home in homes for device in home.devices if device.profile == cast.METER]
    if not meters:
        return lines
    home, meter = meters[0]
    program = _short(Path(sys.executable).with_name("stadsnav"))
    plot = f"{program} reading plot --home {home.home_id} --position '{cast.position_name(meter)}'"
    return [
        *lines,
        "Plot the humidity of a room:",
        f"  {plot} --name humidity --since 10m --data {_short(folder.path)}",
    ]


def _short(path: Path) -> Path:
    """The path as one would type it here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _client(program: str, port: int, credentials: Path) -> str:
    files = " ".join(f"--{option} {credentials / name}" for option, name in _FILES)
    return f"{program} -h localhost -p {port} {files}"


_FILES: Final = (("cafile", "ca.pem"), ("cert", "cert.pem"), ("key", "key.pem"))


def local(chosen: Settings, folder: DataFolder) -> Settings:
    """A demo is for this machine alone, unless an address was chosen."""
    if settings.origins(folder.path)["bind"] == "default" and chosen.bind in ANYWHERE:
        return chosen.model_copy(update={"bind": "127.0.0.1"})
    return chosen
