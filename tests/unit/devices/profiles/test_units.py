"""Units: each registered one becomes a primary one, exactly where doubles can be exact."""

from math import isclose

import pytest

from devices.profiles.units import DISCOURAGED_UNITS, PRIMARY_UNITS, SECONDARY_UNITS, in_primary

RFC_8798_SECTION_3 = """
    ms s 1/1000       min s 60            h s 3600             MHz Hz 1000000      kW W 1000
    kVA VA 1000       kvar var 1000       Ah C 3600            Wh J 3600           kWh J 3600000
    varh vars 3600    kvarh vars 3600000  kVAh VAs 3600000     Wh/km J/m 3.6       KiB B 1024
    GB B 1e9          Mbit/s bit/s 1e6    B/s bit/s 8          MB/s bit/s 8000000  mV V 1/1000
    mA A 1/1000       ug/m3 kg/m3 1e-9    mm/h m/s 1/3600000   m/h m/s 1/3600      ppm / 1e-6
    /100 / 1/100      /1000 / 1/1000      hPa Pa 100           mm m 1/1000         cm m 1/100
    km m 1000         km/h m/s 1/3.6
"""


def scale(text: str) -> float:
    over, _, under = text.partition("/")
    return float(over) / float(under or 1)


def table() -> list[tuple[str, str, float]]:
    words = RFC_8798_SECTION_3.split()
    return [(*words[place : place + 2], scale(words[place + 2])) for place in range(0, len(words), 3)]


@pytest.mark.parametrize(("unit", "primary", "factor"), table())
def test_a_secondary_unit_has_the_factor_of_the_registry(unit: str, primary: str, factor: float) -> None:
    conversion = SECONDARY_UNITS[unit]

    assert conversion.unit == primary
    assert isclose(conversion.scale, factor, rel_tol=1e-15)
    assert isclose(conversion.apply(7.0), 7.0 * factor, rel_tol=1e-15)


def test_the_table_is_the_registry() -> None:
    later = {"VAh", "g/l", "mg/l", "ug/l", "ppb", "ppt"}

    assert set(SECONDARY_UNITS) == {unit for unit, _, _ in table()} | {"dBm"} | later


def test_dbm_is_the_one_that_is_shifted() -> None:
    assert SECONDARY_UNITS["dBm"].apply(-70.0) == -100.0
    assert [unit for unit, conversion in SECONDARY_UNITS.items() if conversion.offset] == ["dBm"]


@pytest.mark.parametrize(
    ("value", "unit", "primary", "expected"),
    [
        (47.0, "/100", "/", 0.47),
        (400.0, "ppm", "/", 0.0004),
        (21.0, "ms", "s", 0.021),
        (36.0, "km/h", "m/s", 10.0),
        (1_013.25, "hPa", "Pa", 101_325.0),
        (0.29, "l", "m3", 0.00029),
    ],
)
def test_a_conversion_is_as_exact_as_writing_the_result(
    value: float, unit: str, primary: str, expected: float
) -> None:
    assert in_primary(value, unit, wanted=primary) == expected


def test_a_value_in_the_wanted_unit_stays_as_it_is() -> None:
    assert in_primary(21.5, "Cel", wanted="Cel") == 21.5


@pytest.mark.parametrize("unit", ["", "V", "°C", "Wh/km", "kWH", "J/m"])
def test_a_unit_of_another_quantity_or_of_none_is_not_converted(unit: str) -> None:
    assert in_primary(1.0, unit, wanted="J") is None


def test_percent_is_a_ratio_as_the_registry_has_it_and_no_relative_humidity() -> None:
    assert in_primary(0.5, "%", wanted="/") == 0.5
    assert in_primary(50.0, "%", wanted="%RH") is None


def test_discouraged_units_become_primary_ones_and_are_none_themselves() -> None:
    assert {conversion.unit for conversion in DISCOURAGED_UNITS.values()} <= PRIMARY_UNITS
    assert not (PRIMARY_UNITS | set(SECONDARY_UNITS)) & set(DISCOURAGED_UNITS)
