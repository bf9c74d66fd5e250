from pathlib import Path

import pytest

from broker.mosquitto import OLDEST_VERSION, MosquittoMissingError, MosquittoTooOldError, parse_version

EXECUTABLE = Path("/usr/sbin/mosquitto")


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("mosquitto version 2.0.11\n\nmosquitto is an MQTT v5.0/v3.1.1/v3.1 broker.\n", (2, 0, 11)),
        ("mosquitto version 2.0.18\n", (2, 0, 18)),
        ("mosquitto version 2.1.2\n\nUsage", (2, 1, 2)),
        ("mosquitto version 3.0.0-rc1", (3, 0, 0)),
    ],
)
def test_a_version_is_read_from_the_help_text(said: str, version: tuple[int, int, int]) -> None:
    assert parse_version(EXECUTABLE, said) == version


@pytest.mark.parametrize(
    ("said", "found"), [("mosquitto version 2.0.10", "2.0.10"), ("something else", "unknown")]
)
def test_an_older_broker_is_refused_with_the_version_that_would_do(said: str, found: str) -> None:
    with pytest.raises(MosquittoTooOldError, match=rf"version {found}: expected Mosquitto 2\.0\.11 or newer"):
        parse_version(EXECUTABLE, said)


def test_2_0_11_is_good_enough_since_debian_12_has_it() -> None:
    assert OLDEST_VERSION == (2, 0, 11)


def test_a_missing_broker_is_told_with_both_mends() -> None:
    message = str(MosquittoMissingError())

    assert "apt-get install mosquitto" in message
    assert "broker.manage = false" in message
