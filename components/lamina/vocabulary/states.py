"""The states of a task, one by one, with the names that users of this field know."""

import enum

__all__ = ["FINAL_STATES", "TaskState"]


class TaskState(enum.Enum):
    """Where a task stands. ``str()`` gives the name that ``task_status()`` has always given."""

    PENDING = "pending"
    """It waits for the futures in its arguments."""

    STAGING_IN = "staging_in"
    """Files are being brought to where it is to run, by tasks of their own."""

    LAUNCHED = "launched"
    """An executor has it; its user code has not been seen to start."""

    RUNNING = "running"
    """Its user code has started, as far as the executor tells."""

    JOINING = "joining"
    """Its body has returned futures, and it waits for them."""

    STAGING_OUT = "staging_out"
    """It has run, and its outputs are being taken away, by tasks of their own."""

    DELAYED = "delayed"
    """An attempt failed, and the retry policy wants to wait before the next."""

    EXEC_DONE = "exec_done"
    """It ran and has a result."""

    MEMO_DONE = "memo_done"
    """Its result came from the memo, or from an identical call that was in flight."""

    FAILED = "failed"
    """Its last attempt failed and the retry policy gave up."""

    DEP_FAIL = "dep_fail"
    """Something in its arguments failed, so it never ran."""

    CANCELLED = "cancelled"
    """Somebody cancelled it."""

    def __str__(self) -> str:
        return self.value

    @property
    def final(self) -> bool:
        """Whether the task will never change again."""
        return self in FINAL_STATES


FINAL_STATES = frozenset(
    {
        TaskState.EXEC_DONE,
        TaskState.MEMO_DONE,
        TaskState.FAILED,
        TaskState.DEP_FAIL,
        TaskState.CANCELLED,
    }
)
