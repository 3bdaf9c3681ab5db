"""``Endpoint``: executors at work for a platform that submits to them directly.

It is the shell between ``launch`` and futures. A task is in ``_jobs`` from its submission until
its future is settled, and whoever takes it out of there settles it: the executor's word, a
cancellation, nobody twice.
"""

import copy
import itertools
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import wait as wait_for
from contextlib import ExitStack
from typing import Any, Protocol, Self, runtime_checkable

import attrs

from lamina.events import Dispatcher
from lamina.executors import (
    AlreadyStartedError,
    Call,
    Executor,
    News,
    NotStartedError,
    Outcome,
    Payload,
    Site,
    Started,
    TaskRequest,
)
from lamina.executors_htex import BlockStanding
from lamina.hosting.configuration import ConfigSource, read_config
from lamina.hosting.directories import fresh_directory
from lamina.hosting.door import Door
from lamina.hosting.futures import TaskFuture
from lamina.hosting.record import RecordSink
from lamina.hosting.submitting import Submitter, TaskOptions
from lamina.vocabulary import AttemptId, Clock, Event, SystemClock, TaskState, UsageError

__all__ = ["Endpoint"]


@runtime_checkable
class _HasBlocks(Protocol):
    def blocks(self) -> Sequence[BlockStanding]: ...
    def scale(self, blocks: int | None) -> None: ...
    def drain(self, block_id: str | None = None) -> None: ...


@attrs.define(eq=False)
class _Job:
    future: TaskFuture[Any]
    name: str
    executor: Executor
    since: float
    """When its last state was told, in seconds since the epoch."""


