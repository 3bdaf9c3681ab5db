"""Performs what the graph machine says, one effect after the other, on whoever drives."""

import itertools
import logging
import random
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError, wait
from typing import Any

from lamina.dependencies import DependencyResolver
from lamina.executors import Call, News, NotStartedError, Outcome, Started
from lamina.kernel.arguments import unwrap
from lamina.kernel.crew import Crew
from lamina.kernel.driver import Driver
from lamina.kernel.failures import (
    add_note_once,
    dependency_error,
    first_failed,
    join_error,
    true_cause,
)
from lamina.kernel.fleet import Fleet
from lamina.kernel.futures import KernelFuture
from lamina.kernel.graph import Graph
from lamina.kernel.joins import futures_in, results_in
from lamina.kernel.memories import Memories, missed
from lamina.kernel.phases import (
    Consult,
    Effect,
    Expire,
    Joined,
    Launch,
    Phase,
    Prepare,
    Resolve,
    Staged,
)
from lamina.kernel.plans import Plan
from lamina.kernel.stager import Stager
from lamina.kernel.task import INTERNAL, Task
from lamina.kernel.timer import Timer
from lamina.kernel.troubles import change, retried, told_before, trouble_of
from lamina.memo import Hit, Memo
from lamina.retry_policy import Again, GiveUp, RetryPolicy
from lamina.vocabulary import (
    AttemptId,
    Cause,
    Clock,
    ClosedError,
    Emit,
    Event,
    ExecutorLost,
    Failure,
    File,
    HasStarted,
    TaskId,
    TaskState,
    TaskWalltime,
    add_note,
    set_cause,
)

__all__ = ["Engine"]

_LOG = logging.getLogger(__name__)


