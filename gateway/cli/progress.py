"""How far a long command has come: a bar on stderr with count, rate and time left."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager


@contextmanager
def progress(what: str, *, total: int) -> Generator[Callable[[int], None]]:
    """Show a bar while the block works; it calls the given function with how many are done."""
    from rich.console import Console  # noqa: PLC0415 - a tenth of a second that other commands do not need
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(text_format="", show_speed=True),
        TimeRemainingColumn(compact=True),
        console=Console(file=sys.stderr),
        transient=False,
    )
    with bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)
