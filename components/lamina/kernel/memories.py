"""What a kernel does with its memo: keys, look-ups, and results to be remembered."""

import logging
from collections.abc import Mapping, Sequence

from lamina.kernel.outputs import marks_of, out_of_sight, what_changed
from lamina.kernel.phases import Effect, Resolve
from lamina.kernel.task import Task
from lamina.memo import Entry, Hit, Memo, Miss, Subject
from lamina.vocabulary import Cause, Event, TaskId, TaskState

__all__ = ["Memories", "missed"]

_LOG = logging.getLogger(__name__)

_RECORDED = frozenset({TaskState.EXEC_DONE, TaskState.FAILED})


class Memories:
    """The memo of one kernel."""

    def __init__(self, memo: Memo) -> None:
        self._memo = memo
        self.asked = False
        """Whether a key was ever asked for: before that, nothing has to be recorded."""

    def find(self, task: Task) -> Hit | Miss:
        """What is remembered of a task's call, if its outputs are still as they were.

        Raises:
            Exception: The memo's own, for a call that can have no key.
        """
        assert task.args is not None
        assert task.kwargs is not None
        spec = task.spec
        options = spec.options
        if task.key is None:
            self.asked = True
            task.key = self._memo.key(
                Subject(
                    options.memo_function or spec.function,
                    task.args,
                    task.kwargs,
                    spec.outputs,
                    options.ignore_for_cache,
                    options.version,
                )
            )
        if spec.outputs and (reason := out_of_sight(spec.outputs)):
            return Miss(reason)
        found = self._memo.look_up(task.key)
        if isinstance(found, Hit) and found.error is None:
            changed = what_changed(spec.outputs, found.outputs)
            if changed:
                return Miss(f"it was recorded, and {changed}")
        return found

    def record(self, effects: Sequence[Effect], tasks: Mapping[TaskId, Task]) -> None:
        """Remember what has ended, before anybody hears of it."""
        entries = [entry for effect in effects if (entry := _entry(effect, tasks))]
        if not entries:
            return
        try:
            self._memo.record(entries)
        except Exception:  # the tasks succeeded all the same
            _LOG.exception("the memo could not record %d results", len(entries))


def missed(task: Task, miss: Miss, at: float) -> Event:
    """What is told of a look-up that found nothing; finding out why may read the memo."""
    return Event(at, "memo.missed", {"task": task.id, "name": task.spec.name, "reason": miss.why()})


def _entry(effect: Effect, tasks: Mapping[TaskId, Task]) -> Entry | None:
    if not isinstance(effect, Resolve) or effect.state not in _RECORDED:
        return None
    task = tasks.get(effect.tasks[0])
    if task is None or task.key is None:
        return None
    if effect.state is TaskState.FAILED:
        # Only what its own code raised would be raised again; other failures are of the day.
        if not task.history or task.history[-1].failure.cause is not Cause.APPLICATION:
            return None
        return Entry(task.key, None, task.spec.name, error=effect.error)
    marks = marks_of(task.spec.outputs)
    return None if marks is None else Entry(task.key, effect.value, task.spec.name, marks)
