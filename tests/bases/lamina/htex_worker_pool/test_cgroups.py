"""Control groups: where they are is read from text; what they do, from the kernel."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lamina.htex_worker_pool.cgroups import Groups, own_place

MIB = 2**20
MOUNTS = [
    "proc /proc proc rw 0 0",
    "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0",
    "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0",
    "cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0",
]
# Takes memory once it may, and says so.
PROGRAM = "import sys; input(); kept = bytearray(b'x') * int(sys.argv[1]); print(len(kept))"


@pytest.fixture
def groups() -> Iterator[Groups]:
    found = Groups.find()
    if found is None:
        pytest.skip("no group for memory can be made here")
    yield found
    found.close()


def use(groups: Groups, size: int, limit: int) -> tuple[int, bool, int]:
    """A process of a group takes so much: its status, whether it was killed for it, its peak."""
    group = groups.make(3, limit)
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(size)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    group.take(process.pid)
    process.communicate(b"\n", timeout=30)
    said = process.returncode, group.has_killed(), group.peak
    assert not group.has_killed(), "it is said once"
    group.remove()
    return said


def test_its_own_place_is_read_from_what_the_kernel_says() -> None:
    path = own_place(MOUNTS, ["5:cpu,cpuacct:/a", "4:memory:/a/b", "0::/"])
    assert path == Path("/sys/fs/cgroup/memory/a/b")


@pytest.mark.parametrize("said", [["0::/a"], ["5:cpu:/a", "0::/"]])
def test_without_a_controller_of_memory_there_is_none(said: list[str]) -> None:
    assert own_place(MOUNTS, said) is None
    assert own_place(MOUNTS[:3], ["4:memory:/a"]) is None


def test_the_kernel_kills_what_takes_more_than_its_limit(groups: Groups) -> None:
    status, killed, peak = use(groups, 200 * MIB, 64 * MIB)
    assert (status, killed) == (-signal.SIGKILL, True)
    assert 60 * MIB < peak <= 64 * MIB


def test_what_takes_less_is_left_alone(groups: Groups) -> None:
    status, killed, peak = use(groups, 32 * MIB, 128 * MIB)
    assert (status, killed) == (0, False)
    assert 32 * MIB <= peak < 128 * MIB


def test_what_a_killed_manager_has_left_is_removed_by_the_next(tmp_path: Path) -> None:
    gone, own = tmp_path / "lamina-999999999", tmp_path / f"lamina-{os.getppid()}"
    for place in (gone, own):
        (place / "worker-1").mkdir(parents=True)
    groups = Groups(tmp_path)
    assert not gone.exists()
    assert own.exists()
    assert (tmp_path / f"lamina-{os.getpid()}").exists()
    groups.close()
    assert [each.name for each in tmp_path.iterdir()] == [own.name]


def test_where_none_can_be_made_that_is_an_error(tmp_path: Path) -> None:
    groups = Groups(tmp_path)
    with pytest.raises(OSError, match="memory"):
        groups.make(1, MIB)  # it is no file system of groups
