"""Canaries: texts that nobody else uses, put where secrets and personal data belong, looked for elsewhere.

    canaries = Canaries()
    canaries.add("password", Kind.SECRET, "…")       it goes in at its door
    canaries.found_in(text)                          which of them have got out, by name

A text is looked for as it is and in the ways that programs rewrite it: case, URL and base64.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import quote, quote_plus

SHORTEST: Final = 12
"""Characters; less would be there by chance, in base64 at least."""


class Kind(StrEnum):
    """What a canary stands for; decides where it may stay."""

    SECRET = "secret"  # noqa: S105 - the name of a kind
    """Opens something: hashed or sealed wherever it is kept."""
    SETTING = "setting"
    """A secret that an operator has typed into ``stadsnav.toml``, and that stays there."""
    PERSON = "person"
    """Who a resident is: sealed."""
    FACT = "fact"
    """What is known about a home, a case or a colleague: in the database, and for those who may know."""
    STRAY = "stray"
    """Typed where it does not belong: nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """One text, and how it would be found."""

    kind: Kind
    folded: tuple[bytes, ...]
    """In lower case."""
    encoded: tuple[bytes, ...]


@dataclass(slots=True)
class Canaries:
    """The texts by their names."""

    by_name: dict[str, Canary] = field(default_factory=dict)

    def add(self, name: str, kind: Kind, text: str) -> str:
        """Look for a text from now on; returns it."""
        assert len(text) >= SHORTEST, f"{name} is too short"
        folded = {way.lower().encode() for way in (text, quote(text), quote_plus(text))}
        self.by_name[name] = Canary(kind=kind, folded=tuple(folded), encoded=tuple(_in_base64(text)))
        return text

    def found_in(self, content: bytes | str) -> set[str]:
        """The names of those that are there."""
        raw = content.encode() if isinstance(content, str) else content
        folded = raw.lower()
        return {
            name
            for name, canary in self.by_name.items()
            if any(way in folded for way in canary.folded) or any(way in raw for way in canary.encoded)
        }

    def of(self, *kinds: Kind) -> set[str]:
        """The names of some kinds."""
        return {name for name, canary in self.by_name.items() if canary.kind in kinds}


def _in_base64(text: str) -> Iterator[bytes]:
    """What of it depends on nothing around it: what stands before shifts it by 0, 1 or 2 bytes."""
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + text.encode())
        yield encoded[4 if shift else 0 : -4]
