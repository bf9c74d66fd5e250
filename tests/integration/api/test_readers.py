"""Connections are lent to one at a time, used again, and not after something has failed."""

from contextlib import closing

import pytest

from gateway.api.readers import Readers
from gateway.data_folder import DataFolder
from tests.support.town import Town


@pytest.mark.usefixtures("town")
def test_a_connection_is_lent_again_once_it_is_back_and_to_one_at_a_time(folder: DataFolder) -> None:
    with closing(Readers(folder.database)) as readers:
        with readers.lent() as first, readers.lent() as second:
            assert first is not second
        with readers.lent() as again:
            assert again in {first, second}


def test_a_connection_sees_what_was_committed_since_it_was_lent_last(folder: DataFolder, town: Town) -> None:
    with closing(Readers(folder.database)) as readers:
        for expected in (2, 3):
            with readers.lent() as connection, connection.snapshot():
                assert len(connection.rows("SELECT id FROM homes")) == expected
            town.add_home(f"h-1{expected}")


@pytest.mark.usefixtures("town")
def test_a_connection_that_something_failed_with_is_not_lent_again(folder: DataFolder) -> None:
    with closing(Readers(folder.database)) as readers:
        with pytest.raises(ValueError, match="broken"), readers.lent() as failed:
            raise ValueError("broken")
        with readers.lent() as next_one:
            assert next_one is not failed
