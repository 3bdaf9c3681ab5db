"""What this machine has, for a binder to be told of."""

import os
import platform
from pathlib import Path

from lamina.resources.protocol import NodeFacts

__all__ = ["read_node"]

_ROOT = Path("/")
_DRIVERS = {"cuda": "dev/nvidiactl", "rocm": "dev/kfd", "level_zero": "dev/dri/by-path"}


def read_node(most_workers: int | None = None, *, root: Path = _ROOT) -> NodeFacts:
    """The cores and the memory that may be used here, and which accelerators have drivers.

    A batch job may use less than the machine has: what the provider has asked for on each node,
    in ``LAMINA_CORES_PER_NODE`` and ``LAMINA_MEMORY_PER_NODE`` (bytes), bounds both.
    """
    env = dict(os.environ)
    cores = sorted(os.sched_getaffinity(0))
    memory = [amount for amount in (_installed(root), _allowed(root)) if amount]
    if said := _number(env.get("LAMINA_CORES_PER_NODE")):
        cores = cores[:said]
    if said := _number(env.get("LAMINA_MEMORY_PER_NODE")):
        memory.append(said)
    present = {family for family, path in _DRIVERS.items() if (root / path).exists()}
    if "level_zero" in present and len(present) > 1:
        present.discard("level_zero")  # that one is every graphics card's, not Intel's alone
    return NodeFacts(
        host=platform.node(),
        cores=tuple(cores),
        memory=min(memory, default=0),
        devices=frozenset(present),
        env=env,
        most_workers=most_workers,
    )


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0


def _installed(root: Path) -> int:
    try:
        for line in (root / "proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemTotal:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return 0


def _allowed(root: Path) -> int:
    """The least limit of the control groups that this process is in."""
    try:
        line = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()[-1]
    except (OSError, IndexError):
        return 0
    group = root / "sys/fs/cgroup" / line.rpartition(":")[2].lstrip("/")
    limits = []
    for folder in (group, *group.parents):
        try:
            limits.append(_number((folder / "memory.max").read_text(encoding="ascii").strip()))
        except OSError:
            continue
    return min(filter(None, limits), default=0)
