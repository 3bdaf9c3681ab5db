"""The future of a task that an endpoint runs."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from lamina.vocabulary import AttemptId

__all__ = ["TaskFuture"]

_R = TypeVar("_R")


class TaskFuture(Future[_R], Generic[_R]):
    """A standard future that knows its task, and can be cancelled while the task runs."""

    def __init__(self, task: AttemptId, drop: Callable[[AttemptId], bool]) -> None:
        super().__init__()
        self.task = task
        """The number by which events name the task."""
        self._drop = drop
        self.begun = False
        """Whether its code has been seen to start."""

    def running(self) -> bool:
        """Whether its code has been seen to start, and it has not ended."""
        return self.begun and not self.done()

    def cancel(self) -> bool:
        """Cancel the task, which is stopped as soon as the executor can; False if it has ended."""
        # Whoever takes the task out of the endpoint's hands settles the future: nobody does twice.
        if not self._drop(self.task):
            return self.cancelled()
        super().cancel()
        self.set_running_or_notify_cancel()
        return True
