from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lamina.kernel import TaskOptions, TaskSpec
from lamina.kernel.memories import Memories
from lamina.kernel.phases import Prepare, Resolve
from lamina.kernel.task import Task
from lamina.memo import Entry, InMemoryMemo
from lamina.vocabulary import File, TaskId, TaskState


def made(number: int, *args: Any, outputs: tuple[File, ...] = ()) -> Task:
    spec = TaskSpec(len, name="f", options=TaskOptions(cache=True), outputs=outputs)
    return Task(TaskId(number), spec, (), None, None, args, {})


def ended(task: Task, value: Any, state: TaskState = TaskState.EXEC_DONE) -> Resolve:
    return Resolve([task.id], state, value, None)


class _Counting(InMemoryMemo):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def record(self, entries: Sequence[Entry]) -> None:
        self.calls += 1
        super().record(entries)


def test_what_ended_well_is_found_again_and_nothing_else() -> None:
    memories = Memories(InMemoryMemo())
    good, bad, other = made(1, "a"), made(2, "b"), made(3, "c")
    tasks = {task.id: task for task in (good, bad, other)}
    assert [memories.find(task) for task in tasks.values()] == [None, None, None]
    memories.record(
        [ended(good, 5), ended(bad, None, TaskState.FAILED), Prepare([other.id])], tasks
    )
    hit = memories.find(made(4, "a"))
    assert hit is not None
    assert hit.value == 5
    assert memories.find(made(5, "b")) is None
    assert memories.find(made(6, "c")) is None


def test_a_result_counts_while_its_outputs_are_as_they_were(tmp_path: Path) -> None:
    memories = Memories(InMemoryMemo())
    out = tmp_path / "out"
    out.write_text("x", encoding="utf-8")
    task = made(1, "a", outputs=(File(str(out)),))
    memories.find(task)
    memories.record([ended(task, 5)], {task.id: task})
    again = made(2, "a", outputs=(File(str(out)),))
    assert memories.find(again) is not None
    out.write_text("longer", encoding="utf-8")
    assert memories.find(again) is None


def test_a_memo_that_nobody_asks_is_told_nothing() -> None:
    memo = _Counting()
    memories = Memories(memo)
    task = made(1, "a")
    memories.record([ended(task, 5)], {task.id: task})
    assert memo.calls == 0
    memories.find(task)
    memories.record([ended(task, 5)], {task.id: task})
    assert memo.calls == 1


def test_a_memo_that_cannot_record_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(InMemoryMemo):
        def record(self, entries: Sequence[Entry]) -> None:
            raise OSError("the disk is full")

    memories = Memories(Broken())
    task = made(1, "a")
    memories.find(task)
    memories.record([ended(task, 5)], {task.id: task})
    assert "the memo could not record 1 results" in caplog.text
