from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lamina.kernel import TaskOptions, TaskSpec
from lamina.kernel.memories import Memories, missed
from lamina.kernel.phases import Prepare, Resolve
from lamina.kernel.task import Task
from lamina.memo import Entry, Hit, InMemoryMemo, Miss
from lamina.retry_policy import Attempt
from lamina.vocabulary import Cause, Failure, File, HasStarted, TaskId, TaskState


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
    assert all(isinstance(memories.find(task), Miss) for task in tasks.values())
    memories.record(
        [ended(good, 5), ended(bad, None, TaskState.FAILED), Prepare([other.id])], tasks
    )
    hit = memories.find(made(4, "a"))
    assert isinstance(hit, Hit)
    assert hit.value == 5
    assert isinstance(memories.find(made(5, "b")), Miss)
    assert isinstance(memories.find(made(6, "c")), Miss)


def test_a_result_counts_while_its_outputs_are_as_they_were(tmp_path: Path) -> None:
    memories = Memories(InMemoryMemo())
    out = tmp_path / "out"
    out.write_text("x", encoding="utf-8")
    task = made(1, "a", outputs=(File(str(out)),))
    memories.find(task)
    memories.record([ended(task, 5)], {task.id: task})
    again = made(2, "a", outputs=(File(str(out)),))
    assert isinstance(memories.find(again), Hit)
    out.write_text("longer", encoding="utf-8")
    found = memories.find(again)
    assert isinstance(found, Miss)
    assert "is not as it was" in missed(again, found, 1.0).facts["reason"]  # type: ignore[operator]


def test_a_call_with_an_output_elsewhere_has_a_key_and_is_not_remembered() -> None:
    memories = Memories(InMemoryMemo())
    task = made(1, "a", outputs=(File("http://host/x"),))
    for _ in range(2):
        found = memories.find(task)
        assert isinstance(found, Miss)
        assert "not remembered" in found.why()
        memories.record([ended(task, 5)], {task.id: task})
    assert task.key == memories_key(made(2, "a", outputs=(File("http://host/x"),)))


def memories_key(task: Task) -> bytes | None:
    Memories(InMemoryMemo()).find(task)
    return task.key


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


def failed(task: Task, cause: Cause) -> Resolve:
    error = ValueError("no")
    failure = Failure(cause=cause, error=error, started=HasStarted.YES)
    task.history = [Attempt(failure=failure, executor="hand")]
    return Resolve([task.id], TaskState.FAILED, None, error)


def test_what_its_own_code_raised_is_kept_where_the_memo_wants_it(tmp_path: Path) -> None:
    memories = Memories(InMemoryMemo(errors=[ValueError]))
    own, lost = made(1, "a", outputs=(File(tmp_path / "out"),)), made(2, "b")
    for task, cause in ((own, Cause.APPLICATION), (lost, Cause.WORKER_LOST)):
        memories.find(task)
        memories.record([failed(task, cause)], {task.id: task})
    again = memories.find(made(3, "a", outputs=own.spec.outputs))
    assert isinstance(again, Hit)
    assert isinstance(again.error, ValueError)
    assert isinstance(memories.find(made(4, "b")), Miss)
