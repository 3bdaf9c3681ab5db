"""The graph machine: where each unfinished task stands, and what must be done next.

It is pure. It is told what happened, and the time where that matters, and answers with effects,
which its shell performs in the order returned. It knows tasks by number only: functions,
arguments, futures and executors are the shell's.

The life of a task, each arrow being an entry of ``phases.TRANSITIONS``::

    WAITING → PREPARING → (STAGING_IN →) LAUNCHED → RUNNING → (JOINING →|STAGING_OUT →) final
                 │  ↑          └────────────┴─────────┴───────────────────┴──→ DECIDING → final
                 │  └── DELAYED ←──────────────────────────────────────────────────┘ │
                 │  └────────────────────────────────────────────────────────────────┘
                 └→ FOLLOWING → final

- WAITING: futures in its arguments are not done. Whether they failed is not asked here: the
  shell looks at them when it prepares the task, and says so with :meth:`Graph.end`.
- PREPARING: the shell puts arguments together, asks the memo, and chooses an executor; it answers
  ``prepared`` or ``end``.
- FOLLOWING: a call with an equal memo key is in flight, and this one ends as that one does. When
  its leader is cancelled, the first follower takes over the attempt, so the work goes on; it
  stops with the last of them.
- STAGING_IN, STAGING_OUT: other tasks move files for this one, before an executor has the attempt
  and after; the shell is told when the last of them is done, and looks whether they failed.
- DECIDING: an attempt failed; the shell asks the retry policy and answers ``again`` or ``end``.
- JOINING: its body returned futures; the shell is told when the last of them is done.

A task that has ended is forgotten at once, with the list of those that waited for it; whoever
names it later is told that there is nothing to wait for. Ending a task never ends another one in
the same step except its followers: dependents become PREPARING, and the shell comes back for
each. So a chain of any length needs no recursion, and each event costs a constant.
"""

import heapq
from collections.abc import Iterable
from typing import Any

import attrs

