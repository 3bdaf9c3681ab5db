"""How much memory a task may use, and what is said of one that uses more."""

from typing import Any

from lamina.htex_core.frames import WireTask

__all__ = [
    "LOOK_PERIOD",
    "excess",
    "facts_of_excess",
    "killed_by_kernel",
    "memory_limit",
    "out_of_memory",
]

LOOK_PERIOD = 0.25  # seconds between two looks at what a limited task uses
_MIB = 2**20


def memory_limit(wire: WireTask) -> int | None:
    """How many bytes a task may use, together with what it starts; None for any number."""
    options = wire[3]
    limit: int | None = options.get("memory_limit") if options else None
    return limit


def excess(used: int, limit: int) -> str | None:
    """Why a task that was seen to use so many bytes must end; None if it need not."""
    return None if used <= limit else f"{_figures(used, limit)} (measured by watching /proc)"


def killed_by_kernel(peak: int, limit: int) -> str:
    """What is said of a task of which the kernel has killed a process, for its memory."""
    return f"{_figures(peak, limit)} (the kernel killed it, measured by the worker's cgroup)"


def facts_of_excess(used: int, limit: int, measured: str = "watchdog") -> dict[str, Any]:
    """What goes with it, in numbers: bytes, and who has measured them."""
    return {"peak": used, "limit": limit, "measured": measured}


def out_of_memory(peak: int, limit: int, worker: int) -> dict[str, Any]:
    """The facts of a task whose process the kernel has killed, while its worker lives on."""
    return {
        "cause": "out_of_memory",
        "reason": killed_by_kernel(peak, limit),
        "started": "yes",
        "worker": str(worker),
        **facts_of_excess(peak, limit, "cgroup"),
    }


def _figures(used: int, limit: int) -> str:
    return f"it used {_in_words(used)} at its peak; its limit is {_in_words(limit)}"


def _in_words(size: int) -> str:
    return f"{size / _MIB:.1f} MiB" if size >= _MIB // 10 else f"{size} bytes"
