"""The kernel as its users see it: it takes tasks, answers questions, and closes."""

import atexit
import itertools
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lamina.events import Dispatcher
from lamina.executors import Executor, Site
from lamina.kernel.arguments import gather
from lamina.kernel.config import Config
from lamina.kernel.engine import Engine, settle
from lamina.kernel.fleet import Fleet
from lamina.kernel.futures import KernelFuture
from lamina.kernel.phases import Phase, Resolve
from lamina.kernel.protocol import TaskSpec
from lamina.kernel.rundir import make_run_dir
from lamina.kernel.stager import Stager, StagingSettings
from lamina.kernel.task import Task
from lamina.vocabulary import (
    Clock,
    ClosedError,
    ConfigError,
    KernelClosedError,
    SystemClock,
    TaskId,
    TaskState,
)

__all__ = ["DataFlowKernel"]

_PATIENCE = 5.0  # seconds; for a thread of ours that foreign code may hold up at the end


class DataFlowKernel:
    """Runs a dataflow on the executors of its configuration, which start with it.

    Any number of them live side by side. As a context manager it ends as ``exit_mode`` says; one
    that nobody has closed is closed when the interpreter ends.

    Raises:
        ConfigError: An executor's settings cannot work on this machine.
    """

    def __init__(self, config: Config | None = None, *, clock: Clock | None = None) -> None:
        given: object = config
        if not isinstance(given, Config | None):
            msg = f"a kernel was given {given!r:.100}; write Config(executors=[...]) for it"
            raise ConfigError(msg)
        self.config = Config() if config is None else config
        self._clock: Clock = SystemClock() if clock is None else clock
        self._run_dir = make_run_dir(self.config.run_dir)
        self._memo = self.config.make_memo()
        self._memo.start(self._run_dir, self._clock)
        sinks = self.config.event_sinks
        self._stream = Dispatcher(sinks) if sinks else None
        emit = self._stream
        site = Site(run_dir=self._run_dir, clock=self._clock, emit=emit)
        try:
            self._fleet = Fleet(self.config.executors, self.config.router, site)
        except BaseException:
            self._put_away()
            raise
        self._resolver = self.config.resolver
        self._ids = itertools.count()
        stager = Stager(
            self._fleet,
            StagingSettings(
                storage=self.config.storage_access,
                limit=self.config.staging_cache_limit,
                walltime=self.config.staging_walltime,
                threads=self.config.staging_max_threads,
                run_dir=self._run_dir,
            ),
            self.new_task_id,
        )
        self._engine = Engine(
            self._fleet,
            stager,
            self._memo,
            self.config.policy,
            self._resolver,
            self._clock,
            emit,
            self.config.internal_tasks_max_threads,
        )
        self._closed = self._ending = self._ended = False
        self._closing = threading.RLock()
        atexit.register(self._close_at_exit)

    @property
    def run_dir(self) -> Path:
        """This run's own directory."""
        return self._run_dir

    @property
    def labels(self) -> Sequence[str]:
        """The labels of its executors."""
        return tuple(self._fleet.labels)

    @property
    def executors(self) -> Mapping[str, Executor]:
        """Its running executors by label."""
        return {label: self._fleet.running[label] for label in self._fleet.labels}

    @property
    def closed(self) -> bool:
        """Whether it takes no more tasks."""
        return self._closed

    def new_task_id(self) -> TaskId:
        """The next task id, for whoever must know it before it submits."""
        return TaskId(next(self._ids))

    def submit(self, spec: TaskSpec, task: TaskId | None = None) -> TaskId:
        """Take a task. Its future will be resolved, whatever happens.

        Raises:
            KernelClosedError: The kernel has been closed.
            ConfigError: ``executors`` names a label that does not exist.
            FutureInArgumentsError: A future hides where the resolver does not look.
        """
        if self._closed:
            raise KernelClosedError(spec.name)
        options = spec.options
        if options.executors is not None:
            self._fleet.check(options.executors)
        futures = gather(self._resolver, spec.name, spec.args, spec.kwargs)
        engine = self._engine
        waits, foreign = engine.sort(futures) if futures else ((), ())
        if task is None:
            task = TaskId(next(self._ids))
        record = Task(task, spec, futures, options.executors, options.resources)
        future = spec.future
        if isinstance(future, KernelFuture):
            future.bind(engine, task, spec.name)
        else:
            self._follow(future, task)
        engine.tasks[task] = record
        engine.driver.post(engine.on_submitted, record, waits, len(foreign))
        if future.cancelled():
            engine.on_cancelled(task)
        if foreign:
            engine.watch(task, foreign)
        return task

    def _follow(self, future: Future[Any], task: TaskId) -> None:
        engine = self._engine

        def done(ended: Future[Any]) -> None:
            if ended.cancelled():
                engine.on_cancelled(task)

        future.add_done_callback(done)

    def cancel(self, task: TaskId) -> bool:
        """Cancel a task: its future at once, its work as soon as its executor can.

        Returns whether the task was not final yet.
        """
        record = self._engine.tasks.get(task)
        if record is None or record.spec.future.done():
            return False
        return record.spec.future.cancel()

    def state(self, task: TaskId) -> TaskState | None:
        """Where a task stands; None once it is final, when only its future knows."""
        return self._engine.state_of(task)

    def task_counts(self) -> dict[TaskState, int]:
        """How many tasks of this run are in each state."""
        counts = dict.fromkeys(TaskState, 0)
        counts.update(self._engine.graph.ended)
        for task in list(self._engine.tasks):
            state = self._engine.state_of(task)
            if state is not None:
                counts[state] += 1
        return counts

    def explain(self, task: TaskId) -> str:
        """Say in a sentence what an unfinished task is waiting for."""
        record = self._engine.tasks.get(task)
        if record is None:
            return f"task {task} is final, or was never submitted"
        graph = self._engine.graph
        label = graph.executor_of(task)
        phase = graph.phase(task)
        open_ones = [future for future in record.dependencies if not future.done()]
        first = next((f.described for f in open_ones if isinstance(f, KernelFuture)), "")
        what = {
            Phase.WAITING: f"waits for {len(open_ones)} of the futures in its arguments"
            + (f", the first being {first}" if first else ""),
            Phase.PREPARING: "is about to be given to an executor",
            Phase.FOLLOWING: "waits for an identical call that is in flight",
            Phase.STAGING_IN: f"waits for {graph.waiting_for(task)} of its files to be brought",
            Phase.STAGING_OUT: f"has run; {graph.waiting_for(task)} of its files are taken away",
            Phase.LAUNCHED: f"was given to executor {label!r} and has not been seen to start",
            Phase.RUNNING: f"runs on executor {label!r}",
            Phase.JOINING: f"waits for {graph.waiting_for(task)} futures that its body returned",
            Phase.DECIDING: "has failed, and the retry policy is being asked",
            Phase.DELAYED: "has failed, and waits before its next attempt",
        }
        return f"{record.described} {what[phase] if phase else 'is being taken in'}"

    def checkpoint(self) -> None:
        """Return when all results recorded so far survive the death of this machine.

        A future that is done has been recorded. Without a ``checkpoint_mode``, or a memo that
        writes, nothing can survive, and this returns at once.

        Raises:
            OSError: They cannot be written; again may help.
        """
        self._memo.checkpoint()

    def wait_for_current_tasks(self, timeout: float | None = None) -> None:
        """Wait until every task submitted before this call is final.

        Raises:
            TimeoutError: ``timeout`` seconds were not enough.
        """
        futures = [record.spec.future for record in list(self._engine.tasks.values())]
        left = wait(futures, timeout).not_done
        if left:
            msg = f"{len(left)} of {len(futures)} tasks were not final after {timeout} s"
            raise TimeoutError(msg)

    def close(self, timeout: float | None = None, *, cancel: bool = True) -> None:
        """End the kernel and its executors; every future left is resolved before it returns.

        Without ``cancel`` it waits for the tasks first, up to ``timeout`` seconds. Where another
        thread is about it already, it waits for that one. What that one may itself be waiting for
        does not: a done-callback, or a signal handler or plug-in on the closing thread.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        if not cancel:
            self._wait_for_all(deadline)
        if self._closed and self._engine.callbacks.here:
            return
        if not self._closing.acquire(timeout=_left(deadline)):
            return
        try:
            if not self._ending and not self._ended:
                self._ending = True
                try:
                    self._end(deadline)
                finally:
                    self._ending = False
        finally:
            self._closing.release()

    def _end(self, deadline: float | None) -> None:
        """Whoever is interrupted in this has to begin again."""
        self._closed = True
        atexit.unregister(self._close_at_exit)
        engine = self._engine
        engine.closing = True
        self._end_all(idle=True)
        self._fleet.close(None if deadline is None else _left(deadline))
        self._end_all(idle=False)
        engine.stager.close()
        engine.callbacks.flush(_PATIENCE)
        engine.stop()
        self._put_away()
        self._ended = True

    def _close_at_exit(self) -> None:
        self.close(_PATIENCE)

    def _put_away(self) -> None:
        """Close what there is before the executors start, and after they have ended."""
        self._memo.close()
        if self._stream is not None:
            self._stream.close(_PATIENCE)

    def _wait_for_all(self, deadline: float | None) -> None:
        while self._engine.tasks:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return
            futures = [record.spec.future for record in list(self._engine.tasks.values())]
            if not wait(futures, left).not_done and all(f.cancelled() for f in futures):
                time.sleep(0)  # cancelled at once; the driver is about to forget them

    def _end_all(self, *, idle: bool) -> None:
        engine = self._engine
        error = ClosedError("the kernel was closed before the task had ended")
        done = threading.Event()
        engine.driver.post(engine.on_end_all, idle, error, done.set)
        if done.wait(_PATIENCE) or idle:
            return
        # Foreign code holds up the driver; the futures are resolved all the same.
        for record in list(engine.tasks.values()):
            _fail(record, error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.config.exit_mode == "skip":
            return
        self.close(cancel=self.config.exit_mode == "cleanup" or error is not None)


def _left(deadline: float | None) -> float:
    """Seconds, as a lock wants them: -1 without a deadline."""
    return -1 if deadline is None else max(0.0, deadline - time.monotonic())


def _fail(record: Task, error: BaseException) -> None:
    settle(record.spec.future, Resolve([record.id], TaskState.FAILED, None, error))
