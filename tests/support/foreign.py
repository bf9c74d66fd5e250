"""What a foreign message says, in the form in which tests compare it."""

from typing import Any

import pytest

from devices.codecs.foreign.values import ForeignMessage


def values(*messages: ForeignMessage) -> dict[str, tuple[Any, str]]:
    """Value and unit by the reading's name; values compare approximately."""
    return {
        value.name: (pytest.approx(value.value), value.unit)
        for message in messages
        for value in message.values
    }
