"""The future of a task: cancelling it stops the task, and its callbacks hold up nobody."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

from lamina.vocabulary import TaskId

__all__ = ["KernelFuture"]

R = TypeVar("R")


class _Owner(Protocol):
    def on_cancelled(self, task: TaskId) -> None: ...

    def call_later(self, job: Callable[[], None]) -> None: ...


class KernelFuture(Future[R]):
    """What the kernel resolves.

    Threads that wait in ``result()`` are woken by whoever resolves it. Done-callbacks run on the
    kernel's own thread for them, or on the thread that adds one when it is done already; so
    a callback that takes long delays other callbacks, and no task.
    """

    _owner: _Owner | None = None
    _task: TaskId | None = None
    _name: str = "a future"

    def bind(self, owner: _Owner, task: TaskId, name: str) -> None:
        """A kernel has taken the task of this future."""
        self._owner, self._task, self._name = owner, task, name

    def ensure_submitted(self) -> None:
        """Submit the task if that has been put off. Called when somebody depends on it."""

    def belongs_to(self, owner: object) -> bool:
        """Whether this kernel has its task."""
        return self._owner is owner

    @property
    def task_id(self) -> TaskId | None:
        """The number of its task within its kernel; None before it is submitted."""
        return self._task

    @property
    def described(self) -> str:
        """What messages call its task."""
        return self._name if self._task is None else f"{self._name} (task {self._task})"

    def cancel(self) -> bool:
        """Cancel at once; the work is stopped as soon as its executor can.

        Returns whether the future is cancelled now: False only if it has a result already.
        """
        with self._condition:
            if self._state != "PENDING":
                return self._state not in ("RUNNING", "FINISHED")
            self._state = "CANCELLED_AND_NOTIFIED"
            for waiter in self._waiters:
                waiter.add_cancelled(self)
            self._condition.notify_all()
        self._invoke_callbacks()
        owner, task = self._owner, self._task
        if owner is not None and task is not None:
            owner.on_cancelled(task)
        return True

    def _invoke_callbacks(self) -> None:
        # Called once, when the future is done and outside its lock. Nothing is appended to the
        # list after that: add_done_callback then calls at once.
        if not self._done_callbacks:  # type: ignore[attr-defined]  # not in the stubs
            return
        run: Callable[[], Any] = super()._invoke_callbacks  # type: ignore[misc]  # nor this
        if self._owner is None:
            run()
        else:
            self._owner.call_later(run)
