"""The least humidity that mould needs, after Hukka and Viitanen 1999."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.readings.mould import critical_humidity, mould_note


@pytest.mark.parametrize(("celsius", "percent"), [(0, 100.0), (5, 88.0), (12, 80.9), (20, 80.0), (35, 80.0)])
def test_mould_needs_less_humidity_where_it_is_warmer(celsius: float, percent: float) -> None:
    found = critical_humidity(celsius)

    assert found is not None
    assert round(found, 1) == percent


@pytest.mark.parametrize("celsius", [-40, -0.1, 50.1, 85])
def test_where_it_is_too_cold_or_too_hot_the_model_says_nothing(celsius: float) -> None:
    assert critical_humidity(celsius) is None
    assert mould_note(99, celsius) == f"mould is not expected at {celsius:g} Cel"


@given(celsius=st.floats(0, 50))
def test_the_critical_humidity_is_always_a_humidity(celsius: float) -> None:
    found = critical_humidity(celsius)

    assert found is not None
    assert 79 < found <= 100


@pytest.mark.parametrize(
    ("humidity", "celsius", "note"),
    [
        (82, 12, "mould can grow: 82 %RH at 12 Cel, critical 80.9 %RH"),
        (76, 12, "mould is not expected yet: 76 %RH at 12 Cel, critical 80.9 %RH"),
        (90, None, "no temperature is known here, so the risk of mould is not worked out"),
    ],
)
def test_the_note_says_what_it_rests_on(humidity: float, celsius: float | None, note: str) -> None:
    assert mould_note(humidity, celsius) == note
