"""Sparkplug B 3.0: metrics of edge nodes and the devices behind them. Input only, and never an alarm.

    spBv1.0/{group}/NBIRTH/{edge}           every metric with name, alias, type and unit; seq 0
                    DBIRTH/{edge}/{device}  the same for a device
                    NDATA, DDATA            what has changed, often by alias alone
                    DDEATH, NDEATH          forget it; a death counts if its bdSeq is that of the birth
                    NCMD, DCMD, STATE       nothing about a device

Data are QoS 0 and may be lost; so may a birth that gives an alias another meaning. Therefore an alias means
nothing before a birth, after a restart of ours, after a gap in ``seq``, and when an edge was forgotten at the
bound. Such values are not guessed: they are ignored by name, and a message with nothing else is refused with
"needs a rebirth".
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from devices.codecs.errors import PayloadError
from devices.codecs.foreign.memory import Memory
from devices.codecs.foreign.sorter import Sorter
from devices.codecs.foreign.sparkplug_payload import Metric, SparkplugPayload, decode_payload
from devices.codecs.foreign.values import ForeignMessage, checked_id
from devices.codecs.foreign.vocabulary import Place, Reading, State, StatusPart, find_reading, plain_name

READINGS: Final = {
    "temperature": ("temperature", "°C"),
    "temp": ("temperature", "°C"),
    "humidity": ("humidity", "%"),
    "relativehumidity": ("humidity", "%"),
    "pressure": ("pressure", "hPa"),
    "co2": ("co2", "ppm"),
    "illuminance": ("illuminance", "lx"),
    "power": ("power", "W"),
    "activepower": ("power", "W"),
    "energy": ("energy", ""),
    "activeenergy": ("energy", ""),
    "energyimport": ("energy", ""),
    "energyexport": ("energy-fed", ""),
    "voltage": ("voltage", "V"),
    "current": ("current", "A"),
    "volume": ("volume", ""),
    "flow": ("flow", ""),
}
"""The last part of a metric's name: the reading, and the unit that it has unless ``engUnit`` names another.
Without a unit here, ``engUnit`` must say it: makers differ."""

OTHERS: Final[dict[str, Place]] = {
    "occupancy": State(name="presence"),
    "presence": State(name="presence"),
    "battery": StatusPart.BATTERY,
    "batterylevel": StatusPart.BATTERY,
}

MAX_METRICS: Final = 20_000
"""Metrics that are remembered from births; beyond, the edge unheard for longest is forgotten until its next
birth."""

_NAMESPACE: Final = "spBv1.0"
_OF_EDGES: Final = frozenset({"NBIRTH", "NDATA", "NDEATH"})
_OF_DEVICES: Final = frozenset({"DBIRTH", "DDATA", "DDEATH"})
_COMMANDS: Final = frozenset({"NCMD", "DCMD"})
_SEQ_MODULUS: Final = 256
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9:._/-]{0,63}", re.ASCII)
_NAME_MAX_LENGTH: Final = 200
"""Of a metric that is remembered."""
_NEEDS_BIRTH: Final = "needs a rebirth"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What a birth said of one metric."""

    name: str
    place: Place | None
    datatype: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Birth:
    """What a birth said of an edge node or a device."""

    by_name: dict[str, _Known]
    by_alias: dict[int, _Known]


