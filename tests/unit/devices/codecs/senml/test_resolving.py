"""SenML: each rule of RFC 8428 section 4 and RFC 9100, and the bounds of our own."""

from typing import Any

import pytest

from devices.codecs.errors import PayloadError
from devices.codecs.senml import MAX_RECORDS, Measured, decode
from tests.support.senml_packs import RECEIVED_US, as_json

SECOND = 1_000_000
AT = 1_700_000_000
A = {"n": "a", "v": 1}


def decoded(*pack: dict[str, Any]) -> list[Measured]:
    return decode(as_json(list(pack)), received_us=RECEIVED_US)


def refusal(*pack: dict[str, Any]) -> str:
    with pytest.raises(PayloadError) as caught:
        decoded(*pack)
    return caught.value.reason


def test_a_base_field_holds_until_another_record_has_the_same_one() -> None:
    records = decoded(
        {"bn": "a:", "bt": AT, "bu": "W", "bv": 10, "n": "x", "v": 1},
        {"n": "y", "v": 2},
        {"bn": "b:", "n": "x", "v": 3},
        {"bt": AT + 9, "bu": "V", "bv": 20, "n": "y", "v": 4},
    )

    assert records == [
        Measured("a:x", "W", AT * SECOND, 11.0),
        Measured("a:y", "W", AT * SECOND, 12.0),
        Measured("b:x", "W", AT * SECOND, 13.0),
        Measured("b:y", "V", (AT + 9) * SECOND, 24.0),
    ]


def test_a_unit_goes_before_the_base_unit_and_neither_is_needed() -> None:
    records = decoded({"n": "a", "v": 1}, {"bu": "W", "n": "b", "v": 1}, {"n": "c", "u": "V", "v": 1})

    assert [record.unit for record in records] == ["", "W", "V"]


def test_records_come_in_order_of_time_and_within_one_time_as_they_were_sent() -> None:
    records = decoded(
        {"n": "b", "t": -1, "v": 1},
        {"n": "z", "t": -7, "v": 2},
        {"n": "a", "t": -1, "v": 3},
        {"n": "c", "v": 4},
    )

    assert [record.name for record in records] == ["z", "b", "a", "c"]


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({}, RECEIVED_US / SECOND),
        ({"t": -60}, RECEIVED_US / SECOND - 60),
        ({"t": 0.02}, RECEIVED_US / SECOND + 0.02),
        ({"t": 2**28 - 1}, RECEIVED_US / SECOND + 2**28 - 1),
        ({"t": 2**28}, 2**28),
        ({"bt": 2**28, "t": -1}, RECEIVED_US / SECOND + 2**28 - 1),
        ({"bt": 2**28 - 1, "t": 1}, 2**28),
        ({"bt": AT, "t": -5}, AT - 5),
        ({"bt": -5, "t": AT}, AT - 5),
    ],
)
def test_a_time_is_relative_when_the_sum_of_base_time_and_time_is_below_2_to_the_28(
    fields: dict[str, float], seconds: float
) -> None:
    assert decoded({**A, **fields})[0].at_us == round(seconds * SECOND)


def test_base_time_and_time_lose_no_microsecond_in_their_sum() -> None:
    assert decoded({**A, "bt": 7_258_118_399, "t": 0.000001})[0].at_us == 7_258_118_399_000_001


@pytest.mark.parametrize("at", [-2e9, 7_258_118_400, 1e12, 1e300, -1e300])
def test_a_time_outside_1978_to_2199_is_refused_and_the_record_named(at: float) -> None:
    reason = refusal(A, {**A, "t": at})

    assert reason.startswith("record 2: ")
    assert "time" in reason


@pytest.mark.parametrize("name", ["a", "0", "A-:./_9", "urn:dev:mac:0024befffe804ff1:temperature", "x" * 255])
def test_a_name_has_letters_digits_and_some_marks(name: str) -> None:
    assert decoded({"n": name, "v": 1})[0].name == name


@pytest.mark.parametrize(
    "name", ["-a", ":a", "_a", "/a", ".a", "a b", "å", "a+", "a\n", "a\0", "a#", "x" * 256, "a" * 60_000]
)
def test_any_other_name_is_refused(name: str) -> None:
    reason = refusal(A, {"n": name, "v": 1})

    assert reason.startswith("record 2: the name is '")
    assert len(reason) < 400


def test_a_name_is_checked_together_with_its_base_name() -> None:
    assert decoded({"bn": "a", "n": "-b", "v": 1})[0].name == "a-b"
    assert "the name is '-ab'" in refusal({"bn": "-a", "n": "b", "v": 1})


