"""The units a reading may have: SenML's registry, as far as homes need it.

    kWh  --secondary-->  J     value_in_joule = value * 3_600_000

RFC 8428 allows only primary units in a pack of version 10; RFC 8798 lists the secondary ones and how
each becomes a primary one. Profiles, storage and limits know primary units only; devices may send any.
"""

from dataclasses import dataclass
from typing import Final

_PRIMARY: Final = (
    "m kg s A K Hz rad N Pa J W C V F Ohm Cel lm lx Bq m2 m3 m/s m/s2 m3/s W/m2 cd/m2 bit bit/s lat lon "
    "pH dB dBW count / %RH %EL EL 1/s S/m B VA VAs var vars J/m kg/m3 deg"
)

PRIMARY_UNITS: Final = frozenset(_PRIMARY.split())
"""Units of the SenML Units registry (RFC 8428 section 12.1, RFC 8798 section 2), without those that it
advises against."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """How a unit becomes a primary one: ``value * multiplier / divisor + offset``.

    The divisor is kept apart because a thousandth has no exact double and a thousand has: 47 "/100" is
    0.47 and not 0.47000000000000003.
    """

    unit: str
    multiplier: float = 1.0
    divisor: float = 1.0
    offset: float = 0.0

    @property
    def scale(self) -> float:
        """The factor of the registry."""
        return self.multiplier / self.divisor

    def apply(self, value: float) -> float:
        """``value``, in the primary unit."""
        return value * self.multiplier / self.divisor + self.offset


SECONDARY_UNITS: Final = {
    "ms": Conversion(unit="s", divisor=1_000),
    "min": Conversion(unit="s", multiplier=60),
    "h": Conversion(unit="s", multiplier=3_600),
    "MHz": Conversion(unit="Hz", multiplier=1_000_000),
    "kW": Conversion(unit="W", multiplier=1_000),
    "kVA": Conversion(unit="VA", multiplier=1_000),
    "kvar": Conversion(unit="var", multiplier=1_000),
    "Ah": Conversion(unit="C", multiplier=3_600),
    "Wh": Conversion(unit="J", multiplier=3_600),
    "kWh": Conversion(unit="J", multiplier=3_600_000),
    "varh": Conversion(unit="vars", multiplier=3_600),
    "kvarh": Conversion(unit="vars", multiplier=3_600_000),
    "VAh": Conversion(unit="VAs", multiplier=3_600),
    "kVAh": Conversion(unit="VAs", multiplier=3_600_000),
    "Wh/km": Conversion(unit="J/m", multiplier=3.6),
    "KiB": Conversion(unit="B", multiplier=1_024),
    "GB": Conversion(unit="B", multiplier=1e9),
    "Mbit/s": Conversion(unit="bit/s", multiplier=1_000_000),
    "B/s": Conversion(unit="bit/s", multiplier=8),
    "MB/s": Conversion(unit="bit/s", multiplier=8_000_000),
    "mV": Conversion(unit="V", divisor=1_000),
    "mA": Conversion(unit="A", divisor=1_000),
    "dBm": Conversion(unit="dBW", offset=-30),
    "g/l": Conversion(unit="kg/m3"),
    "mg/l": Conversion(unit="kg/m3", divisor=1_000),
    "ug/l": Conversion(unit="kg/m3", divisor=1_000_000),
    "ug/m3": Conversion(unit="kg/m3", divisor=1e9),
    "mm/h": Conversion(unit="m/s", divisor=3_600_000),
    "m/h": Conversion(unit="m/s", divisor=3_600),
    "km/h": Conversion(unit="m/s", divisor=3.6),
    "/100": Conversion(unit="/", divisor=100),
    "/1000": Conversion(unit="/", divisor=1_000),
    "ppm": Conversion(unit="/", divisor=1e6),
    "ppb": Conversion(unit="/", divisor=1e9),
    "ppt": Conversion(unit="/", divisor=1e12),
    "hPa": Conversion(unit="Pa", multiplier=100),
    "mm": Conversion(unit="m", divisor=1_000),
    "cm": Conversion(unit="m", divisor=100),
    "km": Conversion(unit="m", multiplier=1_000),
}
"""The Secondary Units registry: RFC 8798 section 3, and VAh, g/l, mg/l, ug/l, ppb, ppt registered since."""

DISCOURAGED_UNITS: Final = {
    "g": Conversion(unit="kg", divisor=1_000),
    "l": Conversion(unit="m3", divisor=1_000),
    "l/s": Conversion(unit="m3/s", divisor=1_000),
    "%": Conversion(unit="/"),
    "1/min": Conversion(unit="1/s", divisor=60),
    "beat/min": Conversion(unit="1/s", divisor=60),
    "beats": Conversion(unit="count"),
}
"""Marked in RFC 8428 section 12.1: not to be sent, but to be understood. ``%`` is a ratio there, 1 is all."""

_CONVERSIONS: Final = SECONDARY_UNITS | DISCOURAGED_UNITS


def in_primary(value: float, unit: str, *, wanted: str) -> float | None:
    """``value``, sent in ``unit``, in the primary unit ``wanted``; None when that is another quantity."""
    if unit == wanted:
        return value
    conversion = _CONVERSIONS.get(unit)
    return conversion.apply(value) if conversion and conversion.unit == wanted else None
