"""What the demo shows: the last alarms as a live table on a terminal, a line per happening elsewhere."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from devices.messages import ReceiptStatus
from devices.simulator.fleet import News, Receipted, Sent
from gateway.demo.partner import Told
from services.domain.alarm_states import AlarmState
from services.domain.alarms import Alarm
from services.domain.ids import OrganisationId

ROWS: Final = 14
REFRESH_SECONDS: Final = 0.5
READINGS_EVERY_SECONDS: Final = 10.0
"""Between two lines about readings, where there is no terminal to redraw."""

STYLES: Final = {
    AlarmState.RAISED: "bold red",
    AlarmState.CLEARED: "yellow",
    AlarmState.ACKNOWLEDGED: "cyan",
    AlarmState.CLEARED_ACKNOWLEDGED: "cyan",
    AlarmState.CLOSED: "green",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One row of the table."""

    alarm: Alarm
    told: list[OrganisationId]
    """Who has been routed it, in the order of the chain."""


@dataclass(slots=True)
class Board:
    """Counts what happens and shows it."""

    console: Console
    heading: list[str]
    recent: Callable[[], list[Shown]]
    """Reads the newest alarms."""
    measured: Callable[[], str]
    """Reads a line about what was measured."""
    counts: Counter[str] = field(default_factory=Counter)
    _receipt_ms: list[float] = field(default_factory=list)

    def homes_say(self, news: News) -> None:
        """Something was sent by, or told to, a home (called from the fleet's threads)."""
        match news:
            case Sent(event_id=str()):
                self.counts["alarms sent"] += 1
            case Receipted(receipt=receipt, since_press=since) if receipt.status is ReceiptStatus.STORED:
                self.counts["receipts"] += 1
                if since is not None:
                    self._receipt_ms = [*self._receipt_ms[-199:], since.total_seconds() * 1000]
            case _:
                pass

    def partner_hears(self, told: Told) -> None:
        """A partner was told something."""
        self.counts["events delivered"] += 1
        if not self.console.is_terminal:
            alarm, what = told.document["data"]["alarm"], told.document["type"].split(".")[-2]
            where = f"{alarm['kind']:<24} {alarm['home']:<10} -> {told.organisation_id}"
            line = f"{told.document['time'][11:19]} {what:<12} {where}"
            self.console.print(line, highlight=False, soft_wrap=True)

    def partner_measures(self, told: Told) -> None:
        """A partner was told readings."""
        self.counts["readings shared"] += len(told.document["data"])

    async def show(self) -> None:
        """Show until cancelled."""
        for line in self.heading:  # as it is, so that it can be copied: the terminal wraps it
            self.console.print(line, highlight=False, markup=False, soft_wrap=True)
        while not self.console.is_terminal:
            await asyncio.sleep(READINGS_EVERY_SECONDS)
            self.console.print(self.measured(), highlight=False, markup=False, soft_wrap=True)
        with Live(console=self.console, auto_refresh=False, screen=False) as live:
            while True:
                live.update(self._picture(), refresh=True)
                await asyncio.sleep(REFRESH_SECONDS)

    def summary(self) -> str:
        """One line about the whole run."""
        counted = (
            ", ".join(f"{number} {what}" for what, number in sorted(self.counts.items()))
            or "nothing happened"
        )
        return f"{counted}{self._speed()}"

    def _speed(self) -> str:
        if not self._receipt_ms:
            return ""
        middle = sorted(self._receipt_ms)[len(self._receipt_ms) // 2]
        return f"; press to receipt, median {middle:.1f} ms"

    def _picture(self) -> Group:
        table = Table(expand=True, title="alarms, newest first")
        for column in ("stored", "kind", "home", "room", "told", "state", "answered by"):
            table.add_column(column, no_wrap=True)
        for shown in self.recent()[:ROWS]:
            alarm, answer = shown.alarm, shown.alarm.acknowledgement
            table.add_row(
                alarm.received_at.astimezone().strftime("%H:%M:%S"),
                alarm.kind + (" (test)" if alarm.is_test else ""),
                alarm.home_id,
                alarm.room,
                ", ".join(shown.told),
                Text(alarm.state.replace("_", " "), style=STYLES[alarm.state]),
                f"{answer.person}, {answer.organisation_name}" if answer else "",
            )
        return Group(table, Text(self.measured()), Text(self.summary()))
