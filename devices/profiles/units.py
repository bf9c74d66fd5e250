"""The units a reading may have: SenML's registry, as far as homes need it.

    kWh  --secondary-->  J     value_in_joule = value * 3_600_000

RFC 8428 allows only primary units in a pack of version 10; RFC 8798 lists the secondary ones and how
each becomes a primary one. Profiles, storage and limits know primary units only. Units that the
registry itself advises against (``g``, ``l``, ``beat/min`` and the like) are left out.
"""

from dataclasses import dataclass
from typing import Final

_PRIMARY: Final = (
    "m kg s A K Hz rad N Pa J W C V F Ohm Cel lm lx Bq m2 m3 m/s m/s2 m3/s W/m2 cd/m2 bit bit/s lat lon "
    "pH dB dBW count / %RH %EL EL 1/s S/m B VA VAs var vars J/m kg/m3 deg"
)

PRIMARY_UNITS: Final = frozenset(_PRIMARY.split())
"""Units of the SenML Units registry (RFC 8428 section 12.1, RFC 8798 section 2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """How a secondary unit becomes a primary one: ``value * scale + offset``."""

    unit: str
    scale: float
    offset: float = 0.0


SECONDARY_UNITS: Final = {
    "kWh": Conversion(unit="J", scale=3_600_000),
    "Wh": Conversion(unit="J", scale=3_600),
    "kW": Conversion(unit="W", scale=1_000),
    "kVA": Conversion(unit="VA", scale=1_000),
    "h": Conversion(unit="s", scale=3_600),
    "min": Conversion(unit="s", scale=60),
    "ms": Conversion(unit="s", scale=0.001),
    "mV": Conversion(unit="V", scale=0.001),
    "mA": Conversion(unit="A", scale=0.001),
    "dBm": Conversion(unit="dBW", scale=1, offset=-30),
    "hPa": Conversion(unit="Pa", scale=100),
    "ppm": Conversion(unit="/", scale=1e-6),
    "/100": Conversion(unit="/", scale=0.01),
    "ug/m3": Conversion(unit="kg/m3", scale=1e-9),
}
"""Units of the Secondary Units registry (RFC 8798 section 3) that home devices use."""
