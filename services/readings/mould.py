"""Whether mould can grow: relative humidity against the least that it needs at a temperature.

    critical(T) = -0.00267 T³ + 0.160 T² - 3.13 T + 100   for 0 to 20 °C
                =  80                                      above, up to 50 °C

Source: A. Hukka and H. A. Viitanen, A mathematical model of mould growth on wooden material, Wood
Science and Technology 33 (1999), 475-485. It holds for pine and spruce at the surface itself; a cold
wall is damper than the air that a meter in the room measures, so the note is a hint and no verdict.

Where nothing else is known of a material, Boverket's building rules take 75 %RH as critical (BBR 6:52,
BFS 2014:3): that is the limit of the rule ``damp``.
"""

from typing import Final

COLDEST: Final = 0.0
"""°C; below it mould does not grow."""

WARMEST: Final = 50.0
"""°C; the model says nothing above it."""

WARM: Final = 20.0
"""°C; from here on the least humidity is the same."""

WARM_CRITICAL: Final = 80.0
"""%RH."""


def critical_humidity(celsius: float) -> float | None:
    """The least relative humidity in % at which mould can grow; None where the model says nothing."""
    if not COLDEST <= celsius <= WARMEST:
        return None
    if celsius > WARM:
        return WARM_CRITICAL
    return -0.00267 * celsius**3 + 0.160 * celsius**2 - 3.13 * celsius + 100


def mould_note(humidity_percent: float, celsius: float | None) -> str:
    """What to say of the risk.

    Args:
        humidity_percent: Relative humidity.
        celsius: The temperature at the same place; None when it is not known.
    """
    if celsius is None:
        return "no temperature is known here, so the risk of mould is not worked out"
    critical = critical_humidity(celsius)
    if critical is None:
        return f"mould is not expected at {celsius:g} Cel"
    verdict = "mould can grow" if humidity_percent >= critical else "mould is not expected yet"
    return f"{verdict}: {humidity_percent:g} %RH at {celsius:g} Cel, critical {critical:.1f} %RH"
