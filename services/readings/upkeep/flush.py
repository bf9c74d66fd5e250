"""From the journal's order of arrival to a sorted segment."""

import asyncio
from collections.abc import Sequence
from functools import partial

from services.readings.upkeep.pages import SegmentWriter
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
    await writer.write(partial(_flushed, segment_id=segment.id, number=number))
    recent.flushed(blocks)


def _ordered(blocks: Sequence[Columns]) -> Columns:
    return joined(blocks).sorted()


def _flushed(connection: Connection, segment_id: int, number: int) -> None:
    if segment_id:
        segments.finish(connection, segment_id)
    events.set_counter(connection, journal.FLUSHED_TO, number)
