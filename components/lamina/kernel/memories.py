"""What a kernel does with its memo: keys, look-ups, and results to be remembered."""

import logging
from collections.abc import Mapping, Sequence

from lamina.kernel.outputs import marks_of, still_there
from lamina.kernel.phases import Effect, Resolve
from lamina.kernel.task import Task
from lamina.memo import Entry, Hit, Memo, Subject
from lamina.vocabulary import TaskId, TaskState

__all__ = ["Memories"]

_LOG = logging.getLogger(__name__)


class Memories:
    """The memo of one kernel."""

    def __init__(self, memo: Memo) -> None:
        self._memo = memo
        self._asked = False

    def find(self, task: Task) -> Hit | None:
        """What is remembered of a task's call, if its outputs are still as they were.

        Raises:
            Exception: The memo's own, for a call that can have no key.
        """
        assert task.args is not None
        assert task.kwargs is not None
        spec = task.spec
        options = spec.options
        if task.key is None:
            self._asked = True
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
        found = self._memo.look_up(task.key)
        return (
            found if isinstance(found, Hit) and still_there(spec.outputs, found.outputs) else None
        )

    def record(self, effects: Sequence[Effect], tasks: Mapping[TaskId, Task]) -> None:
        """Remember what has ended well, before anybody hears of it."""
        if not self._asked:
            return
        entries = [entry for effect in effects if (entry := _entry(effect, tasks))]
        if not entries:
            return
        try:
            self._memo.record(entries)
        except Exception:  # the tasks succeeded all the same
            _LOG.exception("the memo could not record %d results", len(entries))


def _entry(effect: Effect, tasks: Mapping[TaskId, Task]) -> Entry | None:
    if not isinstance(effect, Resolve) or effect.state is not TaskState.EXEC_DONE:
        return None
    task = tasks.get(effect.tasks[0])
    if task is None or task.key is None:
        return None
    marks = marks_of(task.spec.outputs)
    return None if marks is None else Entry(task.key, effect.value, task.spec.name, marks)
