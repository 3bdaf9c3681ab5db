"""The ``concurrent.futures`` face of an executor, built on launch, cancel and close alone."""

import itertools
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Executor as FuturesPool
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from lamina.executors.exits import interpreter_ends, watch
from lamina.executors.protocol import (
    AlreadyStartedError,
    BrokenPool,
    Call,
    Capabilities,
    News,
    NotStartedError,
    Outcome,
    Report,
    Site,
    Started,
    TaskRequest,
)
from lamina.vocabulary import AttemptId, ExecutorLost, HasStarted

__all__ = ["PoolFace"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

# High, so that they differ from those of a kernel that uses the same executor.
_attempts = itertools.count(1 << 48)
_making = threading.Lock()


class PoolFace(FuturesPool):
    """Makes whatever has ``start``, ``launch``, ``cancel`` and ``close`` a standard pool.

    ``submit`` starts the executor in a temporary directory unless it runs already; ``shutdown``
    closes it if ``submit`` started it, and so does dropping the last reference to it and to the
    futures that are pending. As in the standard library, ``Future.cancel`` says no to a task
    that runs, and the interpreter does not end before the calls taken have ended. An executor
    that is lost is a ``BrokenExecutor``. Inherit from it and write what raises
    ``NotImplementedError`` here; nothing else is needed.
    """

    @property
    def label(self) -> str:
        """Its name."""
        raise NotImplementedError

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
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
            BrokenExecutor: It was lost, and says why; a copy of it may do better.
            RuntimeError: It was shut down, or the interpreter ends.
        """
        future: Future[_R] = _face_of(self).submit(self, Call(fn, args, kwargs), fn)
        return future

    def map(
        self,
        fn: Callable[..., _R],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        **options: Any,
    ) -> Iterator[_R]:
        """Call ``fn`` with the items of the iterables, and give the results in that order.

        Where tasks have processes of their own, ``chunksize`` calls travel as one, which pays
        when they are short. ``options`` are those of ``concurrent.futures.Executor.map`` that
        this interpreter has besides.

        Raises:
            ValueError: ``chunksize`` is less than 1.
            TimeoutError: A result was not there within ``timeout`` seconds of this call.
        """
        if chunksize < 1:
            msg = f"chunksize is {chunksize!r}; it must be 1 or more"
            raise ValueError(msg)
        if chunksize == 1 or not self.capabilities.own_processes:
            return super().map(fn, *iterables, timeout=timeout, **options)
        chunks = _chunks(zip(*iterables, strict=False), chunksize)
        calls = itertools.repeat(fn)
        return _one_by_one(super().map(_call_each, calls, chunks, timeout=timeout, **options))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; end when those taken have ended, and with ``wait`` not before."""
        _face_of(self).shutdown(self, wait, cancel_futures)

    def __del__(self) -> None:
        # Whoever collects it may hold any lock and be any thread: the work is another's.
        face: _Face | None = vars(self).get("_pool_face")
        if face is not None and face.is_to_be_ended(self):
            _on_a_thread(face.end, self)


class _FaceFuture(Future[Any]):
    """A future whose cancellation reaches the executor, and which keeps it while it is pending."""

    def __init__(self, face: "_Face", owner: PoolFace, attempt: AttemptId) -> None:
        super().__init__()
        self._face, self._attempt = face, attempt
        self.owner: PoolFace | None = owner
        self.begun = False
        self.dropped = False

    def cancel(self) -> bool:
        """Cancel the call unless it runs or has ended."""
        with self._face.lock:
            if self.begun:
                return self.cancelled()
            first, self.dropped = not self.dropped, True
            owner, self.owner = self.owner, None
        if first:
            super().cancel()
            self.set_running_or_notify_cancel()
            if owner is not None:
                self._face.forget(owner, self._attempt)
        return True

    def withdraw(self) -> None:
        """The executor has not taken the call; whoever waits for all calls has heard of it."""
        with self._face.lock:
            if self.begun or self.dropped:
                return
            self.dropped, self.owner = True, None
        super().cancel()
        self.set_running_or_notify_cancel()


class _Face:
    """What the face of one executor remembers.

    It does not keep the executor alive, pending futures do: one that everybody has dropped is
    to be collected, and closed.
    """

    def __init__(self, owner: PoolFace) -> None:
        self.label = owner.label
        self.lock = threading.Lock()
        self._owner = weakref.ref(owner)
        self._futures: dict[AttemptId, _FaceFuture] = {}
        self._starting = threading.Lock()
        self._shut = False
        self._broken: BrokenPool | None = None
        self._own_dir: Path | None = None
        watch(self)

    def is_of(self, owner: PoolFace) -> bool:
        return self._owner() is owner

    def is_to_be_ended(self, owner: PoolFace) -> bool:
        """Whether this executor, which is being collected, was started here and not ended."""
        # Its weak reference may be dead by then, or not yet; that of a copy's face is neither.
        now = self._owner()
        return self._own_dir is not None and (now is None or now is owner)

    def submit(self, owner: PoolFace, call: Call, fn: Callable[..., Any]) -> _FaceFuture:
        attempt = AttemptId(next(_attempts))
        future = _FaceFuture(self, owner, attempt)
        task = TaskRequest(attempt, call, name=getattr(fn, "__qualname__", type(fn).__qualname__))
        with self.lock:
            if interpreter_ends():
                msg = "cannot schedule new futures: the interpreter ends"
                raise RuntimeError(msg)
            if self._shut:
                msg = f"cannot schedule new futures: executor {self.label!r} was shut down"
                raise RuntimeError(msg)
            if self._broken is not None and self._own_dir is not None:
                raise BrokenPool(self._broken.reason, HasStarted.NO) from self._broken
            self._futures[attempt] = future
        try:
            try:
                owner.launch([task], self.take)
            except NotStartedError:
                self._start(owner)
                owner.launch([task], self.take)
        except BaseException:  # passed on; but the shutdown must not wait for this future
            with self.lock:
                self._futures.pop(attempt, None)
            future.withdraw()
            raise
        return future

    def _start(self, owner: PoolFace) -> None:
        with self._starting:
            if self._own_dir is not None:
                return
            directory = Path(tempfile.mkdtemp(prefix=f"{self.label}-"))
            try:
                owner.start(Site(run_dir=directory))
            except AlreadyStartedError:  # somebody else was quicker, and will close it as well
                shutil.rmtree(directory, ignore_errors=True)
            except BaseException:  # passed on, without leaving a directory behind
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
                continue
            if item.failure is not None:
                future.set_exception(self._in_their_words(item.failure.error))
            else:
                future.set_result(item.value)
            future.owner = None

    def _in_their_words(self, error: BaseException) -> BaseException:
        """What the standard library would call it; a lost executor takes no more calls."""
        if not isinstance(error, ExecutorLost):
            return error
        if isinstance(error, BrokenPool):
            broken = error
        else:
            broken = BrokenPool(error.reason, error.started)
            broken.__cause__ = error
        with self.lock:
            self._broken = broken
        return broken

    def forget(self, owner: PoolFace, attempt: AttemptId) -> None:
        """Nobody wants this attempt any more."""
        with self.lock:
            self._futures.pop(attempt, None)
        owner.cancel([attempt])

    def refuse(self) -> None:
        """Take no more calls."""
        with self.lock:
            self._shut = True

    def finish(self) -> None:
        """The interpreter ends: wait for what was taken."""
        if (owner := self._owner()) is not None:
            self.shutdown(owner, wait_for_all=True, cancel_futures=False)

    def shutdown(self, owner: PoolFace, wait_for_all: bool, cancel_futures: bool) -> None:
        with self.lock:
            first, self._shut = not self._shut, True
            left = list(self._futures.values())
        if cancel_futures:
            for future in left:
                future.cancel()
        if wait_for_all:
            wait(left)
            self.end(owner)
        elif first and left:
            _on_a_thread(self._end_after, owner, left)
        elif not left:
            self.end(owner)

    def _end_after(self, owner: PoolFace, left: Sequence[_FaceFuture]) -> None:
        wait(left)
        self.end(owner)

    def end(self, owner: PoolFace) -> None:
        """Close the executor, if it was started here."""
        with self._starting:
            directory, self._own_dir = self._own_dir, None
            if directory is None:
                return
            try:
                owner.close()
            finally:
                shutil.rmtree(directory, ignore_errors=True)


def _face_of(owner: PoolFace) -> _Face:
    """The face of this very object: a copy made by ``copy.copy`` gets one of its own."""
    face: _Face | None = vars(owner).get("_pool_face")
    if face is None or not face.is_of(owner):
        with _making:
            face = vars(owner).get("_pool_face")
            if face is None or not face.is_of(owner):
                face = _Face(owner)
                vars(owner)["_pool_face"] = face
    return face


def _on_a_thread(work: Callable[..., None], owner: PoolFace, *args: Any) -> None:
    name = f"{owner.label}-shutdown"
    try:
        threading.Thread(target=work, args=(owner, *args), name=name).start()
    except RuntimeError:
        pass  # the interpreter ends, and took what is left with it


def _chunks(calls: Iterable[tuple[Any, ...]], size: int) -> Iterator[list[tuple[Any, ...]]]:
    calls = iter(calls)
    while chunk := list(itertools.islice(calls, size)):
        yield chunk


def _call_each(fn: Callable[..., _R], calls: Sequence[tuple[Any, ...]]) -> list[_R]:
    return [fn(*args) for args in calls]


def _one_by_one(chunks: Iterator[list[_R]]) -> Iterator[_R]:
    for chunk in chunks:
        chunk.reverse()
        while chunk:
            yield chunk.pop()  # kept by nobody here once it is given
