"""What was sent, what became of it, and how long alarms took: counted from all sides.

load ──LoadReport──> ┐
reading store ───────┤──> Tally ──> a line a second, and a summary at the end
fleet, partners ─────┘
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import Any, Final

from devices.simulator.fleet import News, Sent
from devices.simulator.load import LoadReport
from gateway.demo.partner import Told
from services.domain.errors import RefusedError

COUNTERS: Final = ("received", "stored", "duplicate", "quarantined")
"""Of packs, in the reading store."""


class NotAllStoredError(RefusedError):
    """A home was told that a pack is taken over, and it is not in the store."""

    def __init__(self, *, acknowledged: int, stored: int) -> None:
        self.missing = acknowledged - stored
        super().__init__(
            f"Of {acknowledged} packs that were acknowledged to homes, {self.missing} are not stored; "
            "see `stadsnav quarantine list` and the log"
        )


@dataclass(slots=True)
class AlarmTimes:
    """How long each alarm took from the press to the first partner who was told. For any thread."""

    pressed: int = 0
    _pressed_at: dict[str, float] = field(default_factory=dict)
    _heard_at: dict[str, float] = field(default_factory=dict)
    _took_ms: list[float] = field(default_factory=list)
    _order: Lock = field(default_factory=Lock)

    def homes_say(self, news: News) -> None:
        """Something was sent by a home, or told to one."""
        if isinstance(news, Sent) and news.event_id is not None:
            with self._order:
                self.pressed += 1
                self._note(self._pressed_at, f"{news.action.device_id}/{news.event_id}")

    def partner_hears(self, told: Told) -> None:
        """A partner was told something."""
        event, alarm = told.document["data"]["event"], told.document["data"]["alarm"]
        if event is not None:
            with self._order:
                self._note(self._heard_at, f"{alarm['device']}/{event['id']}")

    def took_ms(self) -> list[float]:
        """Each alarm that somebody was told of, the quickest first."""
        with self._order:
            return sorted(self._took_ms)

    def _note(self, side: dict[str, float], key: str) -> None:
        """Note a moment; a partner may hear of an alarm before the fleet has said that it was sent."""
        if key in side:
            return
        side[key] = monotonic()
        if key in self._pressed_at and key in self._heard_at:
            self._took_ms.append(max(0.0, self._heard_at[key] - self._pressed_at[key]) * 1000)


@dataclass(slots=True)
class Tally:
    """One run's figures."""

    homes: int
    hubs: int
    before: Mapping[str, int]
    """The counters of the reading store when the run began."""
    alarms: AlarmTimes = field(default_factory=AlarmTimes)
    report: LoadReport | None = None
    largest_lag: int = 0
    _counters: Mapping[str, int] = field(default_factory=dict)

    def note(self, counters: Mapping[str, int], report: LoadReport | None = None) -> None:
        """Take the newest figures in; the load's are those that were known before the store's."""
        self.report = report or self.report
        self._counters = counters
        self.largest_lag = max(self.largest_lag, self.lag)

    @property
    def acknowledged(self) -> int:
        """Packs that homes may forget."""
        return self.report.acknowledged if self.report else 0

    @property
    def lag(self) -> int:
        """Packs that homes may forget and that are not in the store yet: the broker has them."""
        return max(0, self.acknowledged - self.count("stored"))

    @property
    def is_settled(self) -> bool:
        """Whether something has become of every pack that homes may forget.

        A pack that a home sent again because a line was cut before its PUBACK came is received twice.
        """
        return self.count("received") - self.count("duplicate") >= self.acknowledged

    def count(self, what: str) -> int:
        """One of ``COUNTERS``, since the run began."""
        name = f"reading_{what}"
        return self._counters.get(name, 0) - self.before.get(name, 0)

    def check(self) -> None:
        """Raise unless all is stored.

        Raises:
            NotAllStoredError: With how many are missing.
        """
        if self.lag:
            raise NotAllStoredError(acknowledged=self.acknowledged, stored=self.count("stored"))

    def summary(self) -> dict[str, Any]:
        """Everything, for a program."""
        report = self.report
        took_ms = self.alarms.took_ms()
        return {
            "homes": self.homes,
            "hubs": self.hubs,
            "seconds": round(report.elapsed_seconds, 1) if report else 0.0,
            "packs_due": report.due if report else 0,
            "packs_sent": report.sent if report else 0,
            "packs_acknowledged": self.acknowledged,
            **{f"packs_{name}": self.count(name) for name in COUNTERS},
            "largest_lag": self.largest_lag,
            "connections_lost": report.lost if report else 0,
            "alarms_sent": self.alarms.pressed,
            "alarms_told": len(took_ms),
            "alarm_p50_ms": _share(took_ms, 0.5),
            "alarm_p99_ms": _share(took_ms, 0.99),
        }

    def line(self) -> str:
        """The moment, for people."""
        found = self.summary()
        connected = self.report.connected if self.report else 0
        return (
            f"{found['seconds']:.0f} s: {found['packs_sent']:,} sent, "
            f"{found['packs_acknowledged']:,} acknowledged, {found['packs_stored']:,} stored, "
            f"lag {self.lag:,}; {connected:,} of {self.hubs:,} hubs; {found['alarms_told']} alarms, "
            f"p50 {_shown(found['alarm_p50_ms'])}, p99 {_shown(found['alarm_p99_ms'])}"
        )


def _share(ordered: list[float], share: float) -> float | None:
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 1) if ordered else None


def _shown(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds:.1f} ms"
