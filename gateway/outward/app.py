"""The outward process: the one place that joins what leaves for the outside.

    store ─> sender ─> endpoints ─> channel ─> release ─> leaving, pings        letters, dead-man call

What hangs out there hangs here, and never in the process that carries alarms to and from the broker.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, closing
from dataclasses import dataclass

from gateway.data_folder import DataFolder
from gateway.metrics.alarm_path import AlarmPathMetrics
from gateway.outward.addresses import Destinations
from gateway.outward.endpoints import Endpoints
from gateway.outward.leaving import Leaving
from gateway.outward.pings import Pings
from gateway.outward.sending import Sender
from gateway.outward.tasks import Work, tasks
from gateway.outward.webhooks import WebhookChannel
from gateway.readiness import OUTWARD_LOCK
from gateway.sealing import ResidentSealer
from gateway.setting_tables.outward import OutwardSettings
from gateway.settings import Settings
from services.delivery.channel import Channel
from services.delivery.release import Release
from services.domain.clock import Clock
from services.domain.subscriptions import ChannelName
from services.store.migrations import migrate
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """The joined parts of the outward process."""

    folder: DataFolder
    settings: Settings
    clock: Clock
    reader: SqliteConnection
    writer: Writer
    sender: Sender
    metrics: AlarmPathMetrics
    background: dict[str, Work]

    def are_connected(self) -> bool:
        """Whether it can work: always, since a receiver that is away is its daily business."""
        return True

    async def run(self, *, ready: asyncio.Event, stop: asyncio.Event) -> None:
        """Work until told to stop. A request that is under way then is cut off, and made again next time."""
        async with asyncio.TaskGroup() as group:
            running = group.create_task(self._work_on(ready), name="work")
            await stop.wait()
            running.cancel()

    async def _work_on(self, ready: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:  # of requests too: they end with it
            for name, work in self._work(group).items():
                group.create_task(work(), name=name)
            ready.set()

    def _work(self, group: asyncio.TaskGroup) -> dict[str, Work]:
        sealer = ResidentSealer(self.folder)
        source = f"urn:stadsnav:{self.settings.city}"
        endpoints = Endpoints(sealer)
        channels = dict[str, Channel]()
        leaving = Leaving(
            release=Release(channels=channels, homes=None, source=source, clock=self.clock),
            endpoints=endpoints,
            reader=self.reader,
            writer=self.writer,
            clock=self.clock,
        )
        webhook = WebhookChannel(
            self.sender,
            endpoints,
            group,
            self.clock,
            may_leave=leaving.may_leave,
            on_outcome=leaving.take,
        )
        channels[ChannelName.WEBHOOK] = self.metrics.watched(webhook)
        pings = Pings(
            sender=self.sender,
            sealer=sealer,
            reader=self.reader,
            writer=self.writer,
            source=source,
            clock=self.clock,
        )
        return {
            "leaving": leaving.run,
            "pings": pings.run,
            "metrics": self.metrics.keeping.run,
            **self.background,
        }


@asynccontextmanager
async def build(folder: DataFolder, chosen: Settings, *, clock: Clock) -> AsyncGenerator[App, None]:
    """Open the parts in the order data flows through them; close them in reverse.

    Args:
        folder: Where the data are.
        chosen: The settings.
        clock: The time.
    """
    async with AsyncExitStack() as stack:
        written, reader, lettered = (
            stack.enter_context(closing(SqliteConnection(folder.database))) for _ in range(3)
        )
        migrate(written)
        writer = Writer(written, leaves_half=True)
        writer.start()
        await stack.enter_async_context(aclosing(writer))
        sender = await stack.enter_async_context(
            Sender(destinations(chosen.outward), trust=trust(chosen.outward))
        )
        yield App(
            folder=folder,
            settings=chosen,
            clock=clock,
            reader=reader,
            writer=writer,
            sender=sender,
            metrics=AlarmPathMetrics(folder, clock, process=OUTWARD_LOCK),
            background=tasks(folder, chosen, reader=lettered, writer=writer, clock=clock),
        )


def destinations(chosen: OutwardSettings) -> Destinations:
    """Where webhooks may lead, by the settings."""
    return Destinations(networks=chosen.networks, ports=frozenset(chosen.ports))


def trust(chosen: OutwardSettings) -> ssl.SSLContext:
    """For receivers' certificates: the machine's authorities, and the city's own when it has any."""
    context = ssl.create_default_context()
    if chosen.ca_file is not None:
        context.load_verify_locations(chosen.ca_file)
    return context
