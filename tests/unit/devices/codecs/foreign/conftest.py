"""Captured shapes: topics and payloads as the foreign systems write them, with ids and values of our own."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from devices.codecs.foreign.values import Dialect, ForeignMessage

FIXTURES = Path(__file__).parent / "fixtures"
RECEIVED_AT = datetime(2026, 11, 23, 8, 15, 3, tzinfo=UTC)


@pytest.fixture(scope="session")
def captured() -> Callable[[str], dict[str, Any]]:
    """The fixtures of one dialect, by what they show."""
    return lambda dialect: json.loads((FIXTURES / f"{dialect}.json").read_text())


@pytest.fixture
def heard(captured: Callable[[str], dict[str, Any]]) -> Callable[..., ForeignMessage]:
    """What a dialect makes of one captured message, whose payload may be changed."""

    def hear(dialect: Dialect, name: str, what: str, **changes: Any) -> ForeignMessage:
        shape = captured(name)[what]
        payload = json.dumps(shape["payload"] | changes).encode()
        (message,) = dialect.decode(shape["topic"], payload, received_at=RECEIVED_AT)
        return message

    return hear