from lamina.kernel.phases import (
    TRANSITIONS,
    Cancel,
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
from lamina.vocabulary import AttemptId, Failure, LaminaError, TaskId, TaskState

__all__ = ["Graph", "GraphError"]


_WITH_ATTEMPT = frozenset({Phase.LAUNCHED, Phase.RUNNING})
_LIMITED = frozenset({Phase.RUNNING, Phase.JOINING})
_FEW = 64  # timers that are not worth sweeping
_STAGING = frozenset({Phase.STAGING_IN, Phase.STAGING_OUT})
_WAITS = _STAGING | {Phase.WAITING, Phase.JOINING}


class GraphError(LaminaError):
    """The shell told the machine of something that cannot have happened: a fault of ours."""


@attrs.define(eq=False)
class _Node:
    phase: Phase
    waiting: int = 0
    attempt: AttemptId | None = None
    executor: str = ""
    dependents: list[TaskId] | None = None
    key: bytes | None = None
    leader: TaskId | None = None
    followers: dict[TaskId, None] | None = None
    wake: float = 0.0
    """When its delay, or its walltime, is over."""


class Graph:
    """All unfinished tasks. Every method takes an event; ``take`` returns what is to be done."""

    __slots__ = ("_attempts", "_effects", "_leaders", "_nodes", "_ready", "_timers", "ended")

    def __init__(self) -> None:
        self._nodes: dict[TaskId, _Node] = {}
        self._attempts: dict[AttemptId, TaskId] = {}
        self._leaders: dict[bytes, TaskId] = {}
        self._timers: list[tuple[float, TaskId]] = []
        self._effects: list[Effect] = []
        self._ready: list[TaskId] = []
        self.ended: dict[TaskState, int] = dict.fromkeys(
            (state for state in TaskState if state.final), 0
        )

    def __len__(self) -> int:
        return len(self._nodes)

    def __contains__(self, task: TaskId) -> bool:
        return task in self._nodes

    def take(self) -> list[Effect]:
        """What is to be done now, in order; what became ready comes last, in one batch."""
        effects = self._effects
        if self._ready:
            effects.append(Prepare(self._ready))
            self._ready = []
        if effects:
            self._effects = []
        return effects

    # What happens to a task, in the order of its life.

    def submitted(self, task: TaskId, waits: Iterable[TaskId] = (), foreign: int = 0) -> None:
        """A task is here, which waits for tasks of ours and so many ``foreign`` futures."""
        node = _Node(Phase.WAITING)
        self._nodes[task] = node
        self._wait(task, node, waits, foreign)
        if not node.waiting:
            self._make_ready(task, node)

    def foreign_done(self, task: TaskId) -> None:
        """One of the futures from elsewhere that the task waits for is done."""
        node = self._nodes.get(task)
        if node is not None and node.waiting:
            self._count_down(task, node)

    def prepared(
        self, task: TaskId, attempt: AttemptId, executor: str, key: bytes | None = None
    ) -> bool:
        """The task can run as ``attempt``; False if it follows an equal call instead."""
        node = self._nodes.get(task)
        if node is None or (key is not None and not self._leads(task, node, key)):
            return False
        self._launch(task, node, attempt, executor)
        return True

    def stages_in(self, task: TaskId, executor: str, key: bytes | None = None) -> bool:
        """Other tasks are to move files for it first; False if it follows an equal call instead.

        ``transfers`` says which ones.
        """
        node = self._nodes.get(task)
        if node is None or (key is not None and not self._leads(task, node, key)):
            return False
        self._move(node, Phase.STAGING_IN)
        node.executor = executor
        return True

    def stages_out(self, attempt: AttemptId) -> None:
        """The attempt has a result, and other tasks are to take its files away."""
        task = self._attempts.pop(attempt, None)
        if task is None:
            return
        node = self._nodes[task]
        self._move(node, Phase.STAGING_OUT)
        node.attempt = None

    def transfers(self, task: TaskId, waits: Iterable[TaskId]) -> None:
        """These tasks move files for it; Staged comes once the last of them has ended."""
        node = self._nodes.get(task)
        if node is None:
            return
        self._wait(task, node, waits, 0)
        if not node.waiting:
            self._effects.append(Staged(task))

    def staged(self, task: TaskId, attempt: AttemptId) -> None:
        """Its files are there: it can run as ``attempt``."""
        node = self._nodes.get(task)
        if node is not None:
            self._launch(task, node, attempt, node.executor)

    def staging_failed(self, task: TaskId, failure: Failure) -> None:
        """Its files could not be moved, so the attempt has failed."""
        node = self._nodes.get(task)
        if node is not None:
            self._move(node, Phase.DECIDING)
            self._effects.append(Consult(task, failure))

    def _leads(self, task: TaskId, node: _Node, key: bytes) -> bool:
        """Whether no equal call is in flight; if one is, the task follows it."""
        leader = self._leaders.setdefault(key, task)
        if leader == task:
            node.key = key
            return True
        self._move(node, Phase.FOLLOWING)
        node.leader = leader
        ahead = self._nodes[leader]
        if ahead.followers is None:
            ahead.followers = {}
        ahead.followers[task] = None
        return False

    def _launch(self, task: TaskId, node: _Node, attempt: AttemptId, executor: str) -> None:
        self._move(node, Phase.LAUNCHED)
        node.attempt, node.executor = attempt, executor
        self._attempts[attempt] = task
        last = self._effects[-1] if self._effects else None
        if type(last) is Launch and last.executor == executor:
            last.tasks.append(task)  # type: ignore[attr-defined]  # the list made below
        else:
            self._effects.append(Launch(executor, [task]))

    def started(self, attempt: AttemptId) -> TaskId | None:
        """The attempt's code runs. Returns its task, or None if nobody waits for it."""
        task = self._attempts.get(attempt)
        if task is not None:
            node = self._nodes[task]
            if node.phase is Phase.LAUNCHED:
                self._move(node, Phase.RUNNING)
        return task

    def task_of(self, attempt: AttemptId) -> TaskId | None:
        """Whose attempt it is, if anybody still waits for it."""
        return self._attempts.get(attempt)

    def succeeded(self, attempt: AttemptId, value: Any) -> None:
        """The attempt has a result, which is the task's."""
        task = self._attempts.get(attempt)
        if task is not None:
            self.end(task, TaskState.EXEC_DONE, value)

    def joining(self, attempt: AttemptId, waits: Iterable[TaskId], foreign: int) -> None:
        """The attempt's body has returned futures to wait for."""
        task = self._attempts.pop(attempt, None)
        if task is None:
            return
        node = self._nodes[task]
        self._move(node, Phase.JOINING)
        node.attempt = None
        self._wait(task, node, waits, foreign)
        if not node.waiting:
            self._effects.append(Joined(task))

    def failed(self, attempt: AttemptId, failure: Failure) -> None:
        """The attempt has failed; what to do is for the retry policy to say."""
        task = self._attempts.pop(attempt, None)
        if task is None:
            return
        node = self._nodes[task]
        self._move(node, Phase.DECIDING)
        node.attempt, node.wake = None, 0.0
        self._effects.append(Consult(task, failure))

    def again(self, task: TaskId, wake: float | None = None) -> None:
        """Make a new attempt, at once or when the time is ``wake``."""
        node = self._nodes.get(task)
        if node is None:
            return
        if wake is None:
            self._make_ready(task, node)
        else:
            self._move(node, Phase.DELAYED)
            self._set_timer(task, node, wake)

    def limit(self, task: TaskId, until: float) -> None:
        """The task, which runs on a thread of the kernel, has time until then."""
        node = self._nodes.get(task)
        if node is not None and node.phase in _LIMITED:
            self._set_timer(task, node, until)

    def time_passed(self, now: float) -> None:
        """Wake the tasks whose delay is over, and name those whose walltime is."""
        while self._timers and self._timers[0][0] <= now:
            wake, task = heapq.heappop(self._timers)
            node = self._nodes.get(task)
            if node is None or node.wake != wake:
                continue
            if node.phase is Phase.DELAYED:
                self._make_ready(task, node)
            elif node.phase in _LIMITED:
                self._effects.append(Expire(task))

    def deadline(self) -> float | None:
        """When to call ``time_passed`` next."""
        return self._timers[0][0] if self._timers else None

    def cancelled(self, task: TaskId) -> bool:
        """Somebody cancelled the task. Returns whether it had not ended yet."""
        node = self._nodes.get(task)
        if node is None:
            return False
        if node.followers:
            self._succession(node)
        elif node.phase in _WITH_ATTEMPT and node.attempt is not None:
            self._effects.append(Cancel(node.executor, node.attempt))
        self.end(task, TaskState.CANCELLED)
        return True

    def end(
        self,
        task: TaskId,
        state: TaskState,
        value: Any = None,
        error: BaseException | None = None,
    ) -> None:
        """The task has ended so, and with it the tasks that follow it."""
        node = self._forget(task)
        if node is None:
            return
        tasks, nodes = [task], [node]
        for follower in node.followers or ():
            behind = self._nodes[follower]
            behind.leader = None
            self._forget(follower)
            tasks.append(follower)
            nodes.append(behind)
        self.ended[state] += 1
        if len(tasks) > 1:
            done = state is TaskState.EXEC_DONE
            self.ended[TaskState.MEMO_DONE if done else state] += len(tasks) - 1
        self._effects.append(Resolve(tasks, state, value, error))
        for ended in nodes:
            for dependent in ended.dependents or ():
                waiter = self._nodes.get(dependent)
                if waiter is not None:
                    self._count_down(dependent, waiter)

    def end_all(self, state: TaskState, error: BaseException | None, *, idle: bool) -> None:
        """End everything, or, with ``idle``, what no executor has."""
        for task in list(self._nodes):
            node = self._nodes.get(task)
            if node is None or (idle and node.phase in _WITH_ATTEMPT):
                continue
            if idle and node.leader is not None:
                continue
            self.end(task, state, None, error)

    # What one may ask.

    def phase(self, task: TaskId) -> Phase | None:
        """Where the task stands; None once it has ended."""
        node = self._nodes.get(task)
        return None if node is None else node.phase

    def attempt_of(self, task: TaskId) -> AttemptId | None:
        """The attempt that an executor has of it, if there is one."""
        node = self._nodes.get(task)
        return None if node is None else node.attempt

    def waiting_for(self, task: TaskId) -> int:
        """How many futures the task waits for."""
        node = self._nodes.get(task)
        return 0 if node is None else node.waiting

    def executor_of(self, task: TaskId) -> str:
        """The label of the executor that had its last attempt; empty if there was none."""
        node = self._nodes.get(task)
        return "" if node is None else node.executor

    def check_invariants(self, tasks: Iterable[TaskId] | None = None) -> None:
        """Raise AssertionError if these tasks (default: all) contradict the rest of the machine.

        With a task, those that follow it, lead it or depend on it are looked at as well.
        """
        if tasks is None:
            chosen: Iterable[TaskId] = self._nodes
            assert all(task in self._nodes for task in self._attempts.values())
            assert all(self._nodes[task].key == key for key, task in self._leaders.items())
        else:
            chosen = {near for task in tasks for near in (task, *self._neighbours(task))}
        for task in chosen:
            node = self._nodes.get(task)
            if node is not None:
                self._check(task, node)
        if not self._nodes:
            assert not self._attempts
            assert not self._leaders

    def _neighbours(self, task: TaskId) -> Iterable[TaskId]:
        node = self._nodes.get(task)
        if node is None:
            return ()
        leader = () if node.leader is None else (node.leader,)
        return (*leader, *(node.followers or ()), *(node.dependents or ()))

    def _check(self, task: TaskId, node: _Node) -> None:
        assert (node.attempt is not None) == (node.phase in _WITH_ATTEMPT), task
        assert (node.leader is not None) == (node.phase is Phase.FOLLOWING), task
        assert node.waiting == 0 or node.phase in _WAITS, task
        assert node.waiting > 0 or node.phase is not Phase.WAITING, task
        assert node.attempt is None or self._attempts[node.attempt] == task, task
        assert node.key is None or self._leaders[node.key] == task, task
        assert not node.followers or node.key is not None, task
        if node.leader is not None:
            assert task in (self._nodes[node.leader].followers or ()), task

    # How it is done.

    def _move(self, node: _Node, phase: Phase) -> None:
        if phase not in TRANSITIONS[node.phase]:
            msg = f"a task cannot go from {node.phase.value} to {phase.value}"
            raise GraphError(msg)
        node.phase = phase

    def _set_timer(self, task: TaskId, node: _Node, wake: float) -> None:
        node.wake = wake
        heapq.heappush(self._timers, (wake, task))
        if len(self._timers) > _FEW + 2 * len(self._nodes):  # most are of tasks that have ended
            self._timers = [
                (at, one)
                for at, one in self._timers
                if (held := self._nodes.get(one)) is not None and held.wake == at
            ]
            heapq.heapify(self._timers)

    def _make_ready(self, task: TaskId, node: _Node) -> None:
        self._move(node, Phase.PREPARING)
        self._ready.append(task)

    def _wait(self, task: TaskId, node: _Node, waits: Iterable[TaskId], foreign: int) -> None:
        count = foreign
        for other in waits:
            ahead = self._nodes.get(other)
            if ahead is None or other == task:
                continue
            if ahead.dependents is None:
                ahead.dependents = []
            ahead.dependents.append(task)
            count += 1
        node.waiting = count

    def _count_down(self, task: TaskId, node: _Node) -> None:
        node.waiting -= 1
        if node.waiting:
            return
        if node.phase is Phase.WAITING:
            self._make_ready(task, node)
        elif node.phase in _STAGING:
            self._effects.append(Staged(task))
        else:
            self._effects.append(Joined(task))

    def _forget(self, task: TaskId) -> _Node | None:
        node = self._nodes.pop(task, None)
        if node is None:
            return None
        if node.attempt is not None:
            self._attempts.pop(node.attempt, None)
        if node.key is not None:
            self._leaders.pop(node.key, None)
        if node.leader is not None:
            followers = self._nodes[node.leader].followers
            if followers is not None:
                followers.pop(task, None)
        return node

    def _succession(self, node: _Node) -> None:
        """The leader leaves: the first follower takes over its attempt, or all start anew."""
        followers, key = list(node.followers or ()), node.key
        node.followers = node.key = None
        assert key is not None
        del self._leaders[key]
        if node.phase not in _WITH_ATTEMPT or node.attempt is None:
            for follower in followers:
                behind = self._nodes[follower]
                behind.leader = None
                self._make_ready(follower, behind)
            return
        heir = followers[0]
        first = self._nodes[heir]
        self._move(first, node.phase)
        first.leader, first.key = None, key
        first.attempt, first.executor = node.attempt, node.executor
        if node.wake:
            self._set_timer(heir, first, node.wake)
        first.followers = dict.fromkeys(followers[1:])
        node.attempt = None
        self._attempts[first.attempt] = heir
        self._leaders[key] = heir
        for follower in followers[1:]:
            self._nodes[follower].leader = heir
