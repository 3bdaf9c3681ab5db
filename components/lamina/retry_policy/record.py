"""What a ``retry_handler`` is told of the task: a small view that nothing can be written to."""

from collections.abc import Iterator, Mapping
from typing import Any

from lamina.retry_policy.protocol import Trouble

__all__ = ["TaskRecord"]

_KEYS = (
    "id", "func_name", "try_id", "fail_count", "fail_cost", "fail_history", "executor",
    "resource_specification",
)  # fmt: skip


class TaskRecord(Mapping[str, Any]):
    """The task of a failed attempt, under the keys that users of such handlers know.

    ``record["fail_count"]`` and ``record.fail_count`` are the same. ``trouble`` has all else
    that is known, as the failure's cause and node. A decision is made by the cost that is
    returned, so the record cannot be changed.
    """

    __slots__ = ("trouble",)

    def __init__(self, trouble: Trouble) -> None:
        self.trouble = trouble

    @property
    def id(self) -> int | None:
        """The task's number within its kernel."""
        return self.trouble.id

    @property
    def func_name(self) -> str:
        """The name of its app."""
        return self.trouble.name or self.trouble.task

    @property
    def try_id(self) -> int:
        """The number of the attempt that failed, from 0."""
        return len(self.trouble.history) - 1

    @property
    def fail_count(self) -> int:
        """How many attempts have failed, this one included."""
        return len(self.trouble.history)

    @property
    def fail_cost(self) -> float:
        """What the failures before this one have cost."""
        return self.trouble.spent

    @property
    def fail_history(self) -> list[str]:
        """The exceptions of all failed attempts as text, oldest first."""
        return [repr(failure.error) for failure in self.trouble.history]

    @property
    def executor(self) -> str:
        """The label of the executor that it failed on."""
        return self.trouble.executor

    @property
    def resource_specification(self) -> dict[str, Any]:
        """What it asked for; what it left open is not there. Memory is in bytes."""
        asked = self.trouble.resources
        names = ("cores", "memory", "accelerators", "nodes", "ranks")
        found = {name: getattr(asked, name) for name in names} if asked is not None else {}
        return {name: amount for name, amount in found.items() if amount}

    def __getitem__(self, key: str) -> Any:
        if key not in _KEYS:
            msg = f"a task record has no {key!r}; it has {', '.join(_KEYS)}"
            raise KeyError(msg)
        return getattr(self, key)

    def __iter__(self) -> Iterator[str]:
        return iter(_KEYS)

    def __len__(self) -> int:
        return len(_KEYS)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self)!r})"
