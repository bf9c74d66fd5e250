"""Where the agent keeps readings until the broker has them: bounded, and never in an alarm's way."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import devices
from devices.agent import StoreError
from devices.agent.packs import KeptPack, Packs
from devices.kinds import DeviceId

ROOT = Path(devices.__file__).parents[1]
M1 = DeviceId("m1")
LARGE = 16 * 1024 * 1024
ADD_FOR_EVER = """
import sys
from pathlib import Path
from devices.agent.packs import Packs

packs = Packs(Path(sys.argv[1]), max_bytes=2**24)
number = 0
while True:
    packs.add("m1", b"%d" % number)
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
    number += 1
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agent-readings.db"


@pytest.fixture
def packs(path: Path) -> Iterator[Packs]:
    packs = Packs(path, max_bytes=LARGE)
    yield packs
    packs.close()


def everything(packs: Packs) -> list[KeptPack]:
    found: list[KeptPack] = []
    while pack := packs.after(found[-1].number if found else 0):
        found.append(pack)
    return found


def test_packs_come_back_oldest_first_until_they_are_taken(packs: Packs) -> None:
    for body in (b"a", b"b", b"c"):
        packs.add(M1, body)
    first, second, third = everything(packs)
    packs.taken(second)

    assert [pack.body for pack in (first, second, third)] == [b"a", b"b", b"c"]
    assert everything(packs) == [first, third]
    assert len(packs) == 2


def test_what_was_kept_is_there_after_kill_9(path: Path) -> None:
    adder = subprocess.Popen(
        [sys.executable, "-c", ADD_FOR_EVER, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert adder.stdout
    printed = [adder.stdout.readline().strip() for _ in range(50)]
    adder.send_signal(signal.SIGKILL)
    adder.wait()
    adder.stdout.close()

    packs = Packs(path, max_bytes=LARGE)
    kept = everything(packs)
    packs.close()

    assert [pack.body.decode() for pack in kept[:50]] == printed


@pytest.mark.parametrize("is_reopened", [False, True])
def test_at_its_bound_the_oldest_give_way_and_are_counted(path: Path, *, is_reopened: bool) -> None:
    packs = Packs(path, max_bytes=1_000)
    for number in range(20):
        packs.add(M1, b"%03d" % number * 25)
        if is_reopened:
            packs.close()
            packs = Packs(path, max_bytes=1_000)

    kept, dropped = everything(packs), packs.dropped
    packs.close()

    assert [pack.body[:3] for pack in kept] == [b"%03d" % number for number in range(15, 20)]
    assert dropped == 15


def test_a_pack_that_gave_way_while_it_was_on_its_way_is_no_mistake(path: Path) -> None:
    packs = Packs(path, max_bytes=250)
    packs.add(M1, b"a" * 50)
    sent = packs.after(0)
    assert sent
    packs.add(M1, b"b" * 150)

    packs.taken(sent)

    assert [pack.body for pack in everything(packs)] == [b"b" * 150]
    packs.add(M1, b"c" * 150)
    assert [pack.body for pack in everything(packs)] == [b"c" * 150]
    packs.close()


def test_one_that_alone_is_over_the_bound_is_kept_all_the_same(path: Path) -> None:
    packs = Packs(path, max_bytes=10)
    packs.add(M1, b"a" * 1_000)

    assert len(packs) == 1
    packs.close()


def test_only_the_owner_may_read_what_is_measured_in_a_home(path: Path, packs: Packs) -> None:
    packs.add(M1, b"a")

    assert {file.stat().st_mode & 0o777 for file in path.parent.glob("agent-readings.db*")} == {0o600}


def test_a_file_that_is_in_use_or_damaged_is_said_to_be_so(path: Path, packs: Packs, tmp_path: Path) -> None:
    packs.add(M1, b"a")
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(b"not a database" * 1000)

    with pytest.raises(StoreError, match=r"Cannot keep readings in .*: database is locked"):
        Packs(path, max_bytes=LARGE)
    with pytest.raises(StoreError, match="file is not a database"):
        Packs(damaged, max_bytes=LARGE)
