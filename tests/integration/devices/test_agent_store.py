"""The store on a real disk: what it returned from is there afterwards, whatever happened."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import devices
from devices.agent.store import HISTORY_LENGTH, KeptAlarm, Store, StoreError
from devices.kinds import DeviceId
from devices.messages import Receipt, ReceiptStatus
from tests.integration.devices.home_kit import AT

ROOT = Path(devices.__file__).parents[1]
P7 = DeviceId("p7")
LARGE = 64 * 1024 * 1024
ADD_FOR_EVER = """
import sys
from pathlib import Path
from devices.agent.store import Store

store = Store(Path(sys.argv[1]), max_bytes=2**26)
while True:
    alarm = store.add("p7", lambda event_id: b"body of " + event_id.encode())
    sys.stdout.write(alarm.id + "\\n")
    sys.stdout.flush()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agent.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(path, max_bytes=LARGE)
    yield store
    store.close()


def body(event_id: str) -> bytes:
    return b"body of " + event_id.encode()


def a_receipt(event_id: str, status: ReceiptStatus = ReceiptStatus.STORED) -> Receipt:
    return Receipt(id=event_id, status=status, at=AT)


def test_what_was_added_is_there_after_kill_9_and_no_id_comes_again(path: Path) -> None:
    seen: set[str] = set()
    for round_number in range(3):
        adder = subprocess.Popen(
            [sys.executable, "-c", ADD_FOR_EVER, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert adder.stdout
        printed = [adder.stdout.readline().strip() for _ in range(20 + round_number)]
        adder.send_signal(signal.SIGKILL)
        printed += adder.stdout.read().split()[:-1]  # the last line may be torn
        adder.wait()
        adder.stdout.close()

        assert not seen & set(printed)
        seen |= set(printed)
        store = Store(path, max_bytes=LARGE)
        waiting = store.waiting()
        store.close()
        assert seen <= {alarm.id for alarm in waiting}
        assert all(alarm.body == body(alarm.id) for alarm in waiting)


def test_a_commit_returns_after_the_sync(store: Store) -> None:
    assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_session_stays_the_same_as_long_as_the_file_lives(path: Path, tmp_path: Path) -> None:
    sessions = []
    for file in (path, path, tmp_path / "other.db"):
        store = Store(file, max_bytes=LARGE)
        sessions.append(store.session())
        store.close()

    assert sessions[0] == sessions[1] != sessions[2]
    assert len(bytes.fromhex(sessions[0])) == 16


def test_an_id_from_an_old_copy_of_the_file_does_not_come_again(path: Path) -> None:
    ids = []
    Store(path, max_bytes=LARGE).close()
    old_copy = path.read_bytes()
    for _ in range(2):
        path.write_bytes(old_copy)
        store = Store(path, max_bytes=LARGE)
        ids.append(store.add(P7, body).id)
        store.close()

    assert ids[0] != ids[1]


def test_only_the_owner_may_read_what_happens_in_a_home(path: Path, store: Store) -> None:
    store.add(P7, body)

    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.glob("agent.db*")}
    assert modes == {"agent.db": 0o600, "agent.db-wal": 0o600}


def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    path.touch(0o644)

    Store(path, max_bytes=LARGE).close()

    assert path.stat().st_mode & 0o777 == 0o600


def test_a_second_agent_on_the_same_file_is_refused(path: Path, store: Store) -> None:
    store.session()

    with pytest.raises(StoreError, match="another agent uses it; give each agent a file of its own"):
        Store(path, max_bytes=LARGE)


def test_a_file_of_a_newer_version_is_left_alone(path: Path) -> None:
    Store(path, max_bytes=LARGE).close()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 2")
    database.close()

    with pytest.raises(StoreError, match=r"a newer agent wrote it \(version 2; this one knows 1\)"):
        Store(path, max_bytes=LARGE)


def test_a_damaged_file_is_named_with_its_mend(path: Path) -> None:
    path.write_bytes(b"not a database" * 1000)

    with pytest.raises(StoreError, match="file is not a database; move it away and start again"):
        Store(path, max_bytes=LARGE)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nowhere/agent\.db: No such file or directory"):
        Store(tmp_path / "nowhere" / "agent.db", max_bytes=LARGE)


def test_at_its_bound_the_file_takes_no_more_and_keeps_what_it_has(path: Path) -> None:
    store = Store(path, max_bytes=1)
    kept: list[KeptAlarm] = []

    def fill() -> None:
        while True:
            kept.append(store.add(P7, lambda _id: b"x" * 1000))

    with pytest.raises(StoreError, match="full"):
        fill()

    assert len(kept) > 10
    assert store.waiting() == kept
    assert store.settle(P7, a_receipt(kept[0].id))
    store.close()


def test_a_message_that_cannot_be_written_uses_up_no_place(store: Store) -> None:
    with pytest.raises(ZeroDivisionError):
        store.add(P7, lambda _id: bytes(1 // 0))

    assert store.waiting() == []
    assert store.add(P7, body).id.endswith("-000001")


@given(device=st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_device_gets_an_id_that_fits_the_contract(store: Store, device: str) -> None:
    event_id = store.add(DeviceId(device), body).id

    assert len(event_id) <= 64
    assert event_id.startswith(device[:40])


def test_old_answered_alarms_are_forgotten_and_unanswered_ones_never(store: Store) -> None:
    first, answered = store.add(P7, body), store.add(P7, body)
    store.settle(P7, a_receipt(answered.id))
    later = [store.add(P7, body) for _ in range(HISTORY_LENGTH + 5)]
    for alarm in later:
        store.settle(P7, a_receipt(alarm.id))

    assert store.receipts(answered.id) == []
    assert store.receipts(later[-1].id) == [a_receipt(later[-1].id)]
    assert store.waiting() == [first]


def test_a_receipt_is_news_once_for_each_status(store: Store) -> None:
    event_id = store.add(P7, body).id

    stored, closed = a_receipt(event_id), a_receipt(event_id, ReceiptStatus.CLOSED)
    news = [store.settle(P7, receipt) for receipt in (stored, stored, closed, replace(stored, alarm_id="x"))]

    assert news == [True, False, True, False]
    assert store.receipts(event_id) == [stored, closed]


def test_a_receipt_for_an_alarm_that_is_not_ours_is_no_news(store: Store) -> None:
    event_id = store.add(P7, body).id

    assert not store.settle(P7, a_receipt("p7-from-elsewhere"))
    assert not store.settle(DeviceId("p8"), a_receipt(event_id))
    assert len(store.waiting()) == 1
