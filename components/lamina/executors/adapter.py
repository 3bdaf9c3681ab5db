"""Any pool of the standard library's kind, as one of our executors."""

import os
import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Future, ProcessPoolExecutor
from concurrent.futures import Executor as FuturesPool
from functools import partial
from typing import Any

import attrs

from lamina.executors.calls import (
    cancelled,
    closed,
    expired,
    failed,
    raised,
    refusal,
    run_call,
    tell,
    warn_if_running,
)
from lamina.executors.deadlines import Deadlines
from lamina.executors.packing import PackedEnd, end_of, packed, packed_end
from lamina.executors.protocol import (
    Call,
    Capabilities,
    Load,
    NotStartedError,
    Outcome,
    Payload,
    Report,
    Site,
    TaskRequest,
    data_access,
)
from lamina.executors.runs import OneRun
from lamina.vocabulary import (
    AttemptId,
    ExecutorLost,
    HasStarted,
    SerializationError,
    SystemClock,
    TaskError,
    WorkerLost,
)

__all__ = ["ForeignExecutor"]

_MOST_BREAKS = 10  # pools in a row that broke before any task had ended in them
_LOOKS = 20  # within a walltime, whether the task has begun: so late it may end at the most
_LEAST_PAUSE = 0.05  # seconds between two looks


@attrs.define(eq=False)
class _Job:
    task: TaskRequest
    report: Report
    future: "Future[Any] | None" = None
    seen: float | None = None
    """When it was first seen to run, where that is looked for."""


class ForeignExecutor:
    """Runs tasks on a pool that has ``submit`` and ``shutdown`` of ``concurrent.futures``.

    The pool is made by ``make_pool`` at the start and shut down at the end. One that breaks
    fails every task that it holds, with cause WORKER_LOST, and is replaced when the next task
    comes; after ten in a row that broke before any task had ended it gives up, with cause
    EXECUTOR_LOST.

    Such pools start tasks in the order they came, say nothing when one starts, and stop none.
    So ``priority`` is ignored; ``env`` and ``memory_limit`` are refused; a walltime counts from
    the moment the task is seen to have left the pool's queue, as far as ``Future.running`` tells,
    which is looked for twenty times within it; and an expired or cancelled task that runs goes on
    with nobody listening.

    Args:
        make_pool: Makes the pool, such as ``ProcessPoolExecutor`` or a ``partial`` of it.
        label: Its name.
        slots: Tasks that the pool runs at once, for routers.
        own_processes: Whether the pool's tasks run outside this process. Their calls are then
            pickled by a codec of ours; so are those for a ``ProcessPoolExecutor``.
        storage_access: Staging plug-ins for its tasks' files; None for those of the kernel.
        working_dir: A directory for copies of files; None for one beside the run directory.
        shared_file_system: Whether its tasks see the program's files at the same paths.
    """

    def __init__(
        self,
        make_pool: Callable[[], FuturesPool],
        label: str = "foreign",
        *,
        slots: int = 1,
        own_processes: bool = False,
        storage_access: Sequence[object] | None = None,
        working_dir: str | os.PathLike[str] | None = None,
        shared_file_system: bool = True,
    ) -> None:
        self._make_pool = make_pool
        self._label = label
        self._slots = slots
        self._own_processes = own_processes
        self._storage_access, self._working_dir = storage_access, working_dir
        self._shared = shared_file_system
        self._run: OneRun[_Run] = OneRun(label)

    @property
    def label(self) -> str:
        """Its name, unique within a kernel."""
        return self._label

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return Capabilities(
            stops_running_tasks=False,
            own_processes=self._own_processes,
            shared_file_system=self._shared,
            **data_access(self._storage_access, self._working_dir),
        )

    def __copy__(self) -> "ForeignExecutor":
        return ForeignExecutor(
            self._make_pool,
            self._label,
            slots=self._slots,
            own_processes=self._own_processes,
            storage_access=self._storage_access,
            working_dir=self._working_dir,
            shared_file_system=self._shared,
        )

    def start(self, site: Site) -> None:
        """Make the pool.

        Raises:
            AlreadyStartedError: It runs already.
        """
        lacks = (
            "it does not control the pool's processes"
            if self._own_processes
            else "its tasks share one process"
        )
        self._run.begin(
            lambda: _Run(self._label, self._make_pool, site, lacks, self._own_processes)
        )

    def launch(self, tasks: Sequence[TaskRequest], report: Report) -> None:
        """Take attempts, each of which is reported exactly once.

        Raises:
            NotStartedError: It does not run.
        """
        self._run.get().launch(tasks, report)

    def cancel(self, attempts: Collection[AttemptId]) -> None:
        """Fail these attempts at once; those that run go on with nobody listening."""
        if (run := self._run.current) is not None:
            run.cancel(attempts)

    def load(self) -> Load:
        """How busy it is."""
        run = self._run.current
        return Load(0, 0) if run is None else Load(run.outstanding, self._slots)

    def close(self, timeout: float | None = None) -> None:
        """Fail whatever is left and shut the pool down, without waiting for what runs."""
        if (run := self._run.end()) is not None:
            run.close()


