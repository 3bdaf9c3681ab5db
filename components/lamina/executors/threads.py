"""Running attempts on threads of this process."""

import heapq
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from queue import SimpleQueue
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
from lamina.executors.face import PoolFace
from lamina.executors.protocol import (
    BrokenPool,
    Capabilities,
    Load,
    NotStartedError,
    Outcome,
    Report,
    Site,
    Started,
    TaskRequest,
    data_access,
)
from lamina.executors.runs import OneRun
from lamina.vocabulary import AttemptId, ConfigError, ExecutorLost, HasStarted

__all__ = ["ThreadPoolExecutor"]

_JOIN = 1.0  # seconds that close gives idle threads to leave, which take microseconds

_log = logging.getLogger(__name__)


class ThreadPoolExecutor(PoolFace):
    """Runs tasks on threads of this process: nothing is pickled, and start-up costs nothing.

    A task of pure Python holds the interpreter, so more threads make only tasks faster that
    wait. A running thread cannot be stopped: at the end of its walltime, or when cancelled, a
    task fails at once, goes on with nobody listening, and another thread takes its place.
    ``env`` and ``memory_limit`` of a task are refused, because threads share both.

    Args:
        label: Its name.
        max_threads: Tasks that run at once; None for one per processor.
        thread_name_prefix: What its threads are called; None for the label.
        initializer: Called once on each thread before its first task. If it raises, the
            executor is broken until it is closed: what waits fails, and what comes.
        initargs: The arguments of ``initializer``.
        storage_access: Staging plug-ins for its tasks' files; None for those of the kernel.
        working_dir: A directory for copies of files; None for one beside the run directory.
    """

    def __init__(
        self,
        label: str = "threads",
        max_threads: int | None = 2,
        thread_name_prefix: str | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        storage_access: Sequence[object] | None = None,
        working_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        if max_threads is not None and (type(max_threads) is not int or max_threads < 1):
            msg = (
                f"executor {label!r} has max_threads={max_threads!r:.100}; it must be a whole "
                "number, 1 or more, or None for one per processor"
            )
            raise ConfigError(msg)
        self._label = label
        self.max_threads = max_threads
        self.thread_name_prefix = thread_name_prefix
        self.initializer, self.initargs = initializer, initargs
        self.storage_access, self.working_dir = storage_access, working_dir
        self._run: OneRun[_Crew] = OneRun(label)

    @property
    def label(self) -> str:
        """Its name, unique within a kernel."""
        return self._label

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return Capabilities(
            stops_running_tasks=False,
            own_processes=False,
            **data_access(self.storage_access, self.working_dir),
        )

    def __copy__(self) -> "ThreadPoolExecutor":
        return ThreadPoolExecutor(
            self._label,
            self.max_threads,
            self.thread_name_prefix,
            self.initializer,
            self.initargs,
            self.storage_access,
            self.working_dir,
        )

    def __repr__(self) -> str:
        return f"ThreadPoolExecutor(label={self._label!r}, max_threads={self.max_threads!r})"

    def start(self, site: Site) -> None:
        """Begin to run; threads are made when there is work for them.

        Raises:
            AlreadyStartedError: It runs already.
        """
        size = self.max_threads or os.cpu_count() or 1
        name = self.thread_name_prefix or self._label
        prepare = None if self.initializer is None else partial(self.initializer, *self.initargs)
        self._run.begin(lambda: _Crew(self._label, name, size, site, prepare))

    def launch(self, tasks: Sequence[TaskRequest], report: Report) -> None:
        """Take attempts, each of which is reported exactly once.

        Raises:
            NotStartedError: It does not run.
        """
        self._run.get().launch(tasks, report)

    def cancel(self, attempts: Collection[AttemptId]) -> None:
        """Fail these attempts at once; those that run go on with nobody listening."""
        if (crew := self._run.current) is not None:
            crew.cancel(attempts)

    def load(self) -> Load:
        """How busy it is."""
        crew = self._run.current
        return Load(0, 0) if crew is None else Load(crew.outstanding, crew.size)

    def close(self, timeout: float | None = None) -> None:
        """Fail whatever is left, and let the threads go; those that run a task end with it."""
        if (crew := self._run.end()) is not None:
            crew.close(_JOIN if timeout is None else min(timeout, _JOIN))


@attrs.define(eq=False)
class _Job:
    task: TaskRequest
    report: Report
    began: float | None = None
    serial: int | None = None
    """Of the thread that runs it."""


class _Crew:
    """The threads of one run of the executor, and their work.

    Whoever takes a job out of ``_jobs``, under the lock, reports its outcome, outside it. A
    thread whose job was taken from under it has been replaced, and leaves. There is one ticket
    for each entry of the queue; a thread that has none rests, which is to block on the tickets.
    """

    def __init__(
        self,
        label: str,
        name: str,
        size: int,
        site: Site,
        prepare: Callable[[], object] | None = None,
    ) -> None:
        self.label, self.size = label, size
        self._name, self._site, self._prepare = name, site, prepare
        self._clock = site.clock
        self._lock = threading.Lock()
        self._jobs: dict[AttemptId, _Job] = {}
        self._queue: list[tuple[float, int, AttemptId]] = []  # with those cancelled since
        self._tickets: SimpleQueue[None] = SimpleQueue()
        self._order = itertools.count()
        self._serial = itertools.count()
        self._threads: dict[int, threading.Thread] = {}  # by serial; replaced ones are not here
        self._resting: set[int] = set()  # threads without a job, by serial
        self._deadlines = Deadlines(site.clock, self._expire, f"{name}-walltime")
        self._closed = False
        self._broken: BaseException | None = None

    @property
    def outstanding(self) -> int:
        return len(self._jobs)

    def launch(self, tasks: Sequence[TaskRequest], report: Report) -> None:
        refused: list[Outcome] = []
        taken = 0
        with self._lock:
            if self._closed:
                raise NotStartedError(self.label)
            for task in tasks:
                if self._broken is not None:
                    refused.append(self._broken_for(task, self._broken))
                    continue
                if (task.env or task.memory_limit) and (
                    no := refusal(task, self.label, "its tasks share one process")
                ):
                    refused.append(no)
                    continue
                self._jobs[task.attempt] = _Job(task, report)
                heapq.heappush(self._queue, (-task.priority, next(self._order), task.attempt))
                taken += 1
            hired = []
            if room := self.size - len(self._threads):
                short = len(self._queue) - len(self._resting)
                hired = [self._hire() for _ in range(min(short, room))]
        put = self._tickets.put
        for _ in range(taken):
            put(None)
        if hired:
            self._begin(hired)
        if refused:
            tell(report, refused)

    def _hire(self) -> threading.Thread:
        """A new thread; it is to be started without the lock, which is the first thing it takes."""
        serial = next(self._serial)
        thread = threading.Thread(
            target=self._work, args=(serial,), name=f"{self._name}_{serial}", daemon=True
        )
        self._threads[serial] = thread
        self._resting.add(serial)
        return thread

    def _begin(self, hired: list[threading.Thread]) -> None:
        """Start new threads; where the system allows no more, the others do their work as well."""
        for number, thread in enumerate(hired):
            try:
                thread.start()
            except RuntimeError as error:
                self._dismiss(hired[number:], error)
                return

    def _dismiss(self, hired: list[threading.Thread], error: RuntimeError) -> None:
        """These threads could not be started. Where there are no others, what waits fails."""
        waiting: list[_Job] = []
        with self._lock:
            for serial in [serial for serial, one in self._threads.items() if one in hired]:
                del self._threads[serial]
                self._resting.discard(serial)
            if not self._threads:
                waiting = [job for job in self._jobs.values() if job.serial is None]
            for job in waiting:
                del self._jobs[job.task.attempt]
        for job in waiting:
            reason = f"executor {self.label!r} could not start a thread for {job.task.described}"
            lost = ExecutorLost(f"{reason}: {error}", HasStarted.NO)
            tell(job.report, [failed(job.task.attempt, lost, error)])

    def _work(self, serial: int) -> None:
        if self._prepare is not None:
            try:
                self._prepare()
            except BaseException as error:  # the user's own code; whatever it was, no task may run
                self._break(serial, error)
                return
        while True:
            self._resting.add(serial)
            self._tickets.get()
            if self._closed:
                return
            job = self._next(serial)
            if job is None:
                continue
            began = job.began or 0
            tell(job.report, [Started(job.task.attempt, began)])
            outcome = self._perform(job, began)
            with self._lock:
                replaced = self._jobs.pop(outcome.attempt, None) is None
            if replaced:
                return
            if job.task.walltime is not None:
                self._deadlines.drop(outcome.attempt)
            # The next job is not taken before, for a report may wait for that very job.
            tell(job.report, [outcome])
            del job, outcome  # an idle thread keeps nobody's arguments alive

    def _next(self, serial: int) -> _Job | None:
        """The next job, for a thread that holds a ticket; None if it was cancelled since."""
        with self._lock:
            if not self._queue:
                return None
            job = self._jobs.get(heapq.heappop(self._queue)[2])
            if job is None or job.serial is not None:  # cancelled, and maybe launched anew since
                return None
            self._resting.discard(serial)
            job.serial = serial
            job.began = self._clock.wall()
        if job.task.walltime is not None:
            self._deadlines.set(job.task.attempt, job.task.walltime + job.task.grace)
        return job

    def _perform(self, job: _Job, began: float) -> Outcome:
        attempt = job.task.attempt
        try:
            value = run_call(job.task.call)
        except BaseException as error:  # SystemExit and its like end the task, not the thread
            if (traceback := error.__traceback__) is not None:
                # Our frame holds the job. Frozen exceptions take no assignment.
                BaseException.with_traceback(error, traceback.tb_next)
            return raised(attempt, error, began, self._clock.wall())
        return Outcome(attempt, value, None, began, self._clock.wall())

    def _break(self, serial: int, error: BaseException) -> None:
        """A thread could not be prepared: fail what waits, and from now on whatever comes."""
        _log.critical("Exception in initializer of executor %r", self.label, exc_info=error)
        with self._lock:
            self._broken = error
            self._threads.pop(serial, None)
            self._resting.discard(serial)
            waiting = [job for job in self._jobs.values() if job.serial is None]
            for job in waiting:
                del self._jobs[job.task.attempt]
        for job in waiting:
            tell(job.report, [self._broken_for(job.task, error)])

    def _broken_for(self, task: TaskRequest, error: BaseException) -> Outcome:
        reason = (
            f"{task.described} did not run, because the initializer of executor {self.label!r} "
            f"raised {type(error).__name__}: {error}. Mend it, then close and start the executor."
        )
        return failed(task.attempt, BrokenPool(reason, HasStarted.NO), error)

    def cancel(self, attempts: Collection[AttemptId]) -> None:
        now = self._clock.wall()
        for job in self._take(attempts):
            warn_if_running(self._site, self.label, job.task, job.began, now)
            tell(job.report, [cancelled(job.task, job.began, now)])

    def _expire(self, attempts: Collection[AttemptId]) -> None:
        now = self._clock.wall()
        for job in self._take(attempts):
            warn_if_running(self._site, self.label, job.task, job.began, now)
            tell(job.report, [expired(job.task, job.began, now)])

    def _take(self, attempts: Collection[AttemptId]) -> list[_Job]:
        """Take jobs out, and put a new thread in the place of each that runs one of them."""
        taken, hired = [], []
        with self._lock:
            for attempt in attempts:
                job = self._jobs.pop(attempt, None)
                if job is None:
                    continue
                taken.append(job)
                if job.serial is not None:
                    del self._threads[job.serial]
                    hired.append(self._hire())
        if hired:
            self._begin(hired)
        for job in taken:
            if job.serial is not None:
                self._deadlines.drop(job.task.attempt)
        return taken

    def close(self, patience: float) -> None:
        with self._lock:
            self._closed = True
            left = list(self._jobs.values())
            self._jobs.clear()
            self._queue.clear()
            busy = {job.serial for job in left}
            idle = [thread for serial, thread in self._threads.items() if serial not in busy]
            self._threads.clear()
        self._deadlines.close()
        for _ in range(self.size):
            self._tickets.put(None)
        now = self._clock.wall()
        for report, jobs in itertools.groupby(left, lambda job: job.report):
            tell(
                report,
                [closed(j.task, self.label, j.began, now) for j in jobs],
            )
        until = time.monotonic() + patience
        for thread in idle:
            if thread is not threading.current_thread() and thread.is_alive():
                thread.join(max(0.0, until - time.monotonic()))
