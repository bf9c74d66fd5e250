"""Plays a plan: one agent for each home, every press through it, and tells what happened.

actions ──play──> Agent of the home ──> broker          readings get the time at which they are done
                     │        └── receipt ──> on_news(Receipted)
                     └── kept ──> on_news(Sent)
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event, Lock
from time import monotonic, time_ns
from types import TracebackType
from typing import Self, TypeAlias

import structlog

from devices.agent import Agent, AgentSettings, Credentials, Measured
from devices.kinds import DeviceId
from devices.messages import AlarmMessage, Receipt
from devices.simulator.actions import Action, Measure, Press, Publish, Silence, Status
from devices.simulator.misbehaviour import publish_past_agent
from devices.simulator.town import SimulatedHome

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """Something a home did."""

    action: Action
    event_id: str | None
    """The alarm's id; None for what has none, or is published past the agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipted:
    """Something a home was told."""

    client_id: DeviceId
    device_id: DeviceId
    receipt: Receipt
    since_press: timedelta | None
    """None for an alarm of an earlier run."""


News: TypeAlias = Sent | Receipted


def settings_in(
    credentials: Path, *, host: str, port: int, stores: Path
) -> Callable[[SimulatedHome], AgentSettings]:
    """Settings for homes whose credentials lie in a folder each, named after the home's client."""

    def settings(home: SimulatedHome) -> AgentSettings:
        return AgentSettings(
            host=host,
            port=port,
            credentials=Credentials.in_folder(credentials / home.client_id),
            store_file=stores / f"{home.client_id}.db",
        )

    return settings


class Fleet:
    """The agents of many homes; use it inside ``with``.

    Args:
        homes: Who takes part.
        settings_for: Which broker, which credentials and which store each home has.
        on_news: Called for all that is sent and receipted, from any thread, one at a time; it should
            return soon.
    """

    def __init__(
        self,
        homes: Sequence[SimulatedHome],
        *,
        settings_for: Callable[[SimulatedHome], AgentSettings],
        on_news: Callable[[News], None],
    ) -> None:
        self._settings = {home.client_id: settings_for(home) for home in homes}
        self._on_news = on_news
        self._news_order = Lock()
        self._pressed_seconds: dict[tuple[DeviceId, str], float] = {}
        self._agents = {
            client_id: Agent(settings, on_receipt=partial(self._receipted, client_id))
            for client_id, settings in self._settings.items()
        }
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for agent in self._agents.values():
                stack.enter_context(agent)
            self._past_agents = stack.enter_context(ThreadPoolExecutor(1, "misbehaviour"))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def connected(self) -> int:
        """How many homes have a connection."""
        return sum(agent.is_connected for agent in self._agents.values())

    def pending(self) -> int:
        """How many alarms have no receipt yet."""
        return sum(len(agent.pending()) for agent in self._agents.values())

    def play(self, actions: Iterable[Action], stop: Event) -> None:
        """Do each thing at its time, counted from now, until the plan ends or ``stop`` is set."""
        started_seconds = monotonic()
        for action in actions:
            due_seconds = started_seconds + action.after.total_seconds()
            if stop.wait(max(0.0, due_seconds - monotonic())):
                return
            self.do(action)

    def do(self, action: Action) -> None:
        """Do one thing now."""
        agent = self._agents[action.client_id]
        match action:
            case Press():
                self._press(agent, action)
                return
            case Status():
                agent.send_status(action.device_id, action.message)
            case Measure(values=values):
                at_us = time_ns() // 1_000
                measured = [Measured(name, unit, at_us, value) for name, unit, value in values]
                agent.send_readings(action.device_id, measured)
            case Publish():
                done = self._past_agents.submit(publish_past_agent, self._settings[action.client_id], action)
                done.add_done_callback(partial(_note_refusal, action))
            case Silence():
                pass  # the plan holds nothing more of this device
        self._tell(Sent(action=action, event_id=None))

    def _press(self, agent: Agent, action: Press) -> None:
        message = AlarmMessage(
            id="",
            kind=action.kind,
            signal=action.signal,
            room=action.room,
            text=action.text,
            is_test=action.is_test,
        )
        with self._news_order:  # its receipt may be here before we have noted the press
            pressed_seconds = monotonic()
            event_id = agent.send(action.device_id, message)
            self._pressed_seconds[action.device_id, event_id] = pressed_seconds
            self._on_news(Sent(action=action, event_id=event_id))

    def _receipted(self, client_id: DeviceId, device_id: DeviceId, receipt: Receipt) -> None:
        now_seconds = monotonic()
        with self._news_order:
            pressed_seconds = self._pressed_seconds.get((device_id, receipt.id))
            since_press = (
                None if pressed_seconds is None else timedelta(seconds=now_seconds - pressed_seconds)
            )
            self._on_news(
                Receipted(client_id=client_id, device_id=device_id, receipt=receipt, since_press=since_press)
            )

    def _tell(self, news: News) -> None:
        with self._news_order:
            self._on_news(news)


def _note_refusal(action: Publish, done: Future[bool]) -> None:
    if error := done.exception():
        _log.warning("published_in_vain", client=action.client_id, fault=action.fault, problem=str(error))
    elif not done.result():
        _log.info("broker_refused", client=action.client_id, fault=action.fault)