class _Run:
    """One run of the executor. Whoever takes a job out of ``_jobs`` reports its outcome."""

    def __init__(
        self,
        label: str,
        make_pool: Callable[[], FuturesPool],
        site: Site,
        lacks: str,
        own_processes: bool,
    ) -> None:
        self.label = label
        self._make_pool, self._site, self._lacks = make_pool, site, lacks
        self._clock = site.clock
        self._pool = make_pool()
        self._packs = own_processes or isinstance(self._pool, ProcessPoolExecutor)
        self._breaks = 0  # in a row
        self._replacing = threading.Lock()
        self._lock = threading.Lock()
        self._jobs: dict[AttemptId, _Job] = {}
        self._deadlines = Deadlines(site.clock, self._expire, f"{label}-walltime")
        self._closed = False

    @property
    def outstanding(self) -> int:
        return len(self._jobs)

    def launch(self, tasks: Sequence[TaskRequest], report: Report) -> None:
        refused: list[Outcome] = []
        taken: list[_Job] = []
        with self._lock:
            if self._closed:
                raise NotStartedError(self.label)
            for task in tasks:
                if (no := refusal(task, self.label, self._lacks)) is not None:
                    refused.append(no)
                else:
                    self._jobs[task.attempt] = job = _Job(task, report)
                    taken.append(job)
        if refused:
            tell(report, refused)
        for job in taken:
            self._submit(job)

    def _submit(self, job: _Job) -> None:
        task = job.task
        try:
            if self._packs and type(task.call) is Call:
                job.future = self._put(_packed_and_timed, packed(task.call))
            else:
                job.future = self._put(_timed, task.call)
        except SerializationError as error:
            self._answer(job, error, error.__cause__)
            return
        except Exception as error:  # whatever a foreign pool raises, the attempt is answered
            why = f"the pool of executor {self.label!r} takes no tasks: {_text(error)}"
            if isinstance(error, BrokenExecutor):
                why += (
                    f". It was the last of {_MOST_BREAKS} that broke before any task had ended. "
                    "See what kills its processes at their start, such as an initializer or an "
                    "import; then start the executor again"
                )
            self._answer(job, ExecutorLost(why, HasStarted.NO), error)
            return
        if task.attempt not in self._jobs:  # it was cancelled before the pool had it
            job.future.cancel()
            return
        if task.walltime is not None:
            self._deadlines.set(task.attempt, _pause(task.walltime))
        job.future.add_done_callback(partial(self._done, job))

    def _put(self, run: Callable[[Any], Any], call: Call | Payload) -> "Future[Any]":
        """Give a call to the pool, or to another in its place if that is broken."""
        while True:
            pool = self._pool
            try:
                return pool.submit(run, call)
            except BrokenExecutor:
                with self._replacing:
                    if self._pool is pool:
                        if self._closed or self._breaks + 1 >= _MOST_BREAKS:
                            raise
                        self._breaks += 1
                        self._pool = self._make_pool()
                pool.shutdown(wait=False)

    def _answer(self, job: _Job, error: TaskError, because: BaseException | None) -> None:
        attempt = job.task.attempt
        if self._jobs.pop(attempt, None) is not None:
            tell(job.report, [failed(attempt, error, because)])

    def _done(self, job: _Job, future: "Future[Any]") -> None:
        attempt, name = job.task.attempt, job.task.described
        if job.task.walltime is not None:
            self._deadlines.drop(attempt)
        if future.cancelled():
            why = f"somebody else shut down the pool of executor {self.label!r} before {name} ran"
            self._answer(job, ExecutorLost(why, HasStarted.NO), CancelledError())
            return
        error = future.exception()
        if error is None:
            self._breaks = 0
            self._ended(job, *future.result())
        elif isinstance(error, BrokenExecutor):
            why = (
                f"the pool of executor {self.label!r} broke while it held {name}: "
                f"{_text(error).rstrip('.')}. "
                "Such a pool does not say which task its lost process ran, or whether this one "
                "had started. If this task may have killed it, run it in a "
                "HighThroughputExecutor, where a lost worker costs only its own task; the pool "
                "itself is replaced when the next task comes"
            )
            self._answer(job, WorkerLost(why, HasStarted.UNKNOWN), error)
        else:
            # What the task itself raised came back as a value: this is about its pickles.
            why = f"{name} could not travel: {_text(error)}"
            self._answer(job, SerializationError(why), error)

    def _ended(
        self, job: _Job, value: Any, thrown: BaseException | None, began: float, ended: float
    ) -> None:
        """A task has run; what came of it may be packed still."""
        attempt = job.task.attempt
        if isinstance(value, PackedEnd):
            try:
                value, thrown = end_of(value)
            except Exception as error:  # whatever user classes do while they are unpickled
                said = f"{type(error).__name__}: {error}"
                why = f"the result of {job.task.described} cannot be unpickled here: {said}"
                self._answer(job, SerializationError(why, HasStarted.YES), error)
                return
        outcome = Outcome(attempt, value, None, began, ended)
        if thrown is not None:
            outcome = raised(attempt, thrown, began, ended)
        if self._jobs.pop(attempt, None) is not None:
            tell(job.report, [outcome])

    def cancel(self, attempts: Collection[AttemptId]) -> None:
        for attempt in attempts:
            if (job := self._jobs.pop(attempt, None)) is not None:
                began, now = self._stop(job), self._clock.wall()
                warn_if_running(self._site, self.label, job.task, began, now)
                tell(job.report, [cancelled(job.task, began, now)])

    def _stop(self, job: _Job) -> float | None:
        """Take a job from the pool; if it runs, the time, which is when it had begun at last."""
        if job.future is None or job.future.cancel():
            return None
        return self._clock.wall()

    def _expire(self, attempts: Collection[AttemptId]) -> None:
        for attempt in attempts:
            job = self._jobs.get(attempt)
            if job is None:
                continue
            now, limit = self._clock.wall(), job.task.walltime or 0
            if job.seen is None:
                if job.future is not None and job.future.running():
                    job.seen = now
                    self._deadlines.set(attempt, limit + job.task.grace)
                else:  # it waits still, or ends this moment
                    self._deadlines.set(attempt, _pause(limit))
            elif self._jobs.pop(attempt, None) is not None:
                warn_if_running(self._site, self.label, job.task, job.seen, now)
                tell(job.report, [expired(job.task, None, now)])

    def close(self) -> None:
        with self._lock:
            self._closed = True
            left = list(self._jobs.values())
        self._deadlines.close()
        for job in left:
            if self._jobs.pop(job.task.attempt, None) is not None:
                began = self._stop(job)
                tell(job.report, [closed(job.task, self.label, began, self._clock.wall())])
        with self._replacing:
            pool = self._pool
        pool.shutdown(wait=False)  # not every pool takes cancel_futures, and ours are cancelled


def _pause(walltime: float) -> float:
    return max(_LEAST_PAUSE, walltime / _LOOKS)


def _text(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _timed(call: Call | Payload) -> tuple[Any, BaseException | None, float, float]:
    """Run a call where the pool runs it; what it raises comes back as a value, with the times."""
    clock = SystemClock()
    began = clock.wall()
    try:
        value = run_call(call)
    except BaseException as error:  # SystemExit would end a pool's worker
        return None, error, began, clock.wall()
    return value, None, began, clock.wall()


def _packed_and_timed(call: Payload) -> tuple[PackedEnd, None, float, float]:
    """The same, with value or exception as bytes, which no pool can fail to read."""
    value, error, began, ended = _timed(call)
    return packed_end(value, error), None, began, ended
