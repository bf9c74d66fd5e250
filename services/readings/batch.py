"""What one commit of the reading lane holds, gathered while the commit before it is on its way to the disk.

    packs ──take──> Batch ──write──> one transaction ──> packet ids to acknowledge

Bounded by the intake, which stops reading from the broker when so much is held (``gateway.reading.intake``).
"""

from array import array
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from devices.kinds import HomeId
from services import quarantine
from services.domain.readings import Series
from services.readings import handover
from services.readings.handover import Handover
from services.store import events
from services.store.connection import Connection
from services.store.readings import handovers, journal, marks, unknown
from services.store.readings import series as series_rows
from services.store.readings.columns import NONE, Columns, columns_of, joined
from services.store.readings.journal import Packets
from services.store.readings.recent import Key, Recent, keys_in_segments

LANE: Final = "reading"
VALUES: Final = "reading_values"


@dataclass(slots=True, kw_only=True)
class SetAside:
    """Something that could not be taken, as it came."""

    topic: str
    payload: bytes
    home_id: HomeId | None
    reason: str
    is_whole: bool
    """Nothing of it was taken; else some of its values were."""


@dataclass(slots=True, kw_only=True)
class Doubtful:
    """A reading that is not newer than what is known of its series: perhaps it is there already."""

    pack: int
    series: int
    at: int
    received_at: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What is on disk now."""

    number: int
    """Of the journal's row."""
    columns: Columns
    late: Columns
    """Those of them that were in doubt."""
    packet_ids: NDArray[np.uint16]


@dataclass(slots=True)
class Batch:
    """Everything of one commit."""

    series: Any = field(default_factory=lambda: array("I"))
    at: Any = field(default_factory=lambda: array("q"))
    received_at: Any = field(default_factory=lambda: array("q"))
    value: Any = field(default_factory=lambda: array("d"))
    packet_ids: Any = field(default_factory=lambda: array("H"))
    packet_sums: Any = field(default_factory=lambda: array("I"))
    packs: int = 0
    packs_again: int = 0
    """Packs that the broker had handed over before and that are stored."""
    packs_unknown: int = 0
    """Messages of foreign devices that nobody has adopted; they are on a list of their own."""
    values_refused: int = 0
    doubtful: list[Doubtful] = field(default_factory=list)
    packs_in_doubt: dict[int, bool] = field(default_factory=dict)
    """Packs with doubtful readings, and whether anything else of them is stored."""
    set_aside: list[SetAside] = field(default_factory=list)
    new_series: list[Series] = field(default_factory=list)
    handovers: list[Handover] = field(default_factory=list)
    rule_states: dict[tuple[str, str], str] = field(default_factory=dict)
    clocks: dict[str, str] = field(default_factory=dict)
    unknown: dict[tuple[str, str], "Stranger"] = field(default_factory=dict)
    last_values: list[tuple[int, int, int, float]] = field(default_factory=list)
    noted_to: int | None = None
    """With these, ``last_values`` holds everything up to this row of the journal."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to commit."""
        return not (
            self.packs or len(self.packet_ids) or self.handovers or self.rule_states or self.last_values
        )

    def write(self, connection: Connection, recent: Recent, *, now: datetime) -> Committed:
        """Store everything, in the caller's transaction. May be run twice before it is committed."""
        for series in self.new_series:
            series_rows.add(connection, series)
        certain = recent.not_erased(columns_of(self.series, self.at, self.received_at, self.value))
        late, packs_known = self._settled(connection, recent, certain)
        columns = joined([certain, late])
        packets = Packets(
            ids=np.array(self.packet_ids, np.uint16), sums=np.array(self.packet_sums, np.uint32)
        )
        number = journal.append(connection, columns, packets)
        self._count(connection, stored=len(columns), packs_known=packs_known)
        for item in self.set_aside:
            _keep(connection, item, now=now)
        handovers.add(connection, [handover.encode(item) for item in self.handovers], at=now)
        series_rows.note_last(connection, self.last_values)
        if self.noted_to is not None:
            events.set_counter(connection, journal.NOTED_TO, self.noted_to)
        marks.set_rule_states(connection, self.rule_states)
        marks.set_clocks(connection, self.clocks)
        for (integration_id, external_id), stranger in self.unknown.items():
            unknown.seen(
                connection,
                integration_id=integration_id,
                external_id=external_id,
                model=stranger.model,
                example=stranger.example,
                messages=stranger.messages,
                at=now,
            )
        return Committed(number=number, columns=columns, late=late, packet_ids=packets.ids)

    def _settled(self, connection: Connection, recent: Recent, certain: Columns) -> tuple[Columns, int]:
        """The doubtful readings that are new, and how many packs were known."""
        if not self.doubtful:
            return NONE, 0
        fresh = self._fresh(connection, recent, certain)
        new_packs = {item.pack for item in fresh}
        packs_known = sum(
            not has_others and pack not in new_packs for pack, has_others in self.packs_in_doubt.items()
        )
        late = columns_of(
            [item.series for item in fresh],
            [item.at for item in fresh],
            [item.received_at for item in fresh],
            [item.value for item in fresh],
        )
        return recent.not_erased(late), packs_known

    def _fresh(self, connection: Connection, recent: Recent, certain: Columns) -> list[Doubtful]:
        keys = {(item.series, item.at) for item in self.doubtful}
        here = set(zip(certain.series.tolist(), certain.at.tolist(), strict=True))
        known = recent.known(keys) | (here & keys)
        known |= keys_in_segments(connection, keys - known)
        fresh = []
        for item in self.doubtful:
            key: Key = (item.series, item.at)
            if key not in known:
                known.add(key)
                fresh.append(item)
        return fresh

    def _count(self, connection: Connection, *, stored: int, packs_known: int) -> None:
        whole = sum(item.is_whole for item in self.set_aside)  # counted where they are kept
        again = self.packs_again + packs_known
        values_again = len(self.series) + len(self.doubtful) - stored
        events.add(
            connection,
            {
                f"{LANE}_received": self.packs - whole,
                f"{LANE}_stored": self.packs - whole - again - self.packs_unknown,
                f"{LANE}_duplicate": again,
                f"{LANE}_quarantined": self.packs_unknown,
                f"{VALUES}_received": stored + values_again + self.values_refused,
                f"{VALUES}_stored": stored,
                f"{VALUES}_duplicate": values_again,
                f"{VALUES}_quarantined": self.values_refused,
            },
        )


@dataclass(slots=True, kw_only=True)
class Stranger:
    """What an unknown foreign device said in this batch."""

    model: str
    example: str
    messages: int


def _keep(connection: Connection, item: SetAside, *, now: datetime) -> None:
    _side, client_id, device_id, *_ = *item.topic.split("/"), "", ""
    quarantine.keep(
        connection,
        lane=LANE,
        topic=item.topic,
        client_id=client_id,
        device_id=device_id,
        home_id=item.home_id,
        external_id=None,
        reason=item.reason,
        payload=item.payload,
        now=now,
        is_counted=item.is_whole,
    )