class Engine:
    """The graph, the tasks, and all that is done about them.

    Methods called ``on_…`` are handlers: only the driver calls them, one at a time.
    """

    def __init__(
        self,
        fleet: Fleet,
        stager: Stager,
        memo: Memo,
        policy: RetryPolicy,
        resolver: DependencyResolver,
        clock: Clock,
        emit: Emit | None,
        threads: int,
    ) -> None:
        self.graph = Graph()
        self.tasks: dict[TaskId, Task] = {}
        self.closing = False
        self.callbacks = Crew("lamina-callbacks")
        self._bodies = Crew("lamina-join", threads)
        self._spare = Crew("lamina-kernel")
        self.driver = Driver(self._settle, self._spare)
        self._timer = Timer("lamina-timer", clock, lambda: self.driver.post(self._on_time))
        self.stager = stager
        self._fleet, self._policy, self._resolver = fleet, policy, resolver
        self._memories = Memories(memo)
        self._clock, self._emit = clock, emit
        self._attempts = itertools.count()
        self._heard = self.report  # one object, by which executors gather what they report

    def stop(self) -> None:
        """End all threads of its own."""
        self._timer.stop()
        for crew in (self._bodies, self._spare, self.callbacks):
            crew.stop()

    def report(self, news: Sequence[News]) -> None:
        """What executors call."""
        self.driver.post(self.on_news, news)

    # Events.

    def on_submitted(self, task: Task, waits: Sequence[TaskId], foreign: int) -> None:
        """A task is here."""
        self.graph.submitted(task.id, waits, foreign)
        if self._emit is not None:
            self._tell(task, TaskState.PENDING)
        if self.closing:
            error = ClosedError("the kernel was closed", HasStarted.NO)
            self.graph.end(task.id, TaskState.FAILED, error=error)

    def on_news(self, news: Sequence[News]) -> None:
        """Executors have news of attempts."""
        graph = self.graph
        for item in news:
            try:
                if isinstance(item, Started):
                    started = graph.started(item.attempt)
                    if started is not None:
                        self._on_started(self.tasks[started])
                elif item.failure is None:
                    self._on_value(item)
                elif item.failure.cause is Cause.CANCELLED:
                    cancelled = graph.task_of(item.attempt)
                    if cancelled is not None:
                        graph.end(cancelled, TaskState.CANCELLED)
                elif isinstance(item.failure.error, BaseException):
                    graph.failed(item.attempt, true_cause(item.failure))
                else:
                    raise TypeError(f"{item.failure.error!r:.100} is no exception")
            except Exception as fault:  # the news after it is of other tasks
                self._on_nonsense(item, fault)

    def _on_nonsense(self, item: News, fault: Exception) -> None:
        """News that cannot be taken in ends the attempt, of which no other may come."""
        _LOG.exception("an executor has said of an attempt what cannot be understood")
        attempt: object = getattr(item, "attempt", None)
        if isinstance(attempt, int):  # else nobody can tell whose news it was
            lost = ExecutorLost(f"its executor has said what cannot be understood: {fault}")
            lost.__cause__ = fault
            failure = Failure(cause=Cause.EXECUTOR_LOST, error=lost)
            self.graph.failed(AttemptId(attempt), failure)

    def _on_started(self, task: Task) -> None:
        limit = task.limit
        if limit is not None and task.spec.options.join:
            self.graph.limit(task.id, self._clock.now() + limit)
            self._timer.set(self.graph.deadline())
        if self._emit is not None:
            self._tell(task, TaskState.RUNNING)

    def _on_value(self, outcome: Outcome) -> None:
        owner = self.graph.task_of(outcome.attempt)
        if owner is None:
            return
        task = self.tasks[owner]
        if not task.spec.options.join:
            if task.plan is None or not task.plan.after:
                self.graph.succeeded(outcome.attempt, outcome.value)
            else:
                self._stage_out(task, task.plan, outcome)
            return
        try:
            futures = futures_in(outcome.value)
            task.joined = outcome.value
            waits, foreign = self.sort(futures)
        except Exception as error:  # its author's fault, as if the body had raised it
            failure = Failure(cause=Cause.APPLICATION, error=error, started=HasStarted.YES)
            self.graph.failed(outcome.attempt, failure)
            return
        self.graph.joining(outcome.attempt, waits, len(foreign))
        if self._emit is not None:
            self._tell(task, TaskState.JOINING)
        self.watch(owner, foreign)

    def on_foreign_done(self, task: TaskId) -> None:
        """A future from elsewhere is done."""
        self.graph.foreign_done(task)

    def on_cancelled(self, task: TaskId) -> None:
        """Somebody cancelled a task. Any thread may call this one."""
        self.driver.post(self._on_cancelled, task)

    def is_running(self, task: TaskId) -> bool:
        """Whether its code is known to run. Any thread may ask."""
        return self.graph.phase(task) is Phase.RUNNING

    def call_later(self, job: Callable[[], None]) -> None:
        """Run done-callbacks, on the thread that is there for them."""
        self.callbacks.put(job)

    def _on_cancelled(self, task: TaskId) -> None:
        record = self.tasks.get(task)
        if record is not None and record.plan is not None:
            self.stager.abandon(record)
        self.graph.cancelled(task)

    def on_end_all(self, idle: bool, error: BaseException, then: Callable[[], None]) -> None:
        """The kernel closes; ``idle`` leaves what executors have."""
        self.graph.end_all(TaskState.FAILED, error, idle=idle)
        self._settle()
        then()

    def _on_time(self) -> None:
        self.graph.time_passed(self._clock.now())
        self._timer.set(self.graph.deadline())

    # Dependencies.

    def sort(self, futures: Sequence[Future[Any]]) -> tuple[list[TaskId], list[Future[Any]]]:
        """Tell our own tasks, that the graph knows or has done with, from all other futures."""
        waits, foreign = [], []
        for future in futures:
            if isinstance(future, KernelFuture):
                future.ensure_submitted()
                known = future.belongs_to(self) and not future.put_off
                if known and future.task_id is not None:
                    waits.append(future.task_id)
                    continue
            foreign.append(future)
        return waits, foreign

    def watch(self, task: TaskId, foreign: Sequence[Future[Any]]) -> None:
        """Hear of it when futures of others are done."""
        for future in foreign:
            if isinstance(future, KernelFuture):
                future.when_done(lambda _: self.driver.post(self.on_foreign_done, task))
            else:
                future.add_done_callback(lambda _: self.driver.post(self.on_foreign_done, task))

    # Effects.

    def _settle(self) -> None:
        while effects := self.graph.take():
            if self._memories.asked:
                self._memories.record(effects, self.tasks)
            for effect in effects:
                try:
                    self._perform(effect)
                except Exception:  # the effects after it belong to other tasks
                    _LOG.exception("the kernel could not do what was to be done")

    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, Resolve):
            for identity in effect.tasks:
                self._resolve(identity, effect)
        elif isinstance(effect, Prepare):
            for identity in effect.tasks:
                self._go_on(identity, self._prepare)
        elif isinstance(effect, Launch):
            self._launch(effect)
        elif isinstance(effect, Consult):
            failure = effect.failure
            self._go_on(effect.task, lambda task: self._consult(task, failure))
        elif isinstance(effect, Joined):
            self._go_on(effect.task, self._end_join)
        elif isinstance(effect, Staged):
            self._go_on(effect.task, self._staged)
        elif isinstance(effect, Expire):
            self._go_on(effect.task, self._expire)
        else:
            executor = self._fleet.running.get(effect.executor)
            if executor is not None:
                executor.cancel([effect.attempt])

    def _go_on(self, identity: TaskId, act: Callable[[Task], None]) -> None:
        """Do what is next for a task; where that cannot be done, it ends, and does not wait."""
        task = self.tasks.get(identity)
        if task is None:
            return  # it may have ended since, in this very batch
        try:
            act(task)
        except Exception as error:
            _LOG.exception("the kernel could not go on with %s", task.described)
            self.graph.end(identity, TaskState.FAILED, error=error)

    def _prepare(self, task: Task) -> None:
        spec = task.spec
        options = spec.options
        try:
            if task.args is None:
                failed = first_failed(task.dependencies)
                if failed is not None:
                    error = dependency_error(task.described, *failed)
                    self.graph.end(task.id, TaskState.DEP_FAIL, error=error)
                    return
                if task.dependencies:
                    task.args, task.kwargs = unwrap(self._resolver, spec.args, spec.kwargs)
                    task.dependencies, spec.args, spec.kwargs = (), (), {}
                else:
                    task.args, task.kwargs = spec.args, spec.kwargs
            if options.cache:
                found = self._memories.find(task)
                if isinstance(found, Hit):
                    self.graph.end(task.id, TaskState.MEMO_DONE, found.value, found.error)
                    return
                if self._emit is not None:
                    self._emit([missed(task, found, self._clock.wall())])
            if options.join or options.inline:
                label = INTERNAL
            elif File.need_staging:
                self._prepare_files(task)
                return
            else:
                label = self._fleet.route(spec.name, task.executors, task.resources)
        except Exception as error:  # a resolver's, a memo's, a router's or a staging plug-in's
            self._note(task, error)
            self.graph.end(task.id, TaskState.FAILED, error=error)
            return
        task.attempt, task.executor = AttemptId(next(self._attempts)), label
        self.graph.prepared(task.id, task.attempt, label, task.key)

    def _prepare_files(self, task: Task) -> None:
        """Choose an executor that can get at the task's files, and have them moved there."""
        labels = task.executors if task.spec.options.transfer else self.stager.able(task)
        label = self._fleet.route(task.spec.name, labels, task.resources)
        task.attempt, task.executor = AttemptId(next(self._attempts)), label
        task.plan = None if task.spec.options.transfer else self.stager.plan(task, label)
        if task.plan is None or not task.plan.before:
            self.graph.prepared(task.id, task.attempt, label, task.key)
        elif self.graph.stages_in(task.id, label, task.key):
            self._tell(task, TaskState.STAGING_IN)
            waits = self.stager.submit(self, task, task.plan.before, label)
            self.graph.transfers(task.id, waits)

    def _stage_out(self, task: Task, plan: Plan, outcome: Outcome) -> None:
        label = self.graph.executor_of(task.id)
        self.graph.stages_out(outcome.attempt)
        self._tell(task, TaskState.STAGING_OUT)
        try:
            errands = plan.errands_after(outcome.value)
            waits = self.stager.submit(self, task, errands, label)
        except Exception as error:  # whatever a staging plug-in does, the future must resolve
            failure = Failure(cause=Cause.STAGING, error=error, started=HasStarted.YES)
            self.graph.staging_failed(task.id, failure)
            return
        self.graph.transfers(task.id, waits)

    def _staged(self, task: Task) -> None:
        """The tasks that move its files are done."""
        failure = self.stager.brought(task)
        if failure is not None:
            self.graph.staging_failed(task.id, failure)
        elif self.graph.phase(task.id) is Phase.STAGING_IN:
            assert task.attempt is not None
            self.graph.staged(task.id, task.attempt)
        else:
            assert task.plan is not None
            self.graph.end(task.id, TaskState.EXEC_DONE, task.plan.value)

    def _launch(self, effect: Launch) -> None:
        tasks = [task for identity in effect.tasks if (task := self.tasks.get(identity))]
        if self._emit is not None:
            for task in tasks:
                self._tell(task, TaskState.LAUNCHED)
        if effect.executor == INTERNAL:
            for task in tasks:
                self._start_body(task)
            return
        try:
            self._fleet.running[effect.executor].launch(
                [task.request() for task in tasks], self._heard
            )
        except Exception as error:  # whatever an executor does, the futures must resolve
            started = HasStarted.NO if isinstance(error, NotStartedError) else HasStarted.UNKNOWN
            for task in tasks:
                reason = f"executor {effect.executor!r} did not take {task.described}: {error}"
                lost = ExecutorLost(reason, started)
                lost.__cause__ = error
                failure = Failure(cause=Cause.EXECUTOR_LOST, error=lost, started=started)
                if task.attempt is not None:
                    self.graph.failed(task.attempt, failure)

    def _start_body(self, task: Task) -> None:
        attempt, call = task.attempt, task.request().call
        assert attempt is not None
        assert isinstance(call, Call)

        def run() -> None:
            self.report([Started(attempt, self._clock.wall())])
            try:
                outcome = Outcome(attempt, call.function(*call.args, **call.kwargs))
            except BaseException as error:  # SystemExit too must resolve the future
                failure = Failure(cause=Cause.APPLICATION, error=error, started=HasStarted.YES)
                outcome = Outcome(attempt, failure=failure)
            self.report([outcome])

        self._bodies.put(run)

    def _consult(self, task: Task, failure: Failure) -> None:
        label = self.graph.executor_of(task.id)
        able = self._fleet.able(task.resources)
        trouble = trouble_of(task, failure, label, able, random.random())
        error = failure.error
        if not self.closing:
            policy = task.spec.options.retry or self._policy
            try:
                decision: object = policy.decide(trouble)
                if isinstance(decision, Again):
                    self._again(task, decision)
                    if self._emit is not None:
                        facts = retried(trouble, decision)
                        self._emit([Event(self._clock.wall(), "task.retried", facts)])
                    return
                if not isinstance(decision, GiveUp):
                    msg = f"it decided {decision!r:.100}; it must be an Again or a GiveUp"
                    raise TypeError(msg)
                if decision.reason:
                    add_note(error, decision.reason)
            except Exception as fault:  # the task ends with both errors
                add_note(fault, f"raised by the retry policy {policy!r}")
                set_cause(fault, error)
                error = fault
        self._note(task, error, label, told_before(trouble))
        self.graph.end(task.id, TaskState.FAILED, error=error)

    def _again(self, task: Task, decision: Again) -> None:
        if decision.executors is not None:
            self._fleet.check(decision.executors)
        change(task, decision)
        if decision.delay > 0:
            self.graph.again(task.id, self._clock.now() + decision.delay)
            self._timer.set(self.graph.deadline())
            if self._emit is not None:
                self._tell(task, TaskState.DELAYED)
        else:
            self.graph.again(task.id)

    def _expire(self, task: Task) -> None:
        error = TaskWalltime(
            f"{task.described} has run for longer than its walltime of "
            f"{task.limit:g} s. A join cannot be stopped: its body, and the tasks "
            "that it has called, go on",
            stopped=False,
        )
        attempt = self.graph.attempt_of(task.id)  # another task's, if it took that over
        if attempt is None:
            self._note(task, error, INTERNAL)
            self.graph.end(task.id, TaskState.FAILED, error=error)
            return
        failure = Failure(
            cause=Cause.TASK_WALLTIME, error=error, started=HasStarted.YES, stopped=False
        )
        self.graph.failed(attempt, failure)

    def _end_join(self, task: Task) -> None:
        value: Any = None
        error: Exception | None
        try:
            error = join_error(task.described, futures_in(task.joined))
            if error is None:
                value = results_in(task.joined)
        except Exception as fault:  # of a container of the user's own, which is made anew
            error = fault
        if error is None:
            self.graph.end(task.id, TaskState.EXEC_DONE, value)
        else:
            self._note(task, error, INTERNAL)
            self.graph.end(task.id, TaskState.FAILED, error=error)

    def _resolve(self, identity: TaskId, effect: Resolve) -> None:
        task = self.tasks.pop(identity, None)
        if task is None:
            return
        state = effect.state
        if state is TaskState.EXEC_DONE and identity != effect.tasks[0]:
            state = TaskState.MEMO_DONE  # it followed an equal call in flight
        if self._emit is not None:
            self._tell(task, state)
        future = task.spec.future
        if isinstance(future, KernelFuture):
            if state is TaskState.MEMO_DONE:
                future._remembered = True
            settle(future, effect)
        else:  # its callbacks run where it is resolved
            self.callbacks.put(lambda: settle(future, effect))

    # Words.

    def _note(self, task: Task, error: BaseException, label: str = "", before: str = "") -> None:
        where = f" on {label}" if label else ""
        attempt = len(task.history) if task.history else 1
        logs = f"; its logs: {', '.join(task.spec.log_paths)}" if task.spec.log_paths else ""
        earlier = f"; {before}" if before else ""
        note = f"raised in {task.described}, attempt {attempt}{where}{logs}{earlier}"
        add_note_once(error, note)

    def _tell(self, task: Task, state: TaskState) -> None:
        if self._emit is None:
            return
        now = self._clock.wall()
        facts = {
            "task": task.id,
            "name": task.spec.name,
            "state": str(state),
            "attempt": task.attempt,
            "executor": task.executor or self.graph.executor_of(task.id) or None,
            "after": now - task.since if task.since else 0.0,
        }
        task.since = now
        self._emit([Event(now, "task.state", facts)])

    def state_of(self, task: TaskId) -> TaskState | None:
        """Where a task stands."""
        if task not in self.tasks:
            return None
        phase = self.graph.phase(task)
        return _STATES.get(phase, TaskState.PENDING) if phase else TaskState.PENDING


_STATES = {
    Phase.LAUNCHED: TaskState.LAUNCHED,
    Phase.RUNNING: TaskState.RUNNING,
    Phase.JOINING: TaskState.JOINING,
    Phase.STAGING_IN: TaskState.STAGING_IN,
    Phase.STAGING_OUT: TaskState.STAGING_OUT,
    Phase.DECIDING: TaskState.RUNNING,
    Phase.DELAYED: TaskState.DELAYED,
}


def settle(future: Future[Any], effect: Resolve) -> None:
    """Give a future its end, unless somebody has cancelled it meanwhile."""
    try:
        if effect.state is TaskState.CANCELLED:
            if future.cancel() and not wait([future], 0).done:  # a plain one wakes nobody by itself
                future.set_running_or_notify_cancel()
        elif effect.error is not None:
            future.set_exception(effect.error)
        else:
            future.set_result(effect.value)
    except InvalidStateError:
        _LOG.debug("a result came for a future that was cancelled")
