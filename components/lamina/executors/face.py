"""The ``concurrent.futures`` face of an executor, built on launch, cancel and close alone."""

import itertools
import shutil
import tempfile
import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor as FuturesPool
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from lamina.executors.protocol import (
    AlreadyStartedError,
    Call,
    News,
    NotStartedError,
    Outcome,
    Report,
    Site,
    Started,
    TaskRequest,
)
from lamina.vocabulary import AttemptId

__all__ = ["PoolFace"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

# High, so that they differ from those of a kernel that uses the same executor.
_attempts = itertools.count(1 << 48)
_making = threading.Lock()


class PoolFace(FuturesPool):
    """Makes whatever has ``start``, ``launch``, ``cancel`` and ``close`` a standard pool.

    ``submit`` starts the executor in a temporary directory unless it runs already; ``shutdown``
    closes it if ``submit`` started it. As in the standard library, ``Future.cancel`` says no to
    a task that runs. Inherit from it and write the four methods; nothing else is needed.
    """

    @property
    def label(self) -> str:
        """Its name."""
        raise NotImplementedError

    def start(self, site: Site) -> None:
        """Begin to run."""
        raise NotImplementedError

    def launch(self, tasks: Sequence[TaskRequest], report: Report) -> None:
        """Take attempts."""
        raise NotImplementedError

    def cancel(self, attempts: Collection[AttemptId]) -> None:
        """Stop these attempts."""
        raise NotImplementedError

    def close(self, timeout: float | None = None) -> None:
        """Stop everything."""
        raise NotImplementedError

    def submit(self, fn: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_R]:
        """Run a call; the future has its value, or the error that ended it.

        Raises:
            RuntimeError: It was shut down.
        """
        future: Future[_R] = _face_of(self).submit(Call(fn, args, kwargs), fn)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; end when those taken have ended, and with ``wait`` not before."""
        _face_of(self).shutdown(wait, cancel_futures)


class _FaceFuture(Future[Any]):
    """A future whose cancellation reaches the executor."""

    def __init__(self, face: "_Face", attempt: AttemptId) -> None:
        super().__init__()
        self._face, self._attempt = face, attempt
        self.begun = False
        self.dropped = False

    def cancel(self) -> bool:
        """Cancel the call unless it runs or has ended."""
        with self._face.lock:
            if self.begun:
                return self.cancelled()
            first, self.dropped = not self.dropped, True
        if first:
            super().cancel()
            self.set_running_or_notify_cancel()
            self._face.forget(self._attempt)
        return True


class _Face:
    """What the face of one executor remembers."""

    def __init__(self, owner: PoolFace) -> None:
        self.owner = owner
        self.lock = threading.Lock()
        self._futures: dict[AttemptId, _FaceFuture] = {}
        self._starting = threading.Lock()
        self._shut = False
        self._own_dir: Path | None = None

    def submit(self, call: Call, fn: Callable[..., Any]) -> _FaceFuture:
        attempt = AttemptId(next(_attempts))
        future = _FaceFuture(self, attempt)
        task = TaskRequest(attempt, call, name=getattr(fn, "__qualname__", type(fn).__qualname__))
        with self.lock:
            if self._shut:
                msg = f"executor {self.owner.label!r} was shut down and takes no more calls"
                raise RuntimeError(msg)
            self._futures[attempt] = future
        try:
            try:
                self.owner.launch([task], self.take)
            except NotStartedError:
                self._start()
                self.owner.launch([task], self.take)
        except BaseException:
            with self.lock:
                self._futures.pop(attempt, None)
            raise
        return future

    def _start(self) -> None:
        with self._starting:
            if self._own_dir is not None:
                return
            directory = Path(tempfile.mkdtemp(prefix=f"{self.owner.label}-"))
            try:
                self.owner.start(Site(run_dir=directory))
            except AlreadyStartedError:  # somebody else was quicker, and will close it as well
                shutil.rmtree(directory, ignore_errors=True)
            except BaseException:
                shutil.rmtree(directory, ignore_errors=True)
                raise
            else:
                self._own_dir = directory

    def take(self, news: Sequence[News]) -> None:
        """Resolve futures; the report of all attempts of this face."""
        for item in news:
            with self.lock:
                ended = isinstance(item, Outcome)
                future = self._futures.get(item.attempt)
                if ended:
                    self._futures.pop(item.attempt, None)
                if future is None or future.dropped:
                    continue
                first, future.begun = not future.begun, True
            if isinstance(item, Started):
                if first:
                    future.set_running_or_notify_cancel()
            elif item.failure is not None:
                future.set_exception(item.failure.error)
            else:
                future.set_result(item.value)

    def forget(self, attempt: AttemptId) -> None:
        """Nobody wants this attempt any more."""
        with self.lock:
            self._futures.pop(attempt, None)
        self.owner.cancel([attempt])

    def shutdown(self, wait_for_all: bool, cancel_futures: bool) -> None:
        with self.lock:
            first, self._shut = not self._shut, True
            left = list(self._futures.values())
        if cancel_futures:
            for future in left:
                future.cancel()
        if wait_for_all:
            wait(left)
            self._end()
        elif first and left:
            threading.Thread(
                target=self._end_after, args=(left,), name=f"{self.owner.label}-shutdown"
            ).start()
        elif not left:
            self._end()

    def _end_after(self, left: Sequence[_FaceFuture]) -> None:
        wait(left)
        self._end()

    def _end(self) -> None:
        with self._starting:
            directory, self._own_dir = self._own_dir, None
            if directory is None:
                return
            try:
                self.owner.close()
            finally:
                shutil.rmtree(directory, ignore_errors=True)


def _face_of(owner: PoolFace) -> _Face:
    """The face of this very object: a copy made by ``copy.copy`` gets one of its own."""
    face: _Face | None = vars(owner).get("_pool_face")
    if face is None or face.owner is not owner:
        with _making:
            face = vars(owner).get("_pool_face")
            if face is None or face.owner is not owner:
                face = _Face(owner)
                vars(owner)["_pool_face"] = face
    return face
