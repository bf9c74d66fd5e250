"""The export process: the one place that joins its parts; a task for each target."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial

from gateway.data_folder import EXPORT_LOCK, DataFolder
from gateway.export import cursors
from gateway.export.following import Follower, Following
from gateway.export.influx import InfluxTarget
from gateway.export.lines import Lines
from gateway.export.pseudonyms import pseudonyms
from gateway.export.source import JournalSource
from gateway.metrics.keeping import Keeping
from gateway.settings import ExportSettings
from services.domain.clock import Clock
from services.store.migrations import READINGS, migrate
from services.store.sqlite import SqliteConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """The joined parts of the export process."""

    followers: Sequence[Follower]
    metrics: Keeping

    def are_connected(self) -> bool:
        """Whether it can work: always, since a target that is away is its daily business."""
        return True

    async def run(self, *, ready: asyncio.Event, stop: asyncio.Event) -> None:
        """Keep every target up until told to stop; what is on its way then is sent again next time."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(follower.run(), name=follower.name) for follower in self.followers]
            tasks.append(group.create_task(self.metrics.run(), name="metrics"))
            ready.set()
            await stop.wait()
            for task in tasks:
                task.cancel()
        for follower in self.followers:
            await follower.stop()


@asynccontextmanager
async def build(
    folder: DataFolder, targets: Mapping[str, ExportSettings], *, clock: Clock
) -> AsyncGenerator[App, None]:
    """Open what each target needs; close it in reverse.

    Args:
        folder: Where the data are.
        targets: The databases by name.
        clock: The time.

    Raises:
        ExposedFileError: Others than its owner can read the key of the pseudonyms.
    """
    async with AsyncExitStack() as stack:
        known_as = pseudonyms(folder)

        def follower(name: str, chosen: ExportSettings) -> Follower:
            readings = stack.enter_context(closing(SqliteConnection(folder.readings)))
            migrate(readings, READINGS)  # whoever is first at a new folder makes the file
            target = stack.enter_context(closing(InfluxTarget(chosen)))
            source = JournalSource(
                readings, Lines(readings, known_as, chosen.classes), batch_points=chosen.batch_points
            )
            return Follower(
                Following(
                    name=name,
                    target=target,
                    source=source,
                    batch_points=chosen.batch_points,
                    read_cursor=partial(cursors.read, folder, name),
                    write_cursor=partial(cursors.write, folder, name),
                    clock=clock,
                )
            )

        followers = [follower(name, chosen) for name, chosen in targets.items()]
        yield App(followers=followers, metrics=Keeping(folder, EXPORT_LOCK))
