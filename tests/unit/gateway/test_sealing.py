"""Names of residents: sealed for one resident, by a key that only the product can read."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.files import ExposedFileError
from gateway.data_folder import DataFolder, open_folder
from gateway.sealing import ResidentSealer, UnusableKeysError
from services.residents import UnreadableSealError

NAME = b"Anna Andersson"


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return open_folder(tmp_path / "data")


@pytest.fixture
def sealer(folder: DataFolder) -> ResidentSealer:
    return ResidentSealer(folder)


def keys_of(folder: DataFolder) -> Path:
    return folder.path / "secrets" / "residents.keys"


def test_what_is_sealed_comes_back_for_the_same_resident(sealer: ResidentSealer) -> None:
    sealed = sealer.seal(NAME, about="r-1")

    assert sealer.unseal(sealed, about="r-1") == NAME
    assert NAME not in sealed
    assert sealer.seal(NAME, about="r-1") != sealed


def test_it_does_not_open_for_another_resident_so_rows_cannot_be_swapped(sealer: ResidentSealer) -> None:
    sealed = sealer.seal(NAME, about="r-1")

    with pytest.raises(UnreadableSealError):
        sealer.unseal(sealed, about="r-2")


def test_one_changed_bit_anywhere_is_found(sealer: ResidentSealer) -> None:
    sealed = sealer.seal(NAME, about="r-1")

    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(UnreadableSealError):
            sealer.unseal(bytes(changed), about="r-1")


@given(noise=st.binary(max_size=64))
def test_any_bytes_are_refused_in_our_own_words(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes
) -> None:
    sealer = ResidentSealer(open_folder(tmp_path_factory.getbasetemp() / "noise"))

    with pytest.raises(UnreadableSealError):
        sealer.unseal(noise, about="r-1")


def test_the_keys_are_for_their_owner_alone(sealer: ResidentSealer, folder: DataFolder) -> None:
    sealer.seal(NAME, about="r-1")

    assert keys_of(folder).stat().st_mode & 0o777 == 0o600


def test_keys_that_others_can_read_are_refused(sealer: ResidentSealer, folder: DataFolder) -> None:
    sealer.seal(NAME, about="r-1")
    keys_of(folder).chmod(0o644)

    with pytest.raises(ExposedFileError):
        ResidentSealer(folder).seal(NAME, about="r-1")


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[]", '{"newest": "k1", "keys": {}}', '{"newest": "k1", "keys": {"k1": "c2hvcnQ="}}'],
)
def test_a_damaged_file_is_refused_and_stays_as_it_is(
    sealer: ResidentSealer, folder: DataFolder, content: str
) -> None:
    sealer.seal(NAME, about="r-1")
    keys_of(folder).write_text(content)

    with pytest.raises(UnusableKeysError):
        ResidentSealer(folder).seal(NAME, about="r-1")
    assert keys_of(folder).read_text() == content


def test_a_new_key_seals_from_then_on_and_old_seals_still_open(
    sealer: ResidentSealer, folder: DataFolder
) -> None:
    running = ResidentSealer(folder)
    old = running.seal(NAME, about="r-1")

    assert sealer.renew() == "k2"
    new = sealer.seal(NAME, about="r-1")

    assert running.unseal(new, about="r-1") == NAME, "a process that runs meets the new key and reads it"
    assert sealer.unseal(old, about="r-1") == NAME
    assert (b"k1" in old, b"k2" in new) == (True, True)


def test_a_seal_whose_key_is_lost_says_which_key(sealer: ResidentSealer, folder: DataFolder) -> None:
    sealer.renew()
    sealed = sealer.seal(NAME, about="r-1")
    keys_of(folder).unlink()

    with pytest.raises(UnreadableSealError, match="sealed with key k2"):
        ResidentSealer(folder).unseal(sealed, about="r-1")
