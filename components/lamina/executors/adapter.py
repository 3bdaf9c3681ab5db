"""Any pool of the standard library's kind, as one of our executors."""

import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Future
from concurrent.futures import Executor as FuturesPool
from functools import partial
from typing import Any

import attrs

from lamina.executors.calls import cancelled, closed, expired, refusal, run_call, tell
from lamina.executors.deadlines import Deadlines
from lamina.executors.protocol import (
    AlreadyStartedError,
    Call,
    Capabilities,
    Load,
    NotStartedError,
    Outcome,
    Payload,
    Report,
    Site,
    TaskRequest,
)
from lamina.vocabulary import (
    AttemptId,
    Cause,
    ExecutorLost,
    Failure,
    HasStarted,
    SerializationError,
    SystemClock,
)

__all__ = ["ForeignExecutor"]


@attrs.define(eq=False)
class _Job:
    task: TaskRequest
    report: Report
    future: "Future[Any] | None" = None

    @property
    def name(self) -> str:
        return self.task.name or f"task attempt {self.task.attempt}"


class ForeignExecutor:
    """Runs tasks on a pool that has ``submit`` and ``shutdown`` of ``concurrent.futures``.

    The pool is made by ``make_pool`` at the start and shut down at the end, so one that broke
    is replaced by starting again. Such pools start tasks in the order they came, say nothing
    when one starts, and stop none: priorities are ignored, a walltime counts from the moment
    the task is taken from the pool's queue as far as ``Future.running`` tells, and an expired
    or cancelled task that runs goes on with nobody listening.

    Args:
        make_pool: Makes the pool, such as ``ProcessPoolExecutor`` or a ``partial`` of it.
        label: Its name.
        slots: Tasks that the pool runs at once, for routers.
        own_processes: Whether the pool's tasks run outside this process.
    """

    def __init__(
        self,
        make_pool: Callable[[], FuturesPool],
        label: str = "foreign",
        *,
        slots: int = 1,
        own_processes: bool = False,
    ) -> None:
        self._make_pool = make_pool
        self._label = label
        self._slots = slots
        self._own_processes = own_processes
        self._run: _Run | None = None
        self._changing = threading.Lock()

    @property
    def label(self) -> str:
        """Its name, unique within a kernel."""
        return self._label

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return Capabilities(stops_running_tasks=False, own_processes=self._own_processes)

    def __copy__(self) -> "ForeignExecutor":
        return ForeignExecutor(
            self._make_pool, self._label, slots=self._slots, own_processes=self._own_processes
        )

    def start(self, site: Site) -> None:
        """Make the pool.

        Raises:
            AlreadyStartedError: It runs already.
        """
        with self._changing:
            if self._run is not None:
                raise AlreadyStartedError(self._label)
            self._run = _Run(self._label, self._make_pool(), site)

    def launch(self, tasks: Sequence[TaskRequest], report: Report) -> None:
        """Take attempts, each of which is reported exactly once.

        Raises:
            NotStartedError: It does not run.
        """
        run = self._run
        if run is None:
            raise NotStartedError(self._label)
        run.launch(tasks, report)

    def cancel(self, attempts: Collection[AttemptId]) -> None:
        """Fail these attempts at once; those that run go on with nobody listening."""
        if (run := self._run) is not None:
            run.cancel(attempts)

    def load(self) -> Load:
        """How busy it is."""
        run = self._run
        return Load(0, 0) if run is None else Load(run.outstanding, self._slots)

    def close(self, timeout: float | None = None) -> None:
        """Fail whatever is left and shut the pool down, without waiting for what runs."""
        with self._changing:
            run, self._run = self._run, None
        if run is not None:
            run.close()


class _Run:
    """One pool and its work. Whoever takes a job out of ``_jobs`` reports its outcome."""

    def __init__(self, label: str, pool: FuturesPool, site: Site) -> None:
        self.label = label
        self._pool, self._clock = pool, site.clock
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
                if (no := refusal(task, self.label)) is not None:
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
            job.future = self._pool.submit(_timed, task.call)
        except Exception as error:  # whatever a foreign pool raises, the attempt is answered
            self._lost(job, error, HasStarted.NO)
            return
        if task.walltime is not None:
            self._deadlines.set(task.attempt, task.walltime)
        job.future.add_done_callback(partial(self._done, job))

    def _lost(self, job: _Job, error: BaseException, started: HasStarted) -> None:
        lost = ExecutorLost(
            f"the pool of executor {self.label!r} broke: {str(error) or type(error).__name__}",
            started,
        )
        lost.__cause__ = error
        self._answer(job, Failure(cause=Cause.EXECUTOR_LOST, error=lost, started=started))

    def _answer(self, job: _Job, failure: Failure) -> None:
        attempt = job.task.attempt
        if self._jobs.pop(attempt, None) is not None:
            tell(job.report, [Outcome(attempt, None, failure, failure.began, failure.ended)])

    def _done(self, job: _Job, future: "Future[Any]") -> None:
        attempt = job.task.attempt
        if job.task.walltime is not None:
            self._deadlines.drop(attempt)
        if future.cancelled():
            error: BaseException | None = CancelledError()
        else:
            error = future.exception()
        if error is None:
            value, raised, began, ended = future.result()
            failure = None
            if raised is not None:
                failure = Failure(
                    cause=Cause.APPLICATION,
                    error=raised,
                    started=HasStarted.YES,
                    began=began,
                    ended=ended,
                )
            if self._jobs.pop(attempt, None) is not None:
                tell(job.report, [Outcome(attempt, value, failure, began, ended)])
        elif isinstance(error, (BrokenExecutor, CancelledError)):
            self._lost(job, error, HasStarted.UNKNOWN)
        else:
            # What the task itself raised came back as a value: this is about its pickles.
            said = SerializationError(f"{job.name} could not travel: {error}")
            said.__cause__ = error
            self._answer(job, Failure(cause=Cause.SERIALIZATION, error=said))

    def cancel(self, attempts: Collection[AttemptId]) -> None:
        for attempt in attempts:
            if (job := self._jobs.pop(attempt, None)) is not None:
                began = self._stop(job)
                now = self._clock.wall()
                tell(job.report, [cancelled(attempt, job.name, began, now)])

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
            walltime = job.task.walltime or 0
            if job.future is not None and not job.future.running():
                self._deadlines.set(attempt, walltime)  # it waits still, or ends this moment
            elif self._jobs.pop(attempt, None) is not None:
                tell(job.report, [expired(attempt, job.name, walltime, None, self._clock.wall())])

    def close(self) -> None:
        with self._lock:
            self._closed = True
            left = list(self._jobs.values())
        self._deadlines.close()
        for job in left:
            if self._jobs.pop(job.task.attempt, None) is not None:
                began, now = self._stop(job), self._clock.wall()
                said = closed(job.task.attempt, job.name, self.label, began, now)
                tell(job.report, [said])
        self._pool.shutdown(wait=False, cancel_futures=True)


def _timed(call: Call | Payload) -> tuple[Any, BaseException | None, float, float]:
    """Run a call where the pool runs it; what it raises comes back as a value, with the times."""
    clock = SystemClock()
    began = clock.wall()
    try:
        value = run_call(call)
    except BaseException as error:  # SystemExit would end a pool's worker
        return None, error, began, clock.wall()
    return value, None, began, clock.wall()
