"""The future of a task: cancelling it stops the task, and its callbacks hold up nobody."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, ClassVar, Protocol, TypeVar

from lamina.vocabulary import TaskId

__all__ = ["KernelFuture"]

R = TypeVar("R")

_LOG = logging.getLogger(__name__)

_PENDING, _RUNNING, _FINISHED, _CANCELLED = (
    "PENDING",
    "RUNNING",
    "FINISHED",
    "CANCELLED_AND_NOTIFIED",
)
_DONE = frozenset({_FINISHED, _CANCELLED})
_NOBODY: list[Any] = []  # stays empty: whoever would append makes the condition first
_making = threading.Lock()


class _Owner(Protocol):
    def on_cancelled(self, task: TaskId) -> None: ...

    def is_running(self, task: TaskId) -> bool: ...

    def call_later(self, job: Callable[[], None]) -> None: ...


class KernelFuture(Future[R]):
    """What the kernel resolves.

    Threads that wait in ``result()`` are woken by whoever resolves it. Done-callbacks run on the
    kernel's own thread for them, or on the thread that adds one when it is done already; so
    a callback that takes long, or waits for other tasks, delays other callbacks, and no task: what
    tasks depend on is told by ``when_done``.

    The condition, and the lists of those that wait and of callbacks, are made when somebody first
    asks for them. A task that ends before anybody waits for it never has them, which saves two
    thirds of a future's memory and half of its time. Whoever resolves a future and whoever makes
    its condition take one lock, the same for all futures, so that one of the two comes first.
    """

    _state: str = _PENDING
    _result: R | None = None
    _exception: BaseException | None = None
    _waiters: list[Any] = _NOBODY
    _done_callbacks: list[Any] = _NOBODY
    _made: threading.Condition | None = None
    _prompt: list[Callable[[Future[Any]], object]] | None = None
    """What ``when_done`` was given."""

    put_off: ClassVar[bool] = False
    """Whether its task is submitted only when somebody asks for it. The kernel may then hear of
    those that depend on it before it hears of the task itself."""

    _owner: _Owner | None = None
    _task: TaskId | None = None
    _name: str = "a future"
    _remembered: bool = False
    """Whether its result was found, not computed; said by whoever resolves it."""

    def __init__(self) -> None:
        pass  # that of the base class would make what most futures never need

    @property
    def _condition(self) -> threading.Condition:  # type: ignore[override]  # not so in the stubs
        made = self._made
        if made is None:
            with _making:
                made = self._made
                if made is None:
                    self._waiters, self._done_callbacks = [], []
                    made = self._made = threading.Condition()
        return made

    def bind(self, owner: _Owner, task: TaskId, name: str) -> None:
        """A kernel has taken the task of this future."""
        self._owner, self._task, self._name = owner, task, name

    def ensure_submitted(self) -> None:
        """Submit the task if that has been put off. Called when somebody depends on it."""

    def when_done(self, call: Callable[[Future[Any]], object]) -> None:
        """Have something of ours called, which never waits, by whoever resolves it."""
        with self._condition:
            if self._state not in _DONE:
                self._prompt = [*(self._prompt or ()), call]
                return
        call(self)

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

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._state == _CANCELLED

    def done(self) -> bool:
        """Whether it has a result or an exception, or was cancelled."""
        return self._state in _DONE

    def running(self) -> bool:
        """Whether its task's code is known to run; it can be cancelled all the same."""
        owner, task = self._owner, self._task
        return not self.done() and owner is not None and task is not None and owner.is_running(task)

    def set_result(self, result: R) -> None:
        """Resolve it.

        Raises:
            InvalidStateError: It is resolved or cancelled already.
        """
        with _making:
            if self._made is None and self._state == _PENDING:
                self._result = result
                self._state = _FINISHED
                return
        super().set_result(result)

    def set_exception(self, exception: BaseException | None) -> None:
        """Resolve it with an exception.

        Raises:
            InvalidStateError: It is resolved or cancelled already.
        """
        with _making:
            if self._made is None and self._state == _PENDING:
                self._exception = exception
                self._state = _FINISHED
                return
        super().set_exception(exception)

    def result(self, timeout: float | None = None) -> R:
        """Wait for the result.

        Raises:
            TimeoutError: ``timeout`` seconds were not enough.
            Exception: The task's own.
        """
        if self._state == _FINISHED and self._exception is None:
            return self._result  # type: ignore[return-value]  # what was given as one
        return super().result(timeout)

    def cancel(self) -> bool:
        """Cancel at once; the work is stopped as soon as its executor can.

        Returns whether the future is cancelled now: False only if it has a result already.
        """
        with self._condition:
            if self._state != _PENDING:
                return self._state not in (_RUNNING, _FINISHED)
            self._state = _CANCELLED
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
        # lists after that: add_done_callback and when_done then call at once.
        prompt, self._prompt = self._prompt, None
        for call in prompt or ():
            try:
                call(self)
            except Exception:  # a fault of ours must not keep the others from hearing
                _LOG.exception("the end of %s could not be told", self.described)
        if not self._done_callbacks:
            return
        run: Callable[[], Any] = super()._invoke_callbacks  # type: ignore[misc]  # not in the stubs
        if self._owner is None:
            run()
        else:
            self._owner.call_later(run)