class Endpoint(Submitter):
    """Runs tasks on the executors of a configuration; one attempt for each, no dataflow.

    Constructing it starts nothing. It is used with ``with``, or by ``start`` and ``shutdown``,
    and can be started again afterwards. Any method may be called from any thread.

    Args:
        config: An ``EndpointConfig``, a mapping, or the path of a file of TOML or Python.

    Raises:
        ConfigErrors: Something cannot work; the text names all of it, and where it is.
    """

    def __init__(self, config: ConfigSource) -> None:
        super().__init__(self._submit, TaskOptions())
        self.config = read_config(config)
        self._executors = {one.label: copy.copy(one) for one in self.config.executors}
        self._clock: Clock = SystemClock()
        self._numbers = itertools.count(1)
        self._jobs: dict[AttemptId, _Job] = {}
        self._lock = threading.Lock()
        self._changing = threading.Lock()
        self._site: Site | None = None
        self._taking = False
        self._events: Dispatcher | None = None
        self._rare: Dispatcher | None = None
        self._door: Door | None = None

    @property
    def executors(self) -> Mapping[str, Executor]:
        """Its executors by label, for what goes beyond this class."""
        return dict(self._executors)

    @property
    def site(self) -> Site:
        """Where it runs: its run directory, clock, and who hears of events.

        Raises:
            NotStartedError: It does not run.
        """
        if self._site is None:
            raise NotStartedError("endpoint")
        return self._site

    # Its life.

    def start(self) -> Self:
        """Start all executors; it waits for no block and no worker.

        Raises:
            AlreadyStartedError: It runs already.
            ConfigError: The settings of an executor cannot work on this machine.
        """
        with self._changing:
            if self._site is not None:
                raise AlreadyStartedError("endpoint")
            directory = fresh_directory(self.config.run_dir)
            self._door = Door(self._asked)
            if self.config.event_sinks:
                self._events = Dispatcher(self.config.event_sinks)
            self._rare = Dispatcher([RecordSink(directory, self.blocks, self._door.path)])
            self._site = Site(run_dir=directory, clock=self._clock, emit=self._tell)
            self._tell([Event(self._clock.wall(), "endpoint.started", {"run_dir": str(directory)})])
            started: list[Executor] = []
            try:
                for executor in self._executors.values():
                    executor.start(self._site)
                    started.append(executor)
            except BaseException:  # passed on, with nothing left running
                self._end(started, None)
                raise
            self._taking = True
        return self

    def shutdown(self, wait: bool = True, *, timeout: float | None = None) -> None:
        """Take no more tasks and end; what runs is waited for, or ended with cause CLOSED.

        Args:
            wait: Whether to let the tasks end that were taken.
            timeout: Seconds for each of the two: the waiting, and the ending of an executor.
        """
        with self._changing:
            self._taking = False
            if self._site is None:
                return
            try:
                if wait:
                    with self._lock:
                        futures = [job.future for job in self._jobs.values()]
                    wait_for(futures, timeout)
            finally:  # whoever interrupts the waiting leaves no job behind either
                self._end(list(self._executors.values()), timeout)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        # After an exception nobody reads results any more.
        self.shutdown(wait=kind is None)

    # Blocks.

    def blocks(self) -> Mapping[str, Sequence[BlockStanding]]:
        """What is known of each block, by executor; nothing where one has no blocks."""
        return {
            label: tuple(one.blocks()) if isinstance(one, _HasBlocks) else ()
            for label, one in self._executors.items()
        }

    def scale(self, blocks: int | None, *, executor: str | None = None) -> None:
        """Have so many blocks from now on; None leaves it to the strategy again.

        The provider's ``min_blocks`` and ``max_blocks`` hold all the same, and a block with tasks
        gets no more of them and goes when it has none left.

        Raises:
            UsageError: There is no executor of that label, or it has no blocks.
            NotStartedError: The endpoint does not run.
        """
        found = self._named(executor)
        if not isinstance(found, _HasBlocks):
            msg = f"executor {found.label!r} has no blocks to scale"
            raise UsageError(msg)
        if blocks is not None and (type(blocks) is not int or blocks < 0):
            msg = f"blocks is {blocks!r}; it must be a whole number, 0 or more, or None"
            raise UsageError(msg)
        found.scale(blocks)

    def drain(self, block: str | None = None, *, executor: str | None = None) -> None:
        """Let a block leave in good order, or all that there are; no task fails of it.

        They are given no more tasks, and leave when what they run has ended. This does not wait;
        where there is work for it, or fewer than ``min_blocks`` are left, new ones are asked for.

        Args:
            block: One block; None for all.
            executor: The label of one; None for all that have blocks, or for the only one of
                these where a block is named.

        Raises:
            UsageError: There is no such executor or block, or none that has blocks.
            NotStartedError: The endpoint does not run.
        """
        if executor is None:
            found = [one for one in self._executors.values() if isinstance(one, _HasBlocks)]
        else:
            named = self._named(executor)
            found = [named] if isinstance(named, _HasBlocks) else []
        if not found:
            msg = f"{'no executor' if executor is None else repr(executor)} has blocks to drain"
            raise UsageError(msg)
        if block is not None and len(found) > 1:
            labels = ", ".join(self._executors)
            msg = f"block {block!r} may be of several executors; name one of: {labels}"
            raise UsageError(msg)
        for one in found:
            one.drain(block)

    def _asked(self, request: Mapping[str, Any]) -> None:
        """What another program of this user wants."""
        if request.get("do") != "drain":
            msg = f"this endpoint cannot {request.get('do')!r:.100}; it can drain"
            raise UsageError(msg)
        self.drain(request.get("block"), executor=request.get("executor"))

    # Tasks.

    def outstanding(self) -> int:
        """Tasks whose futures are not settled."""
        return len(self._jobs)

    def _named(self, label: str | None) -> Executor:
        if label is None:
            return next(iter(self._executors.values()))
        found = self._executors.get(label)
        if found is None:
            msg = f"there is no executor {label!r}; there are: {', '.join(self._executors)}"
            raise UsageError(msg)
        return found

    def _submit(self, call: Call | Payload, name: str, options: TaskOptions) -> TaskFuture[Any]:
        executor = self._named(options.executor)
        task = AttemptId(next(self._numbers))
        future: TaskFuture[Any] = TaskFuture(task, self._drop)
        job = _Job(future, options.name or name, executor, self._clock.wall())
        with self._lock:
            if not self._taking:
                raise NotStartedError("endpoint")
            self._jobs[task] = job
        self._say(task, job, TaskState.LAUNCHED, job.since)
        request = TaskRequest(
            task,
            call,
            name=job.name,
            priority=options.priority,
            walltime=options.walltime,
            expected=options.expected,
            env=options.env,
            hints=options.hints,
        )
        try:
            executor.launch([request], self._take_news)
        except BaseException as error:  # passed on; but no shutdown may wait for this future
            with self._lock:
                left = self._jobs.pop(task, None)
            if left is not None:
                future.set_exception(error)
            raise
        return future

    def _take_news(self, news: Sequence[News]) -> None:
        for item in news:
            if isinstance(item, Started):
                job = self._jobs.get(item.attempt)
                if job is not None and not job.future.begun:
                    job.future.begun = True
                    self._say(item.attempt, job, TaskState.RUNNING, item.at)
            else:
                self._settle(item)

    def _settle(self, outcome: Outcome) -> None:
        with self._lock:
            job = self._jobs.pop(outcome.attempt, None)
        if job is None:
            return  # it was cancelled
        failure = outcome.failure
        state = TaskState.EXEC_DONE if failure is None else TaskState.FAILED
        facts = {"node": outcome.node}
        if failure is not None:
            facts |= {"cause": failure.cause.value, "reason": str(failure.error)}
        self._say(outcome.attempt, job, state, self._clock.wall(), **facts)
        if failure is None:
            job.future.set_result(outcome.value)
        else:
            job.future.set_exception(failure.error)

    def _drop(self, task: AttemptId) -> bool:
        """Take a task out of our hands, so that its future may be cancelled."""
        with self._lock:
            job = self._jobs.pop(task, None)
        if job is None:
            return False
        self._say(task, job, TaskState.CANCELLED, self._clock.wall())
        job.executor.cancel([task])
        return True

    # Events.

    def _say(self, task: AttemptId, job: _Job, state: TaskState, at: float, **more: Any) -> None:
        if self._events is None:
            return
        facts = {
            "task": task,
            "name": job.name,
            "state": str(state),
            "attempt": 1,
            "executor": job.executor.label,
            "after": max(0.0, at - job.since),
        }
        job.since = at
        self._events([Event(at, "task.state", facts | more)])

    def _tell(self, events: Sequence[Event]) -> None:
        """What executors emit: rare, and all of it goes into the record as well."""
        if self._events is not None:
            self._events(events)
        if self._rare is not None:
            self._rare(events)

    def _end(self, executors: Sequence[Executor], timeout: float | None) -> None:
        if self._door is not None:
            self._door.close()
            self._door = None
        with ExitStack() as ending:  # what one of them raises keeps no other from its end
            ending.callback(self._end_events, timeout)
            for executor in reversed(executors):
                ending.callback(executor.close, timeout)

    def _end_events(self, timeout: float | None) -> None:
        site, self._site = self._site, None
        if site is not None:
            self._tell([Event(self._clock.wall(), "endpoint.ended", {})])
        for dispatcher in (self._rare, self._events):
            if dispatcher is not None:
                dispatcher.close(timeout)
        self._rare = self._events = None
