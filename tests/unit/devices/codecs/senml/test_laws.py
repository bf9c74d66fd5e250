"""SenML: what holds for every pack, right or wrong."""

from contextlib import suppress

import cbor2
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devices.codecs.errors import PayloadError
from devices.codecs.senml import decode
from tests.support.senml_packs import (
    RECEIVED_US,
    Pack,
    as_cbor,
    as_endless_cbor,
    as_json,
    judge,
    outcome,
    packs,
    right_packs,
)

nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.binary(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.integers(-7, 9) | st.text(max_size=4), inner, max_size=4)
        | st.builds(cbor2.CBORTag, st.integers(0, 300), inner)
    ),
    max_leaves=12,
)


def either_decodes_or_refuses(payload: bytes) -> None:
    with suppress(PayloadError):
        records = decode(payload, received_us=RECEIVED_US)
        assert records == sorted(records, key=lambda record: record.at_us)


@given(payload=st.binary(max_size=200) | st.text(max_size=80).map(str.encode))
@example(payload=b"")
def test_any_bytes_either_decode_or_raise_payload_error(payload: bytes) -> None:
    either_decodes_or_refuses(payload)


@given(
    head=st.sampled_from([b"\x81", b"\x82", b"\x9f", b"\x81\xa2\x00\x61a\x02"]), tail=st.binary(max_size=200)
)
def test_any_bytes_that_start_like_cbor_either_decode_or_raise_payload_error(
    head: bytes, tail: bytes
) -> None:
    either_decodes_or_refuses(head + tail)


@given(value=nested)
def test_any_cbor_either_decodes_or_raises_payload_error(value: object) -> None:
    either_decodes_or_refuses(_dumped(value))
    either_decodes_or_refuses(_dumped([{0: "a", 2: value, 9: value, "x": value}]))


@given(pack=packs, place=st.integers(0), noise=st.binary(max_size=3))
def test_a_damaged_pack_either_decodes_or_raises_payload_error(pack: Pack, place: int, noise: bytes) -> None:
    for payload in (as_json(pack), as_cbor(pack)):
        cut = place % len(payload)
        either_decodes_or_refuses(payload[:cut])
        either_decodes_or_refuses(payload[:cut] + noise + payload[cut + len(noise) :])


@settings(max_examples=300)
@given(pack=packs)
def test_a_pack_means_what_a_slow_obvious_judge_says(pack: Pack) -> None:
    assert outcome(as_json(pack)) == judge(pack)


@given(pack=right_packs)
def test_a_right_pack_is_never_refused(pack: Pack) -> None:
    assert outcome(as_json(pack)) is not None


@settings(max_examples=300)
@given(pack=packs)
def test_a_pack_means_the_same_in_json_and_in_every_form_of_cbor(pack: Pack) -> None:
    meant = outcome(as_json(pack))

    assert outcome(as_cbor(pack)) == meant
    assert outcome(as_cbor(pack, shortest=True)) == meant
    assert outcome(as_endless_cbor(pack)) == meant


def _dumped(value: object) -> bytes:
    try:
        return cbor2.dumps(value)
    except cbor2.CBOREncodeError:
        return b"\x81\xf7"
