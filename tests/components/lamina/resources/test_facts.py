import os
import platform
from pathlib import Path

import pytest

from lamina.resources import read_node


def machine(root: Path, *devices: str, limit: str = "max") -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text("MemTotal:  2048 kB\nMemFree: 1 kB\n", encoding="ascii")
    (root / "proc/self/cgroup").write_text("0::/job/step\n", encoding="ascii")
    (root / "sys/fs/cgroup/job/step").mkdir(parents=True)
    (root / "sys/fs/cgroup/job/memory.max").write_text(f"{limit}\n", encoding="ascii")
    for device in devices:
        path = root / "dev" / device
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def test_it_finds_the_cores_of_this_process_and_its_host() -> None:
    facts = read_node(3)
    assert facts.cores == tuple(sorted(os.sched_getaffinity(0)))
    assert facts.host == platform.node()
    assert facts.most_workers == 3
    assert facts.memory > 2**20
    assert facts.env["PATH"] == os.environ["PATH"]


def test_memory_is_what_is_installed_or_what_is_allowed(tmp_path: Path) -> None:
    assert read_node(root=machine(tmp_path / "free")).memory == 2048 * 1024
    assert read_node(root=machine(tmp_path / "bound", limit="4096")).memory == 4096


def test_nobody_can_tell_where_there_is_nothing_to_read(tmp_path: Path) -> None:
    facts = read_node(root=tmp_path)
    assert (facts.memory, facts.devices) == (0, frozenset())


def test_the_provider_has_asked_for_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMINA_CORES_PER_NODE", "1")
    monkeypatch.setenv("LAMINA_MEMORY_PER_NODE", "1000")
    facts = read_node(root=machine(tmp_path))
    assert facts.cores == (min(os.sched_getaffinity(0)),)
    assert facts.memory == 1000


@pytest.mark.parametrize(
    "devices,families",
    [
        ([], set()),
        (["nvidiactl", "dri/by-path"], {"cuda"}),
        (["kfd", "dri/by-path"], {"rocm"}),
        (["dri/by-path"], {"level_zero"}),
    ],
)
def test_drivers_tell_the_family(tmp_path: Path, devices: list[str], families: set[str]) -> None:
    assert read_node(root=machine(tmp_path, *devices)).devices == families