@dataclass(slots=True)
class _Edge:
    """What is known of an edge node since its birth."""

    bd_seq: float | None = None
    next_seq: int | None = None
    births: dict[str, _Birth] = field(default_factory=dict)
    """By device; "" is the edge node itself."""

    def size(self) -> int:
        return 1 + sum(1 + len(birth.by_name) for birth in self.births.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Topic:
    kind: str
    edge_id: str
    """``{group}/{edge}``."""
    device: str

    @property
    def external_id(self) -> str:
        return f"{self.edge_id}/{self.device}" if self.device else self.edge_id


class SparkplugB:
    """Remembers births and sequence numbers, of one integration."""

    def __init__(self) -> None:
        self._edges: Memory[str, _Edge] = Memory(MAX_METRICS, size_of=_Edge.size)

    def decode(self, topic: str, payload: bytes, *, received_at: datetime) -> list[ForeignMessage]:
        """Read one message; see ``Dialect``."""
        del received_at  # metrics have their own times
        where = _parsed(topic)
        if where is None:
            return []
        said = decode_payload(payload)
        if where.kind == "NDEATH":
            self._end(where, said)
            return []
        edge = self._followed(where, said)
        if where.kind == "DDEATH":
            edge.births.pop(where.device, None)
        elif where.kind in ("NBIRTH", "DBIRTH"):
            edge.births[where.device] = _birth(said.metrics)
        self._edges.put(where.edge_id, edge)
        return [] if where.kind == "DDEATH" else [_message(where, said, edge.births.get(where.device))]

    def _end(self, where: _Topic, said: SparkplugPayload) -> None:
        """Forget an edge that has died; a death of an earlier life of it says nothing."""
        edge = self._edges.peek(where.edge_id)
        bd_seq = _bd_seq(said.metrics)
        if edge is not None and bd_seq is not None and bd_seq == edge.bd_seq:
            self._edges.forget(where.edge_id)

    def _followed(self, where: _Topic, said: SparkplugPayload) -> _Edge:
        """The edge after this message's ``seq``; a gap ends what its births said."""
        if where.kind == "NBIRTH":
            return _Edge(bd_seq=_bd_seq(said.metrics), next_seq=_after(said.seq))
        edge = self._edges.get(where.edge_id) or _Edge()
        if said.seq is None or _after(said.seq) == edge.next_seq:  # no number, or the last message again
            return edge
        if said.seq != edge.next_seq:
            edge.births.clear()
        edge.next_seq = _after(said.seq)
        return edge


def _after(seq: int | None) -> int | None:
    return None if seq is None else (seq + 1) % _SEQ_MODULUS


def _parsed(topic: str) -> _Topic | None:
    """The parts of a topic; None for one that is about no device."""
    match topic.split("/"):
        case ["spBv1.0", "STATE", _] | ["STATE", _]:
            return None
        case ["spBv1.0", _, kind, *_] if kind in _COMMANDS:
            return None
        case ["spBv1.0", group, kind, edge] if kind in _OF_EDGES and group and edge:
            return _Topic(kind=kind, edge_id=checked_id(f"{group}/{edge}"), device="")
        case ["spBv1.0", group, kind, edge, device] if kind in _OF_DEVICES and group and edge and device:
            return _Topic(kind=kind, edge_id=checked_id(f"{group}/{edge}"), device=checked_id(device))
    raise PayloadError(
        f"topic ends in {topic!r:.120}; right would be {_NAMESPACE}/{{group}}/{{type}}/{{edge}}, "
        f"and /{{device}} for types that begin with D"
    )


def _birth(metrics: Iterable[Metric]) -> _Birth:
    named = [metric for metric in metrics if metric.name and len(metric.name) <= _NAME_MAX_LENGTH]
    places = _places(named)
    known = [
        (metric, _Known(name=metric.name, place=places.get(metric.name), datatype=metric.datatype))
        for metric in named
        if metric.name is not None
    ]
    return _Birth(
        by_name={one.name: one for _, one in known},
        by_alias={metric.alias: one for metric, one in known if metric.alias is not None},
    )


def _places(metrics: Iterable[Metric]) -> dict[str, Place | None]:
    """Places by full name. Where several metrics end alike, each keeps its path: ``hall/temperature``."""
    places = {metric.name: _place(metric.name, metric.unit) for metric in metrics if metric.name is not None}
    times = Counter(place.name for place in places.values() if isinstance(place, Reading | State))
    return {
        name: _with_path(name, place)
        if isinstance(place, Reading | State) and times[place.name] > 1
        else place
        for name, place in places.items()
    }


def _with_path(name: str, place: Reading | State) -> Place | None:
    path = "/".join(re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in name.split("/")[:-1])
    whole = f"{path}/{place.name}" if path else place.name
    return replace(place, name=whole) if _NAME.fullmatch(whole) else None


def _place(name: str, unit: str) -> Place | None:
    last = plain_name(name.rpartition("/")[2])
    if last in OTHERS:
        return OTHERS[last]
    reading_name, usual_unit = READINGS.get(last, ("", ""))
    return find_reading(reading_name, unit or usual_unit)


def _message(where: _Topic, said: SparkplugPayload, birth: _Birth | None) -> ForeignMessage:
    sorter = Sorter()
    unknown = []
    for metric in said.metrics:
        known = _known(metric, birth)
        if known is None:
            unknown.append(metric.name or f"alias {metric.alias}")
            sorter.ignore(f"{unknown[-1]}: {_NEEDS_BIRTH}")
        else:
            value = metric.value(metric.datatype or known.datatype)
            sorter.put(known.name, known.place, value, sent_at=metric.sent_at or said.sent_at)
    if unknown and len(unknown) == len(said.metrics):
        raise PayloadError(
            f"{where.external_id!r} {_NEEDS_BIRTH}: no birth says what {', '.join(unknown[:5])!r:.200} is"
        )
    stamp = int(said.sent_at.timestamp() * 1000) if said.sent_at else None
    message_id = None if said.seq is None or stamp is None else f"{where.kind}-{stamp}-{said.seq}"
    return sorter.message(where.external_id, sent_at=said.sent_at, message_id=message_id)


def _known(metric: Metric, birth: _Birth | None) -> _Known | None:
    """What is known of a metric; None when only a birth could tell."""
    if metric.name is None:
        return birth.by_alias.get(metric.alias) if birth and metric.alias is not None else None
    if birth is not None:
        return birth.by_name.get(metric.name) or _Known(name=metric.name, place=None, datatype=0)
    if "/" in metric.name:  # another metric may end alike
        return None
    return _Known(name=metric.name, place=_place(metric.name, metric.unit), datatype=metric.datatype)


def _bd_seq(metrics: Iterable[Metric]) -> float | None:
    return next((metric.raw for metric in metrics if metric.name == "bdSeq"), None)
