"""What a call of an app gives back, and what stands for each file that it will write."""

import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future, InvalidStateError
from typing import Any, ClassVar, TypeVar

from lamina.app_bodies import FutureStub, inside_task
from lamina.kernel import Kernel, KernelFuture, TaskOptions, TaskSpec
from lamina.vocabulary import (
    DependencyError,
    File,
    KernelClosedError,
    TaskId,
    TaskState,
    WaitInsideTaskError,
)

__all__ = ["AppFuture", "DataFuture", "DerivedFuture", "StreamSpec"]

R = TypeVar("R")

StreamSpec = str | tuple[str, str] | None

_INLINE = TaskOptions(inline=True)
_starting = threading.Lock()


class _UserFuture(Future[R]):
    """Waiting as our users may do it: awaited as well, and never by a task for another task."""

    def result(self, timeout: float | None = None) -> R:
        """Wait for the result; that of a DataFuture is its File, once it is written.

        Raises:
            WaitInsideTaskError: The caller is itself a task or a join body, and it is not done.
            TimeoutError: ``timeout`` seconds were not enough.
            Exception: The task's own.
        """
        if inside_task():
            _refuse_to_wait(self)
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the end, and give the exception if there was one.

        Raises:
            WaitInsideTaskError: The caller is itself a task or a join body, and it is not done.
            TimeoutError: ``timeout`` seconds were not enough.
        """
        if inside_task():
            _refuse_to_wait(self)
        return super().exception(timeout)

    def __await__(self) -> Generator[Any, None, R]:
        if inside_task():
            _refuse_to_wait(self)
        import asyncio  # late: whoever awaits has it already, and others have no use for it

        return asyncio.wrap_future(self).__await__()

    def __reduce__(self) -> tuple[type[FutureStub], tuple[str]]:
        return FutureStub, (_description_of(self),)


def _refuse_to_wait(future: _UserFuture[Any]) -> None:
    if not future.done():
        raise WaitInsideTaskError(_description_of(future))


def _description_of(future: _UserFuture[Any]) -> str:
    assert isinstance(future, AppFuture | DataFuture)
    return future.described


class AppFuture(_UserFuture[R], KernelFuture[R]):
    """The result that a call of an app will have.

    A real ``concurrent.futures.Future`` that can be awaited as well. ``future[key]`` and
    ``future.name`` give the future of a part of the result; nothing is submitted for it before
    somebody waits for it or passes it on. Names that begin with ``_``, and those that this class
    has itself, are not names of parts.
    """

    _kernel: Kernel | None = None
    _outputs: "tuple[DataFuture, ...]" = ()
    _streams: "tuple[StreamSpec | DataFuture, StreamSpec | DataFuture]" = (None, None)

    @property
    def tid(self) -> TaskId | None:
        """The number of its task within its kernel."""
        return self.task_id

    @property
    def outputs(self) -> "list[DataFuture]":
        """A future for each file of ``outputs``."""
        return list(self._outputs)

    @property
    def stdout(self) -> "StreamSpec | DataFuture":
        """Where its stdout goes; a DataFuture if that was given as a File."""
        return self._streams[0]

    @property
    def stderr(self) -> "StreamSpec | DataFuture":
        """Where its stderr goes; a DataFuture if that was given as a File."""
        return self._streams[1]

    def task_status(self) -> str:
        """Where its task stands, in a word."""
        kernel, task = self._kernel, self.task_id
        state = None if kernel is None or task is None else kernel.state(task)
        return str(self._final_state() if state is None else state)

    def _final_state(self) -> TaskState:
        if not self.done():
            return TaskState.PENDING
        if self.cancelled():
            return TaskState.CANCELLED
        error = super().exception(0)
        if error is None:
            return TaskState.MEMO_DONE if self._remembered else TaskState.EXEC_DONE
        return TaskState.DEP_FAIL if isinstance(error, DependencyError) else TaskState.FAILED

    def __getitem__(self, key: Any) -> "AppFuture[Any]":
        return DerivedFuture(self, _item, key, f"{self._name}[{key!r:.40}]")

    def __getattr__(self, name: str) -> "AppFuture[Any]":
        # Only names that are not there come here.
        if name.startswith("_"):
            msg = f"{type(self).__name__!r} object has no attribute {name!r}"
            raise AttributeError(msg)
        return DerivedFuture(self, getattr, name, f"{self._name}.{name}")

    # With __getitem__ alone, Python would try to count through it for ever.
    __iter__ = None


def _item(value: Any, key: Any) -> Any:
    return value[key]


class DerivedFuture(AppFuture[Any]):
    """A part of the result of another future; submitted when somebody first cares."""

    put_off: ClassVar[bool] = True

    def __init__(
        self, parent: AppFuture[Any], take: Callable[[Any, Any], Any], key: Any, name: str
    ) -> None:
        super().__init__()
        self._submitted = False
        self._kernel, self._name = parent._kernel, name
        self._parent: AppFuture[Any] | None = parent
        self._take, self._key = take, key

    # Everybody who waits for a future, asks for its state or adds a callback takes this lock
    # first, concurrent.futures.wait and as_completed included: so this is where it is noticed.
    @property
    def _condition(self) -> threading.Condition:  # type: ignore[override]  # not so in the stubs
        if not self._submitted:
            self.ensure_submitted()
        return super()._condition

    def done(self) -> bool:
        """Whether it has ended; asking is caring."""
        self.ensure_submitted()
        return super().done()

    def ensure_submitted(self) -> None:
        """Submit it, unless that has been done."""
        with _starting:
            if self._submitted:
                return
            self._submitted = True
            parent, self._parent = self._parent, None
        assert parent is not None
        if self._kernel is None:
            self._take_now(parent)
            return
        spec = TaskSpec(
            function=self._take,
            args=(parent, self._key),
            future=self,
            name=self._name,
            options=_INLINE,
        )
        try:
            self._kernel.submit(spec)
        except KernelClosedError:  # which has resolved the parent
            self._take_now(parent)
        except Exception as error:  # a key that holds a future, say: whoever waits must hear it
            self.set_exception(error)

    def _take_now(self, parent: AppFuture[Any]) -> None:
        try:
            self.set_result(self._take(Future.result(parent, 0), self._key))
        except BaseException as error:  # a cancelled parent, too
            self.set_exception(error)

    def cancel(self) -> bool:
        """Cancel it; nothing is submitted for it any more."""
        with _starting:
            self._submitted = True
            self._parent = None
        return super().cancel()

    def __repr__(self) -> str:
        if self._submitted:
            return super().__repr__()
        return f"<{type(self).__name__} {self._name}, not submitted yet>"


class DataFuture(_UserFuture[File], KernelFuture[File]):
    """A file that a task will write: its result is the File, or the task's exception.

    Passed to another app it is a dependency, and arrives as the File.
    """

    def __init__(self, parent: KernelFuture[Any], file: File) -> None:
        super().__init__()
        self._task_of: KernelFuture[Any] | None = parent
        self._tid: TaskId | None = None
        self._file = file
        self._name = parent.described

    def follow(self) -> None:
        """The parent has been submitted: end as it ends."""
        if self._task_of is not None:
            parent = self._task_of
            self._owner, self._tid, self._name = parent._owner, parent.task_id, parent.described
            parent.when_done(self._parent_done)

    @property
    def file_obj(self) -> File:
        """The File, whether it has been written or not."""
        return self._file

    @property
    def filepath(self) -> str:
        """Where the file can be opened on this machine."""
        return self._file.filepath

    @property
    def filename(self) -> str:
        """The last part of its path."""
        return self._file.filename

    @property
    def tid(self) -> TaskId | None:
        """The number of the task that writes it."""
        return self._tid

    @property
    def described(self) -> str:
        """What messages call it."""
        return f"the file {self._file.url} of {self._name}"

    def _parent_done(self, parent: Future[Any]) -> None:
        self._task_of = None
        try:
            if parent.cancelled():
                KernelFuture.cancel(self)
            elif error := Future.exception(parent, 0):
                self.set_exception(error)
            else:
                self.set_result(self._file)
        except InvalidStateError:
            pass  # it was cancelled itself

    def cancel(self) -> bool:
        """Cancel the task that writes it, with all its other outputs."""
        parent = self._task_of
        if parent is None:
            return super().cancel()
        return parent.cancel()
