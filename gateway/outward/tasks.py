"""The tasks that the outward process runs beside its channels: letters, and the dead-man call.

Each only where the settings ask for it.
"""

from collections.abc import Callable, Coroutine
from functools import partial

from gateway import readiness
from gateway.data_folder import DataFolder
from gateway.outward.deadman import Deadman, HttpCall
from gateway.outward.mail import Mail
from gateway.outward.smtp import SmtpPost
from gateway.settings import Settings
from services.domain.clock import Clock
from services.store.connection import Connection
from services.store.writer import Writer

Work = Callable[[], Coroutine[None, None, None]]


def tasks(
    folder: DataFolder, chosen: Settings, *, reader: Connection, writer: Writer, clock: Clock
) -> dict[str, Work]:
    """The tasks by name.

    Args:
        folder: Where the data are.
        chosen: The settings.
        reader: A connection to the store for the letters alone, used in threads.
        writer: The process's writer.
        clock: The time.
    """
    found: dict[str, Work] = {}
    if chosen.mail.server is not None:
        mail = Mail(
            settings=chosen.mail,
            city=chosen.city,
            post=SmtpPost(chosen.mail, city=chosen.city),
            reader=reader,
            writer=writer,
            clock=clock,
        )
        found["mail"] = mail.run
    if chosen.deadman.url is not None:
        deadman = Deadman(
            call=HttpCall(chosen.deadman.url),
            every=chosen.deadman.every,
            not_ready_because=partial(readiness.not_ready_because, folder, clock),
            writer=writer,
            clock=clock,
        )
        found["deadman"] = deadman.run
    return found
