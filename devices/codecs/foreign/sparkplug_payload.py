"""The protobuf payload of Sparkplug B 3.0 (section 6.4), as frozen values.

The descriptor is built here from the field numbers of the specification. Text is declared as bytes, which is
the same on the wire, so that a name that is no UTF-8 spoils one metric and not the message.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from devices.codecs.errors import PayloadError
from devices.codecs.foreign.sorter import moment
from devices.codecs.foreign.values import PAYLOAD_MAX_BYTES

_Field = descriptor_pb2.FieldDescriptorProto
_PACKAGE: Final = "stadsnav.sparkplug"

_PAYLOAD: Final = {
    "timestamp": (1, _Field.TYPE_UINT64),
    "metrics": (2, "Metric"),
    "seq": (3, _Field.TYPE_UINT64),
}
_METRIC: Final = {
    "name": (1, _Field.TYPE_BYTES),
    "alias": (2, _Field.TYPE_UINT64),
    "timestamp": (3, _Field.TYPE_UINT64),
    "datatype": (4, _Field.TYPE_UINT32),
    "is_null": (7, _Field.TYPE_BOOL),
    "properties": (9, "PropertySet"),
}
_METRIC_VALUE: Final = {
    "int_value": (10, _Field.TYPE_UINT32),
    "long_value": (11, _Field.TYPE_UINT64),
    "float_value": (12, _Field.TYPE_FLOAT),
    "double_value": (13, _Field.TYPE_DOUBLE),
    "boolean_value": (14, _Field.TYPE_BOOL),
}
_PROPERTY_SET: Final = {"keys": (1, _Field.TYPE_BYTES), "values": (2, "PropertyValue")}
_PROPERTY_VALUE: Final = {"string_value": (8, _Field.TYPE_BYTES)}
_REPEATED: Final = frozenset({"metrics", "keys", "values"})

_SIGNED_BITS: Final = {1: 8, 2: 16, 3: 32, 4: 64}
"""Int8 to Int64 travel as unsigned numbers, in two's complement."""
_UNIT_KEYS: Final = frozenset({"engunit", "unit", "units"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric; a birth tells name, alias, type and unit, and data often only the alias."""

    name: str | None
    alias: int | None
    datatype: int
    """0 where the message does not say."""
    unit: str
    """The property ``engUnit``, ``unit`` or ``units``; "" where there is none."""
    sent_at: datetime | None
    raw: float | bool | None
    """None: null, text, or anything else that is no number."""

    def value(self, datatype: int) -> float | bool | None:
        """The number as a metric of ``datatype`` means it."""
        bits = _SIGNED_BITS.get(datatype)
        if bits is None or type(self.raw) is not int:
            return self.raw
        unsigned = self.raw % (1 << bits)
        return unsigned - (1 << bits) if unsigned >> (bits - 1) else unsigned


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkplugPayload:
    """One message."""

    sent_at: datetime | None
    seq: int | None
    metrics: tuple[Metric, ...]


def decode_payload(payload: bytes) -> SparkplugPayload:
    """Read the payload of any Sparkplug B message but STATE.

    Raises:
        PayloadError: It is too large, or no such protobuf.
    """
    if len(payload) > PAYLOAD_MAX_BYTES:
        raise PayloadError(f"{len(payload)} bytes; right would be at most {PAYLOAD_MAX_BYTES}")
    message = _new_message()
    try:
        message.ParseFromString(payload)
    except DecodeError as error:
        raise PayloadError(f"no Sparkplug B payload ({error})") from None
    return SparkplugPayload(
        sent_at=moment(message.timestamp) if message.timestamp else None,
        seq=message.seq % 256 if message.HasField("seq") else None,
        metrics=tuple(_metric(metric) for metric in message.metrics),
    )


def _metric(metric: Any) -> Metric:
    kind = metric.WhichOneof("value")
    return Metric(
        name=metric.name.decode(errors="replace") if metric.name else None,
        alias=metric.alias if metric.HasField("alias") else None,
        datatype=metric.datatype,
        unit=_unit(metric.properties),
        sent_at=moment(metric.timestamp) if metric.timestamp else None,
        raw=None if metric.is_null or kind is None else getattr(metric, kind),
    )


def _unit(properties: Any) -> str:
    for key, value in zip(properties.keys, properties.values, strict=False):
        if key.decode(errors="replace").lower() in _UNIT_KEYS:
            return str(value.string_value.decode(errors="replace"))
    return ""


def _message_class() -> Callable[[], Any]:
    file = descriptor_pb2.FileDescriptorProto(name="sparkplug_b.proto", package=_PACKAGE, syntax="proto2")
    _add(file, "PropertyValue", _PROPERTY_VALUE)
    _add(file, "PropertySet", _PROPERTY_SET)
    _add(file, "Metric", _METRIC, one_of=_METRIC_VALUE)
    _add(file, "Payload", _PAYLOAD)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found: Callable[[], Any] = message_factory.GetMessageClass(
        pool.FindMessageTypeByName(f"{_PACKAGE}.Payload")
    )
    return found


def _add(
    file: Any, name: str, fields: dict[str, tuple[int, Any]], one_of: dict[str, tuple[int, Any]] | None = None
) -> None:
    message = file.message_type.add(name=name)
    message.field.extend(_fields(fields.items()))
    if one_of:
        message.oneof_decl.add(name="value")
        message.field.extend(_fields(one_of.items(), oneof_index=0))


def _fields(fields: Iterable[tuple[str, tuple[int, Any]]], **more: int) -> Iterable[Any]:
    for name, (number, kind) in fields:
        label = _Field.LABEL_REPEATED if name in _REPEATED else _Field.LABEL_OPTIONAL
        field = _Field(name=name, number=number, label=label, **more)
        if isinstance(kind, str):
            field.type = _Field.TYPE_MESSAGE
            field.type_name = f".{_PACKAGE}.{kind}"
        else:
            field.type = kind
        yield field


_new_message: Final = _message_class()
