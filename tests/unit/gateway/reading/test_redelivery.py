"""What the broker hands over again after a lost acknowledgement is known, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.reading.intake import HELD_PACKETS
from gateway.reading.redelivery import WINDOW, Redelivery, content_sum

IDS = 65_535
"""That MQTT has (5, 2.2.1)."""


def test_a_packet_that_was_taken_is_known_again_by_id_and_content() -> None:
    packets = Redelivery()
    packets.note(7, content_sum("up/a/a/reading", b"21"))

    assert packets.was_taken(7, content_sum("up/a/a/reading", b"21"))
    assert not packets.was_taken(8, content_sum("up/a/a/reading", b"21")), "another packet that says the same"
    assert not packets.was_taken(7, content_sum("up/a/a/reading", b"22"))
    assert not packets.was_taken(7, content_sum("up/b/b/reading", b"21"))


@given(topic=st.text(max_size=9), payload=st.binary(max_size=9), cut=st.integers(1, 5))
def test_a_sum_is_of_topic_and_payload_together(topic: str, payload: bytes, cut: int) -> None:
    assert content_sum(topic, payload) == content_sum(topic, bytes(payload))
    assert 0 <= content_sum(topic, payload) < 2**32
    assert content_sum(topic, payload) != content_sum(topic, payload + b"!" * cut)


def test_an_id_that_is_used_anew_means_the_new_packet() -> None:
    packets = Redelivery([(7, 70)])

    packets.note(7, 71)

    assert not packets.was_taken(7, 70)
    assert packets.was_taken(7, 71)


@pytest.mark.parametrize(("others", "is_known"), [(WINDOW - 1, True), (WINDOW, False)])
def test_a_packet_is_known_for_so_many_others_and_no_longer(others: int, *, is_known: bool) -> None:
    packets = Redelivery([(1, 70)])

    for number in range(others):
        packets.note(2 + number, 5)

    assert packets.was_taken(1, 70) is is_known


def test_an_identical_pack_under_the_same_id_a_round_of_ids_later_is_another_packet() -> None:
    packets = Redelivery()
    for number in range(IDS):
        packets.note(1 + number, 70)

    assert not packets.was_taken(1, 70), "its id has come round: it is new, and is stored"
    assert packets.was_taken(IDS, 70)


def test_a_new_session_knows_nothing_of_the_one_before() -> None:
    packets = Redelivery([(7, 70)])

    packets.forget()

    assert not packets.was_taken(7, 70)


def test_a_new_run_knows_what_the_one_before_took_in_oldest_first() -> None:
    packets = Redelivery([(7, 70), (8, 80), (7, 71)])

    assert [packets.was_taken(*pair) for pair in ((7, 70), (7, 71), (8, 80))] == [False, True, True]


def test_what_can_be_unacknowledged_at_once_is_within_the_window() -> None:
    two_commits = 2 * HELD_PACKETS  # one on its way to the disk, one that gathers

    assert two_commits < WINDOW < IDS
