"""The rules of every position that has any, with what they go on from; asked at each reading and in time.

reading ──> latest ──> after_reading ──> state kept in the same commit ──> crossing ──> handover
nothing ──> a heap of moments at which something is due ──> after_time ──> the same
"""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from services.domain.ids import PositionId
from services.readings import crossings, rules
from services.readings.crossings import Crossing
from services.readings.rule_states import (
    QUIET,
    Phase,
    RuleState,
    StateUnreadableError,
    dump_state,
    load_state,
)
from services.readings.rules import Last, Watch

_log = structlog.get_logger(__name__)

Key = tuple[str, str]
"""Position and rule."""

_NOTHING: Mapping[str, RuleState] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was crossed, by which device's position."""

    device_id: str
    crossing: Crossing


@dataclass(slots=True, kw_only=True)
class Ruling:
    """The rules of one position."""

    device_id: str
    """The hardware that stands there now."""
    watches: Mapping[str, Watch]
    """By the rule's name."""
    by_reading: Mapping[str, tuple[Watch, ...]]
    latest: dict[str, Last] = field(default_factory=dict)


class Rulings:
    """All positions with rules. Bounded by the number of such positions."""

    def __init__(self, stored: Mapping[Key, str], *, listening_since_us: int) -> None:
        """Start from what is stored.

        Args:
            stored: The states of an earlier run.
            listening_since_us: When this run began; the time before is held against nobody.
        """
        self._states: dict[str, dict[str, RuleState]] = {}
        for key, text in stored.items():
            if (state := _read(key, text)) is not None:
                self._states.setdefault(key[0], {})[key[1]] = state
        self._rulings: dict[str, Ruling] = {}
        self._due: list[tuple[int, str, str]] = []
        self._due_at: dict[Key, int] = {}
        """The one moment at which each rule is asked next; others of it in the heap are passed over."""
        self._listening_since_us = listening_since_us
        self.changed: dict[Key, str] = {}
        """States that differ from what is stored, as text; empty: quiet."""
        self.found: list[Found] = []
        """What was crossed since it was last taken."""

    @property
    def positions_under_way(self) -> set[str]:
        """Where a rule is pending or active."""
        return {position_id for position_id in self._states if self.is_under_way(position_id)}

    def put(
        self, position_id: PositionId, device_id: str, watches: Iterable[Watch], latest: Mapping[str, Last]
    ) -> Ruling | None:
        """Set the rules of a position; None when it has none.

        Args:
            position_id: Where.
            device_id: What stands there.
            watches: The rules that hold now; an alarm of one that holds no more is ended.
            latest: The last reading of each series, where nothing newer is known.
        """
        named = {watch.rule.name: watch for watch in watches}
        self._end_what_is_gone(position_id, device_id, named)
        if not named:
            self._rulings.pop(position_id, None)
            return None
        by_reading: dict[str, tuple[Watch, ...]] = {}
        for watch in named.values():
            for name in watch.readings:
                by_reading[name] = (*by_reading.get(name, ()), watch)
        ruling = self._rulings.get(position_id)
        if ruling is None:
            ruling = Ruling(device_id=device_id, watches=named, by_reading=by_reading)
            self._rulings[position_id] = ruling
        # one object for all that know the position: what one of them hears counts for the others
        ruling.device_id, ruling.watches, ruling.by_reading = device_id, named, by_reading
        ruling.latest = {**latest, **ruling.latest}
        for watch in named.values():
            self._await(watch, ruling, self._state(watch))
        return ruling

    def heard(self, ruling: Ruling, name: str, value: float, at_us: int, received_us: int) -> None:
        """Note a reading; call ``judge`` when everything of its pack is noted."""
        ruling.latest[name] = rules.heard(
            ruling.latest.get(name), value=value, at_us=at_us, received_us=received_us
        )

    def judge(self, ruling: Ruling, names: Iterable[str]) -> None:
        """Ask the rules that look at these readings."""
        for name in names:
            for watch in ruling.by_reading.get(name, ()):
                state = self._state(watch)
                after, crossing = rules.after_reading(watch, state, ruling.latest)
                if after is not state or crossing is not None:
                    self._keep(watch, ruling, after, crossing)
                elif watch.missing_us or state.phase is Phase.PENDING:
                    self._await(watch, ruling, state)  # the first word of a device, or one after a gap

    def look(self, now_us: int) -> None:
        """Ask the rules that something is due for by now."""
        while self._due and self._due[0][0] <= now_us:
            due_us, position_id, name = heapq.heappop(self._due)
            if self._due_at.get((position_id, name)) != due_us:
                continue
            del self._due_at[position_id, name]
            ruling = self._rulings.get(position_id)
            if ruling is None or name not in ruling.watches:
                continue
            watch = ruling.watches[name]
            state = self._state(watch)
            after, crossing = rules.after_time(
                watch, state, ruling.latest, now_us, listening_since_us=self._listening_since_us
            )
            if after is state and crossing is None:
                self._await(watch, ruling, state)
            else:
                self._keep(watch, ruling, after, crossing)

    def take_changes(self) -> tuple[dict[Key, str], list[Found]]:
        """What must be stored now, and only now."""
        changed, self.changed = self.changed, {}
        found, self.found = self.found, []
        return changed, found

    def is_under_way(self, position_id: str) -> bool:
        """Whether a rule is pending or active there."""
        return bool(self._states.get(position_id))

    def rest(self, position_id: str, device_id: str) -> None:
        """This device is heard no more: nothing that was not said is held against it."""
        ruling = self._rulings.get(position_id)
        if ruling is not None and ruling.device_id == device_id:
            del self._rulings[position_id]

    def forget(self, position_id: str) -> None:
        """A position is erased: nothing goes on from what was measured there, and its alarms end."""
        ruling = self._rulings.pop(position_id, None)
        if ruling is not None:
            self._end_what_is_gone(PositionId(position_id), ruling.device_id, {})
        for name in self._states.pop(position_id, {}):
            self.changed.pop((position_id, name), None)

    def _state(self, watch: Watch) -> RuleState:
        return self._states.get(watch.position_id, _NOTHING).get(watch.rule.name, QUIET)

    def _keep(self, watch: Watch, ruling: Ruling, state: RuleState, crossing: Crossing | None) -> None:
        position_id, name = watch.position_id, watch.rule.name
        if state == QUIET:
            self._states.get(position_id, {}).pop(name, None)
            self.changed[position_id, name] = ""
        else:
            self._states.setdefault(position_id, {})[name] = state
            self.changed[position_id, name] = dump_state(state)
        if crossing is not None:
            self.found.append(Found(device_id=ruling.device_id, crossing=crossing))
        self._await(watch, ruling, state)

    def _await(self, watch: Watch, ruling: Ruling, state: RuleState) -> None:
        due = rules.due_at_us(watch, state, ruling.latest, listening_since_us=self._listening_since_us)
        key = (watch.position_id, watch.rule.name)
        if due is None or due >= self._due_at.get(key, due + 1):
            return  # a later moment is found when the earlier one has come
        self._due_at[key] = due
        heapq.heappush(self._due, (due, *key))

    def _end_what_is_gone(self, position_id: PositionId, device_id: str, named: Mapping[str, Watch]) -> None:
        states = self._states.get(position_id, {})
        for name in states.keys() - named.keys():
            state = states.pop(name)
            self.changed[position_id, name] = ""
            if state.phase is Phase.ACTIVE and state.kind is not None:
                crossing = crossings.withdrawn(
                    name, position_id, kind=state.kind, since_us=state.since_us, at_us=state.since_us
                )
                self.found.append(Found(device_id=device_id, crossing=crossing))


def _read(key: Key, text: str) -> RuleState | None:
    try:
        return load_state(text)
    except StateUnreadableError as error:
        _log.error("rule_state_unreadable", position_id=key[0], rule=key[1], reason=str(error))
        return None
