"""What each day needs of the log is done once, published beside the store, and done again after a failure."""

import asyncio
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
import structlog

from gateway import log_heads, log_key
from gateway.data_folder import DataFolder, open_folder
from services.inspection import heads
from services.inspection.signing import KeyUnusableError, SigningKey
from services.inspection.verification import Verdict, verify
from services.store import audit as rows
from services.store import audit_heads, usage
from services.store.migrations import migrate
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer
from tests.support.clock import START, FrozenClock
from tests.support.log import DAY, looked
from tests.support.town import Town


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return open_folder(tmp_path / "data")


@pytest.fixture
def store(folder: DataFolder) -> Iterator[SqliteConnection]:
    with closing(SqliteConnection(folder.database)) as connection:
        migrate(connection)
        yield connection


@pytest_asyncio.fixture
async def writer(folder: DataFolder, store: SqliteConnection) -> AsyncIterator[Writer]:  # noqa: ARG001 - migrated
    with closing(SqliteConnection(folder.database)) as connection:
        writer = Writer(connection)
        writer.start()
        async with aclosing(writer):
            yield writer


def kept(folder: DataFolder) -> list[audit_heads.HeadRow]:
    return log_key.known_heads(folder)


def verdict(folder: DataFolder, store: SqliteConnection) -> Verdict:
    return verify(store, keys=log_key.known_keys(folder), kept=kept(folder))


async def test_a_day_has_one_head_that_is_in_the_file_and_in_the_processes_log(
    writer: Writer, folder: DataFolder, store: SqliteConnection, clock: FrozenClock
) -> None:
    with structlog.testing.capture_logs() as lines:
        for _ in range(2):
            await log_heads.do_the_day(writer, folder, clock)
        clock.advance(DAY)
        await log_heads.do_the_day(writer, folder, clock)

    assert [head.day for head in kept(folder)] == ["2026-11-23", "2026-11-24"]
    assert kept(folder) == audit_heads.heads(store)
    said = [line for line in lines if line["event"] == "log_head_signed"]
    assert [line["signature"] for line in said] == [head.signature for head in kept(folder)]
    assert verdict(folder, store).is_whole
    assert verdict(folder, store).signed_to == 1


async def test_the_key_is_for_the_product_alone_and_stays_the_same(
    writer: Writer, folder: DataFolder, clock: FrozenClock
) -> None:
    await log_heads.do_the_day(writer, folder, clock)

    path = folder.log / "key.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(log_key.heads_file(folder).stat().st_mode) == 0o600
    assert log_key.signing_key(folder).id == log_key.signing_key(folder).id
    assert list(log_key.known_keys(folder)) == [log_key.signing_key(folder).id]
    assert b"PRIVATE" not in log_key.public_file(folder).read_bytes()


async def test_a_crash_between_the_commit_and_the_file_is_made_good(
    writer: Writer, folder: DataFolder, store: SqliteConnection, clock: FrozenClock
) -> None:
    await log_heads.do_the_day(writer, folder, clock)
    clock.advance(DAY)
    with store.transaction():
        heads.sign_head(store, log_key.signing_key(folder), now=clock.now())
    whole = log_key.heads_file(folder).read_bytes()
    log_key.heads_file(folder).write_bytes(whole + b'{"entry":4,"ki')

    await log_heads.do_the_day(writer, folder, clock)

    assert kept(folder) == audit_heads.heads(store)
    assert len(kept(folder)) == 2


async def test_what_fails_is_said_and_ends_nothing(
    writer: Writer, folder: DataFolder, store: SqliteConnection, clock: FrozenClock
) -> None:
    log_key.signing_key(folder)
    (folder.log / "key.pem").write_text("nonsense")

    with structlog.testing.capture_logs() as lines, suppress(TimeoutError):
        async with asyncio.timeout(0.3):
            await log_heads.run(writer, folder, clock)

    assert [line["event"] for line in lines] == ["log_head_failed"]
    assert audit_heads.heads(store) == []
    with pytest.raises(KeyUnusableError):
        log_key.signing_key(folder)


async def test_a_new_key_is_added_to_those_that_verify(
    writer: Writer, folder: DataFolder, store: SqliteConnection, clock: FrozenClock
) -> None:
    await log_heads.do_the_day(writer, folder, clock)
    (folder.log / "key.pem").unlink()
    clock.advance(DAY)
    await log_heads.do_the_day(writer, folder, clock)

    assert len(log_key.known_keys(folder)) == 2
    assert verdict(folder, store).is_whole


async def test_what_is_five_years_old_goes_while_the_rest_verifies(
    writer: Writer, folder: DataFolder, store: SqliteConnection
) -> None:
    with store.transaction():
        for _ in range(1_200):
            looked(store)
        last = looked(store, at=START + DAY)
    clock = FrozenClock(datetime(2031, 11, 24, 3, tzinfo=UTC))

    await log_heads.do_the_day(writer, folder, clock)

    assert rows.first(store) == last
    assert [head.kind for head in kept(folder)] == ["head", "anchor"]
    assert verdict(folder, store).is_whole


async def test_months_that_are_over_are_closed(
    writer: Writer, folder: DataFolder, store: SqliteConnection, clock: FrozenClock
) -> None:
    town = Town(store, clock)
    town.settle()
    town.grant("acme")
    clock.advance(timedelta(days=12))

    await log_heads.do_the_day(writer, folder, clock)

    assert usage.last_closed(store) == "2026-11"
    assert ("acme", "homes", "", 1) in usage.closed_counts(store, "2026-11")


def test_a_key_of_another_kind_is_refused() -> None:
    with pytest.raises(KeyUnusableError, match="a file"):
        SigningKey.from_pem(b"", where="a file")
