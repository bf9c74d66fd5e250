"""Follows deliveries until they end and alarms until they are answered, from the rows, beside the alarm path.

Whoever settles a delivery (a partner's ``received``, a webhook's answer, the API, a withdrawal) has nothing
to call here: what was open at the last look and is not now has ended in between, when its row says.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.metrics.names import ACKNOWLEDGE, CONFIRM, SETTLED
from gateway.metrics.times import SLOW_SECONDS, Times
from services.domain.alarms import DeliveryState
from services.store import figures
from services.store.connection import Connection
from services.store.figures import AlarmFate, DeliveryFate

HELD: Final = 50_000
"""What is followed at the same time; of what is open beyond that the end is not noted."""

AT_ONCE: Final = 1_000
ROUNDS: Final = 20
"""Of new rows in one look; what is left comes with the next."""

_UNSETTLED: Final = frozenset({DeliveryState.PENDING, DeliveryState.SENT})


class _Fate(Protocol):
    @property
    def id(self) -> str:
        """Whose."""


F = TypeVar("F", bound=_Fate)


class Following(Generic[F]):
    """Rows of one kind from when they are made until they are over."""

    def __init__(
        self,
        *,
        newest: Callable[[Connection], str],
        open_ids: Callable[..., list[str]],
        new: Callable[..., list[F]],
        fates: Callable[[Connection, Sequence[str]], list[F]],
        is_over: Callable[[F], bool],
        on_over: Callable[[F], None],
    ) -> None:
        self._newest = newest
        self._open_ids = open_ids
        self._new = new
        self._fates = fates
        self._is_over = is_over
        self._on_over = on_over
        self._last: str | None = None
        self._held: set[str] = set()

    def look(self, connection: Connection) -> None:
        """Note what has ended since the last look; the first only learns what is open."""
        still_open = set(self._open_ids(connection, limit=HELD))
        if self._last is None:
            self._last, self._held = self._newest(connection), still_open
            return
        self._end(connection, list(self._held - still_open))
        for _ in range(ROUNDS):
            rows = self._new(connection, self._last, limit=AT_ONCE)
            for row in rows:
                self._last = row.id
                self._take(row)
            if len(rows) < AT_ONCE:
                break

    def _end(self, connection: Connection, gone: Sequence[str]) -> None:
        for start in range(0, len(gone), AT_ONCE):
            part = gone[start : start + AT_ONCE]
            self._held.difference_update(part)
            for row in self._fates(connection, part):
                self._take(row)

    def _take(self, row: F) -> None:
        if self._is_over(row):
            self._on_over(row)
        elif len(self._held) < HELD:
            self._held.add(row.id)


class Fates(Collector):
    """How deliveries end and how soon alarms are answered, since the first look."""

    def __init__(self) -> None:
        self._confirm = Times(*CONFIRM, label="channel", bounds=(*_CONFIRM_SECONDS,))
        self._acknowledge = Times(*ACKNOWLEDGE, label="class", bounds=SLOW_SECONDS)
        self._settled: Counter[tuple[str, str]] = Counter()
        self._deliveries: Following[DeliveryFate] = Following(
            newest=figures.newest_delivery,
            open_ids=figures.open_deliveries,
            new=figures.new_deliveries,
            fates=figures.fates_of_deliveries,
            is_over=lambda fate: fate.state not in _UNSETTLED,
            on_over=self._settle,
        )
        self._alarms: Following[AlarmFate] = Following(
            newest=figures.newest_alarm,
            open_ids=figures.unanswered_alarms,
            new=figures.new_alarms,
            fates=figures.fates_of_alarms,
            is_over=lambda fate: fate.acknowledged_at is not None or not fate.state.is_open,
            on_over=self._answer,
        )

    def look(self, connection: Connection) -> None:
        """Note what has ended since the last look."""
        self._deliveries.look(connection)
        self._alarms.look(connection)

    def collect(self) -> Iterable[Metric]:
        """What was noted so far."""
        settled: Any = CounterMetricFamily(*SETTLED, labels=["channel", "state"])
        for (channel, state), count in self._settled.items():
            settled.add_metric([channel, state], count)
        yield settled
        yield from self._confirm.collect()
        yield from self._acknowledge.collect()

    def _settle(self, fate: DeliveryFate) -> None:
        self._settled[fate.channel, fate.state] += 1
        if fate.state is DeliveryState.CONFIRMED and fate.settled_at is not None:
            self._confirm.observe((fate.settled_at - fate.created_at).total_seconds(), fate.channel)

    def _answer(self, fate: AlarmFate) -> None:
        if fate.acknowledged_at is not None and not fate.is_test:
            seconds = (fate.acknowledged_at - fate.received_at).total_seconds()
            self._acknowledge.observe(seconds, fate.kind.data_class)


_CONFIRM_SECONDS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 3_600.0)