def test_a_name_may_be_left_out_only_when_there_is_a_base_name() -> None:
    assert decoded({"bn": "a", "v": 1})[0].name == "a"
    assert refusal({"v": 1}) == "record 1: no name; right would be bn, n or both"


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"v": 1, "vb": True}, "v and vb stand together"),
        ({"v": 1, "vs": "1"}, "v and vs stand together"),
        ({"v": 1, "vd": "MQ"}, "v and vd stand together"),
        ({"vs": "1", "vb": True, "vd": "MQ", "s": 1}, "vs and vb and vd stand together"),
        ({}, "no value and no sum (s)"),
        ({"bv": 1}, "no value and no sum (s)"),
        ({"bs": 1}, "no value and no sum (s)"),
    ],
)
def test_a_record_has_exactly_one_value(fields: dict[str, Any], what: str) -> None:
    assert (
        refusal({"n": "a", **fields}) == f"record 1: {what}; right would be exactly one of v, vs, vb and vd"
    )


def test_a_record_may_have_a_sum_alone_or_beside_its_value() -> None:
    records = decoded({"n": "a", "s": 9}, {"n": "b", "v": 1, "s": 9})

    assert [(record.value, record.note) for record in records] == [(None, "only a sum"), (1.0, "")]


def test_text_and_data_are_not_numbers_and_the_note_says_what_they_are() -> None:
    records = decoded({"n": "a", "vs": "on"}, {"n": "b", "vd": "aGkgCg"})

    assert [(record.value, record.note) for record in records] == [(None, "text"), (None, "data")]


def test_true_is_one_and_false_is_zero_and_no_base_value_is_added() -> None:
    records = decoded({"bv": 20, "n": "a", "vb": True}, {"n": "b", "vb": False})

    assert [record.value for record in records] == [1.0, 0.0]


def test_a_record_of_base_fields_alone_measures_nothing() -> None:
    assert [record.name for record in decoded({"bn": "a:", "bt": AT}, {"n": "x", "v": 1})] == ["a:x"]


@pytest.mark.parametrize("field", [{"n": "x"}, {"u": "W"}, {"t": -5}, {"ut": 60}])
def test_a_record_with_a_field_of_its_own_must_measure_something(field: dict[str, Any]) -> None:
    assert "no value and no sum" in refusal({"bn": "a:", **field}, A)


@pytest.mark.parametrize("pack", [[], [{"bn": "a:"}]])
def test_a_pack_that_measures_nothing_is_refused(pack: list[dict[str, Any]]) -> None:
    assert "nothing is measured" in refusal(*pack)


def test_a_value_that_leaves_the_range_of_doubles_by_its_base_value_is_refused() -> None:
    assert "bv + v is inf" in refusal({"bv": 1.7e308, "n": "a", "v": 1.7e308})


@pytest.mark.parametrize("version", [1, 5, 10, 26])
def test_versions_up_to_10_and_the_feature_of_secondary_units_are_understood(version: int) -> None:
    assert decoded({"bver": version, **A}, {"bver": version, **A})


@pytest.mark.parametrize("version", [-1, 0, 11, 16, 27, 42, 58, 2**53, 2**70])
def test_any_other_version_is_refused(version: int) -> None:
    assert f"bver is {version}; right would be at most 10, or 26" in refusal({"bver": version, **A})


@pytest.mark.parametrize(
    "pack",
    [[{"bver": 5, **A}, {"bver": 10, **A}], [A, {"bver": 26, **A}], [{"bver": 26, **A}, {"bver": 10, **A}]],
)
def test_a_pack_has_one_version(pack: list[dict[str, Any]]) -> None:
    assert "right would be one version per pack" in refusal(*pack)


def test_the_default_version_may_be_said_late() -> None:
    assert len(decoded(A, {"bver": 10, **A})) == 2


def test_the_update_time_is_kept() -> None:
    records = decoded({**A, "ut": 3600}, A)

    assert [record.update_seconds for record in records] == [3600.0, None]


def test_a_negative_update_time_is_refused() -> None:
    assert refusal({**A, "ut": -1}).startswith("record 1: ut is -1; right would be")


def test_a_unit_that_cannot_be_printed_or_is_long_is_refused() -> None:
    assert "the unit is 'W\\n'" in refusal({**A, "u": "W\n"})
    assert refusal({**A, "u": "x" * 33}) == "record 1: u: Expected str of length <= 32"


def test_a_unit_out_of_no_registry_is_left_to_whoever_knows_what_is_measured() -> None:
    assert decoded({**A, "u": "°C"})[0].unit == "°C"


def test_a_pack_has_at_most_so_many_records() -> None:
    assert len(decoded(*[A] * MAX_RECORDS)) == MAX_RECORDS
    assert refusal(*[A] * (MAX_RECORDS + 1)) == "1001 records; right would be at most 1000"
