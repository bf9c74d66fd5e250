"""Where a command works: the data folder, its store, who asks, and when.

    --data of the command  >  --data before it  >  STADSNAV_DATA  >  ./var

What is kept about homes is not read without an entry in the log that says who looked.
"""

import os
import pwd
from collections.abc import Callable, Generator, Iterable
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

import typer

from gateway.data_folder import DataFolder, open_folder
from gateway.small_steps import write_in_steps
from services import audit
from services.domain.clock import SystemClock
from services.store.connection import Connection
from services.store.migrations import READINGS, migrate
from services.store.sqlite import SqliteConnection

DEFAULT_FOLDER: Final = Path("var")

_NOT_ASKED: Final = {"data", "as_json"}

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a command works with."""

    folder: DataFolder
    store: SqliteConnection
    actor: str
    asked: str
    """The command in words, for the log."""
    now: datetime

    def write(self, work: Callable[[Connection], T]) -> T:
        """Do ``work`` in a transaction; on disk when this returns."""
        with self.store.transaction():
            return work(self.store)

    @contextmanager
    def readings(self) -> Generator[SqliteConnection]:
        """The database of measured values, made when it is missing."""
        with closing(SqliteConnection(self.folder.readings)) as connection:
            migrate(connection, READINGS)
            yield connection

    def note_look(self, home_ids: Iterable[str | None], *, asked_for: str | None = None) -> None:
        """Log that somebody looked at what is kept about these homes, before it is shown.

        Args:
            home_ids: Whose it is; None for what belongs to no home.
            asked_for: The home that was named, logged also when nothing was found.
        """
        seen = list(dict.fromkeys(home_ids)) or [asked_for]

        def write(connection: Connection, home_id: str | None) -> None:
            audit.note(connection, audit.look(self.actor, self.asked, home_id), at=self.now)

        for _ in write_in_steps(self.store, seen, write):
            pass


@contextmanager
def desk(context: typer.Context, data: Path | None) -> Generator[Desk]:
    """Open the data folder and its store, making both when they are missing.

    Raises:
        UnsafeFolderError: Others can get at the folder.
        StoreUnavailableError: The store cannot be used, or a newer program has written it.
    """
    folder = open_folder(chosen_folder(context, data))
    with closing(SqliteConnection(folder.database)) as store:
        migrate(store)
        yield Desk(folder=folder, store=store, actor=actor(), asked=_asked(context), now=SystemClock().now())


def chosen_folder(context: typer.Context, data: Path | None, *, default: Path = DEFAULT_FOLDER) -> Path:
    """The data folder that was asked for."""
    before_the_noun: Path | None = context.obj
    return data or before_the_noun or default


def actor() -> str:
    """Who types, for the log."""
    return f"cli:{user_name()}"


def user_name() -> str:
    """The operating system's name for who types."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _asked(context: typer.Context) -> str:
    """The command with what was chosen, such as ``alarm list home=h-1``."""
    chosen = [
        f"{option.name}={context.params[option.name]}"
        for option in context.command.params
        if option.name in context.params.keys() - _NOT_ASKED and context.params[option.name] != option.default
    ]
    return " ".join([context.command_path.partition(" ")[2], *chosen])
