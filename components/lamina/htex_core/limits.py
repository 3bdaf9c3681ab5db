"""How much memory a task may use, and what is said of one that uses more."""

from typing import Any

from lamina.htex_core.frames import WireTask

__all__ = ["LOOK_PERIOD", "excess", "facts_of_excess", "memory_limit"]

LOOK_PERIOD = 0.25  # seconds between two looks at what a limited task uses
_MIB = 2**20


def memory_limit(wire: WireTask) -> int | None:
    """How many bytes a task may use, together with what it starts; None for any number."""
    options = wire[3]
    limit: int | None = options.get("memory_limit") if options else None
    return limit


def excess(used: int, limit: int) -> str | None:
    """Why a task that was seen to use so many bytes must end; None if it need not."""
    if used <= limit:
        return None
    return (
        f"it used {_in_words(used)} at its peak; its limit is {_in_words(limit)} "
        "(measured by watching /proc)"
    )


def facts_of_excess(used: int, limit: int) -> dict[str, Any]:
    """What goes with it, in numbers: bytes, and who has measured them."""
    return {"peak": used, "limit": limit, "measured": "watchdog"}


def _in_words(size: int) -> str:
    return f"{size / _MIB:.1f} MiB" if size >= _MIB // 10 else f"{size} bytes"
