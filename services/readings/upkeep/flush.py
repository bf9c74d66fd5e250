"""From the journal's order of arrival to a sorted segment."""

import asyncio
from collections.abc import Sequence
from functools import partial

from services.readings.upkeep.pages import SegmentWriter, finish
from services.store import events
from services.store.connection import Connection
from services.store.readings import journal, segments
from services.store.readings.columns import Columns, joined
from services.store.readings.recent import Recent
from services.store.writer import Writer


async def flush(writer: Writer, recent: Recent) -> None:
    """Sort what is in no segment yet into one; the intake goes on meanwhile.

    A crash in between leaves pages that belong to no answer, and the journal as it was.
    """
    number, blocks = recent.all()
    ordered = await asyncio.to_thread(_ordered, blocks)
    segment = SegmentWriter(writer, tier=segments.FLUSH_TIER)
    await segment.add(ordered)
    await segment.end()
    await writer.write(partial(_flushed, segment=segment, number=number))
    recent.flushed(blocks)


def _ordered(blocks: Sequence[Columns]) -> Columns:
    return joined(blocks).sorted()


def _flushed(connection: Connection, segment: SegmentWriter, number: int) -> None:
    finish(connection, [segment])
    events.set_counter(connection, journal.FLUSHED_TO, number)
