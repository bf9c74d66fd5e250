import re
from itertools import groupby
from pathlib import Path

from broker.limits import GLOBAL_LIMITS, LISTENER_LIMITS, MAX_PACKET_BYTES, OPEN_FILES
from devices.messages import ALARM_MAX_BYTES

DOCUMENT = Path(__file__).parents[3] / "docs" / "broker.md"


def table(heading: str) -> list[list[str]]:
    """The rows of the first table below ``heading``, cell by cell, without its head."""
    below = DOCUMENT.read_text().split(f"## {heading}\n", 1)[1].splitlines()
    for is_table, lines in groupby(below, key=lambda line: line.startswith("|")):
        if is_table:
            return [[cell.strip() for cell in line.strip("|").split("|")] for line in list(lines)[2:]]
    return []


def test_the_operators_table_has_the_limits_numbers_reasons_and_bounds() -> None:
    assert table("Limits") == [
        [f"`{limit.option}`", f"{limit.value:,} {limit.unit}", limit.because, limit.at_the_bound]
        for limit in (*GLOBAL_LIMITS, *LISTENER_LIMITS)
    ]


def test_the_document_names_the_number_of_open_files() -> None:
    assert f"{OPEN_FILES:,}" in DOCUMENT.read_text()


def test_the_largest_alarm_fits_into_a_packet_with_room_for_topic_and_properties() -> None:
    assert MAX_PACKET_BYTES.value >= 2 * ALARM_MAX_BYTES


def test_every_limit_says_why_and_what_happens() -> None:
    for limit in (*GLOBAL_LIMITS, *LISTENER_LIMITS):
        assert re.search(r"\w{3}.*\.$", limit.because), limit.option
        assert limit.at_the_bound, limit.option
