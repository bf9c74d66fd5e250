"""Records as they were sent, in JSON or CBOR: every field of the right type, nothing resolved yet.

A label that stands twice in one record counts once, with the value that comes last, in both forms.
Fields that we do not know are passed over; one whose label ends in ``_`` must be understood, and is refused.
"""

import re
from collections.abc import Iterable
from typing import Annotated, Any, Final, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

from devices.codecs.errors import PayloadError

MAX_RECORDS: Final = 1_000
UNIT_MAX_LENGTH: Final = 32

Unit: TypeAlias = Annotated[str, Meta(max_length=UNIT_MAX_LENGTH)]


class Record(Struct, gc=False, kw_only=True):
    """The labels of RFC 8428 section 5; ``UNSET`` where it matters whether a field was there."""

    bn: str | UnsetType = UNSET
    bt: float | UnsetType = UNSET
    bu: Unit | UnsetType = UNSET
    bv: float | UnsetType = UNSET
    bs: float | UnsetType = UNSET
    bver: int | UnsetType = UNSET
    n: str = ""
    u: Unit = ""
    v: float | UnsetType = UNSET
    vs: str | UnsetType = UNSET
    vb: bool | UnsetType = UNSET
    vd: str | UnsetType = UNSET
    """What is in it is not looked at; data of a CBOR pack stands here as empty text."""
    s: float | UnsetType = UNSET
    t: float = 0.0
    ut: float | UnsetType = UNSET


_MISTAKE: Final = re.compile(
    r"(?P<what>.*?)(?: - at `\$(?:\[(?P<index>\d+)\])?(?:\.(?P<label>\w+))?`)?", re.DOTALL
)


def of_wrong_type(error: Exception) -> PayloadError:
    """What msgspec found, told in our words: ``record 2: v: Expected float, got str``."""
    found = _MISTAKE.fullmatch(str(error))
    if found is None or found["index"] is None:
        return PayloadError(f"not a SenML pack ({error}); right would be an array of records")
    label = f"{found['label']}: " if found["label"] else ""
    return PayloadError(f"record {int(found['index']) + 1}: {label}{found['what'].replace('`', '')}")


def refuse_must_understand(pack: Iterable[Any]) -> None:
    """Look for labels that ask to be understood.

    Raises:
        PayloadError: There is one (RFC 8428 section 4.4).
    """
    for number, record in enumerate(pack, 1):
        for label in record:
            if isinstance(label, str) and label.endswith("_"):
                reason = (
                    f"record {number}: {label[:40]!a} must be understood and is not; right would be none such"
                )
                raise PayloadError(reason)
