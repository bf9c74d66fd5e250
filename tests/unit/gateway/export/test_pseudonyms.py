"""What positions are called elsewhere."""

from pathlib import Path

import pytest

from broker.files import ExposedFileError
from gateway.data_folder import DataFolder, open_folder
from gateway.export.pseudonyms import Pseudonyms, UnusableKeyError, pseudonyms


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return open_folder(tmp_path / "data")


def key_of(folder: DataFolder) -> Path:
    return folder.export / "position.key"


def test_a_tag_is_the_hmac_of_the_position() -> None:
    """RFC 4231, test case 2, cut to 128 bits."""
    assert Pseudonyms(b"Jefe").tag("what do ya want for nothing?") == "5bdcc146bf60754e6a042426089575c7"


def test_the_key_is_made_once_for_its_owner_alone(folder: DataFolder) -> None:
    first = pseudonyms(folder).tag("p")

    assert pseudonyms(folder).tag("p") == first
    assert key_of(folder).stat().st_mode & 0o777 == 0o600


def test_another_hub_has_other_tags(folder: DataFolder, tmp_path: Path) -> None:
    assert pseudonyms(folder).tag("p") != pseudonyms(open_folder(tmp_path / "other")).tag("p")


def test_a_key_that_others_can_read_is_refused(folder: DataFolder) -> None:
    pseudonyms(folder)
    key_of(folder).chmod(0o644)

    with pytest.raises(ExposedFileError):
        pseudonyms(folder)


def test_half_a_key_is_refused_and_not_replaced(folder: DataFolder) -> None:
    pseudonyms(folder)
    key_of(folder).write_bytes(b"half")

    with pytest.raises(UnusableKeyError, match="backup"):
        pseudonyms(folder)
    assert key_of(folder).read_bytes() == b"half"
