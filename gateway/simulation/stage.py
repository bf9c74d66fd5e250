"""Plays a script: registers the city, starts the product unless it runs, and counts what becomes of it all.

register, enrol ─> product (started, or already there) ─> load + agents + partners ─> all stored? ─> 0 or 1
"""

import asyncio
import json
import signal
import threading
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing, suppress
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

from devices.simulator.fleet import Fleet, settings_in
from devices.simulator.load import LoadProcess, LoadReport
from gateway import data_folder, log, settings
from gateway.data_folder import DataFolder
from gateway.demo.cast import ROLES
from gateway.demo.partner import Partner
from gateway.demo.stage import local
from gateway.simulation import cast
from gateway.simulation.script import Script, agents, speaking
from gateway.simulation.tally import AlarmTimes, Tally
from gateway.supervisor import LOCK, Supervisor
from services.domain.clock import SystemClock
from services.store import events
from services.store.migrations import READINGS, migrate
from services.store.sqlite import SqliteConnection

LOG_FILE: Final = "simulation.log"
READY_WITHIN: Final = timedelta(seconds=60)
SETTLED_WITHIN: Final = timedelta(seconds=60)
"""How long the product may take, at the end, for what homes were told is taken over."""

RECEIPTED_WITHIN: Final = 5.0
"""Seconds that the last alarms have for their receipts."""

LOOK_EVERY: Final = 0.2
"""Seconds between looks at something that should soon be so."""

Tell = Callable[[str], None]


def run(data: Path, script: Script, *, tell: Tell, tell_moment: Tell) -> dict[str, Any]:
    """Play a script, on the product that runs on this folder or on one of our own.

    Args:
        data: Of a simulation, or new.
        script: What to play.
        tell: Is told what is being prepared.
        tell_moment: Is told each second how it stands.

    Returns:
        The figures of the whole run.

    Raises:
        RefusedError: The folder is not for play.
        NotAllStoredError: Something that was acknowledged to a home is not stored.
    """
    folder, clock, homes = data_folder.open_folder(data), SystemClock(), script.city()
    with closing(SqliteConnection(folder.database)) as store:
        migrate(store)
        tell(f"Registering {len(homes)} homes, and certificates for {len(speaking(homes))} of them")
        cast.register(folder, store, homes, clock)
        cast.enrol(folder, store, speaking(homes), clock)
    with (folder.path / cast.MARK / LOG_FILE).open("a") as log_file:
        log.configure(process="simulate", file=log_file)
        chosen = local(settings.load(folder.path), folder)
        product = Supervisor(folder, chosen, clock, child_log=log_file)
        return asyncio.run(_play(folder, script, product, tell_moment))


async def _play(folder: DataFolder, script: Script, product: Supervisor, tell_moment: Tell) -> dict[str, Any]:
    async with _running(folder, product) as ports:
        with closing(SqliteConnection(folder.readings)) as readings:
            migrate(readings, READINGS)
            tally = Tally(
                homes=script.homes, hubs=len(speaking(script.city())), before=events.counters(readings)
            )

            def note(report: LoadReport) -> None:
                tally.note(events.counters(readings), report)
                tell_moment(tally.line())

            await _perform(folder, script, ports, tally, note)
            await _settled(tally, readings)
    tally.check()
    return tally.summary()


@asynccontextmanager
async def _running(folder: DataFolder, product: Supervisor) -> AsyncGenerator[dict[str, int]]:
    """The ports of the product that runs on this folder; one of our own when there is none."""
    if data_folder.holder(folder, LOCK) is not None:
        yield await _ports(folder)
        return
    stop, up = asyncio.Event(), asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(product.run(stop=stop, on_ready=up.set_result), name="product")
        running.add_done_callback(lambda _: up.cancel())
        with suppress(asyncio.CancelledError):
            await asyncio.wait({up})
        if not up.cancelled():  # else the group raises what kept the product from coming up
            try:
                yield up.result()
            finally:
                stop.set()


async def _ports(folder: DataFolder) -> dict[str, int]:
    async with asyncio.timeout(READY_WITHIN.total_seconds()):
        while not folder.ports_file.exists():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(LOOK_EVERY)
    found: dict[str, int] = json.loads(folder.ports_file.read_text())
    return found


async def _perform(
    folder: DataFolder,
    script: Script,
    ports: dict[str, int],
    tally: Tally,
    on_report: Callable[[LoadReport], None],
) -> None:
    """Let everybody act until the load is over or somebody presses Ctrl-C."""
    ended = threading.Event()
    plan = script.load(ports["mqtt"], cast.credentials(folder))
    with LoadProcess(plan, folder.path / cast.MARK) as load:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, load.stop)
        async with asyncio.TaskGroup() as group:
            partners = [
                group.create_task(partner.run(), name="partner")
                for partner in _partners(folder, script, ports["partner"], tally.alarms)
            ]
            fleet = _fleet(folder, script, ports["mqtt"], tally.alarms)
            acting = asyncio.to_thread(_act, fleet, script, ended)
            agents_task = group.create_task(acting, name="agents")
            reports = load.reports()
            while report := await asyncio.to_thread(next, reports, None):
                on_report(report)
            ended.set()
            await agents_task
            for task in partners:
                task.cancel()


def _fleet(folder: DataFolder, script: Script, port: int, times: AlarmTimes) -> Fleet:
    stores = folder.path / cast.MARK / "homes"
    stores.mkdir(mode=0o700, exist_ok=True)
    return Fleet(
        agents(script.city()),
        settings_for=settings_in(cast.credentials(folder), host="localhost", port=port, stores=stores),
        on_news=times.homes_say,
    )


def _act(fleet: Fleet, script: Script, ended: threading.Event) -> None:
    """Play the alarms, in a thread of its own, and let the last ones arrive."""
    with fleet:
        fleet.play(script.actions(), ended)
        ended.wait()
        for _ in range(round(RECEIPTED_WITHIN / LOOK_EVERY)):
            if not fleet.pending():
                return
            time.sleep(LOOK_EVERY)


def _partners(folder: DataFolder, script: Script, port: int, times: AlarmTimes) -> list[Partner]:
    return [
        Partner(
            role.organisation.id,
            credentials=cast.credentials(folder) / role.organisation.id,
            port=port,
            chance=Random(f"{script.seed}/{role.organisation.id}"),  # noqa: S311 - repeatable, not secret
            on_told=times.partner_hears,
        )
        for role in ROLES
    ]


async def _settled(tally: Tally, readings: SqliteConnection) -> None:
    """Wait until something has become of everything that was acknowledged, but not for ever."""
    with suppress(TimeoutError):
        async with asyncio.timeout(SETTLED_WITHIN.total_seconds()):
            while not tally.is_settled:
                await asyncio.sleep(LOOK_EVERY)
                tally.note(events.counters(readings))
