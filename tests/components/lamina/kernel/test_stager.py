import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor as Pool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from lamina.events import MemorySink
from lamina.executors import Capabilities, Executor, ForeignExecutor, ThreadPoolExecutor
from lamina.kernel import Config, DataFlowKernel, KernelFuture, TaskOptions, TaskSpec
from lamina.retry_policy import Again, Decision, GiveUp, Trouble
from lamina.staging import Mode, NoStaging, Place
from lamina.vocabulary import Cause, File, HasStarted, StagingFailed, TaskState, WorkerLost
from tests.fakes.executors import HandExecutor
from tests.fakes.staging import FolderStaging

X, Y = File("fake://h/x"), File("fake://h/y")
PATIENCE = 60.0


@attrs.frozen
class Elsewhere:
    """Sends what failed to the next executor, once."""

    label: str
    seen: list[Trouble] = attrs.field(factory=list)

    def decide(self, trouble: Trouble) -> Decision:
        self.seen.append(trouble)
        return Again(executors=(self.label,)) if len(trouble.history) == 1 else GiveUp()


@contextmanager
def kernel(tmp_path: Path, *executors: Executor, **options: Any) -> Iterator[DataFlowKernel]:
    config = Config(executors=executors, run_dir=tmp_path / "runs", **options)
    made = DataFlowKernel(config)
    try:
        yield made
    finally:
        made.close(5)


def copying(source: Any, target: Any) -> str:
    Path(target).write_text(Path(source).read_text())
    return str(source)


def submit(
    made: DataFlowKernel, function: Callable[..., Any], *args: Any, **options: Any
) -> KernelFuture[Any]:
    outputs = options.pop("outputs", ())
    future: KernelFuture[Any] = KernelFuture()
    spec = TaskSpec(function, args, {}, future, "t", TaskOptions(**options), outputs)
    made.submit(spec)
    return future


def read(source: Any) -> str:
    return Path(source).read_text()


@pytest.fixture
def there(tmp_path: Path) -> Path:
    folder = tmp_path / "there"
    folder.mkdir()
    (folder / "x").write_text("1")
    return folder


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("mode", [Mode.IN_TASK, Mode.SEPARATE])
@pytest.mark.parametrize("place", list(Place))
def test_files_are_brought_and_taken_away_in_every_way(
    tmp_path: Path, there: Path, shared: bool, mode: Mode, place: Place
) -> None:
    plugin = FolderStaging(str(there), mode, place)
    pool = ForeignExecutor(lambda: Pool(2), working_dir=tmp_path / "w", shared_file_system=shared)
    with kernel(tmp_path, pool, storage_access=[plugin]) as made:
        future = submit(made, copying, X, Y, outputs=(Y,))
        assert Path(future.result(PATIENCE)).name == "x"
        assert (there / "y").read_text() == "1"
    assert plugin.log() == ["fetch x", "store y"]
    assert not list((tmp_path / "w" / "tasks").iterdir())
    assert not (tmp_path / "w" / "kept").exists() or not list((tmp_path / "w" / "kept").iterdir())


def test_a_separate_transfer_is_a_task_with_states_of_its_own(tmp_path: Path, there: Path) -> None:
    sink = MemorySink()
    plugin = FolderStaging(str(there), Mode.SEPARATE)
    with kernel(
        tmp_path, ThreadPoolExecutor(), storage_access=[plugin], event_sinks=[sink]
    ) as made:
        submit(made, copying, X, Y, outputs=(Y,)).result(PATIENCE)
    told = [(event.facts["name"], event.facts["state"]) for event in sink.events]
    states = [state for name, state in told if name == "t"]
    assert states == ["pending", "staging_in", "launched", "running", "staging_out", "exec_done"]
    for name in ("stage-in fake://h/x", "stage-out fake://h/y"):
        assert [state for which, state in told if which == name] == [
            "pending",
            "launched",
            "running",
            "exec_done",
        ]


def test_while_files_are_brought_the_task_says_so(tmp_path: Path, there: Path) -> None:
    hand = HandExecutor()
    plugin = FolderStaging(str(there), Mode.SEPARATE)
    with kernel(tmp_path, hand, storage_access=[plugin]) as made:
        future = submit(made, copying, X, Y, outputs=(Y,))
        task = future.task_id
        assert task is not None
        assert made.state(task) is TaskState.STAGING_IN
        assert made.explain(task).endswith("waits for 1 of its files to be brought")
        hand.run()
        assert made.state(task) is TaskState.LAUNCHED
        hand.run()
        assert made.state(task) is TaskState.STAGING_OUT
        assert "are taken away" in made.explain(task)
        assert not future.done()
        assert not (there / "y").exists()
        hand.run()
        assert future.done()
        assert (there / "y").read_text() == "1"


def test_tasks_that_want_one_file_at_once_have_it_brought_once(tmp_path: Path, there: Path) -> None:
    hand = HandExecutor()
    plugin = FolderStaging(str(there), Mode.SEPARATE)
    with kernel(tmp_path, hand, storage_access=[plugin]) as made:
        futures = [submit(made, read, X) for _ in range(3)]
        assert [task.name for task in hand.launched] == ["stage-in fake://h/x"]
        hand.run_all()
        assert [future.result(PATIENCE) for future in futures] == ["1"] * 3
    assert plugin.log() == ["fetch x"]


def test_a_transfer_that_nobody_wants_any_more_is_cancelled(tmp_path: Path, there: Path) -> None:
    hand = HandExecutor()
    plugin = FolderStaging(str(there), Mode.SEPARATE)
    with kernel(tmp_path, hand, storage_access=[plugin]) as made:
        one, two = submit(made, read, X), submit(made, read, X)
        one.cancel()
        assert hand.cancelled == []
        two.cancel()
        assert hand.cancelled == [hand.launched[0].attempt]


def test_when_the_leader_of_equal_calls_is_cancelled_while_its_files_come_the_next_goes_on(
    tmp_path: Path, there: Path
) -> None:
    hand = HandExecutor()
    plugin = FolderStaging(str(there), Mode.SEPARATE)
    with kernel(tmp_path, hand, storage_access=[plugin]) as made:
        leader, follower = submit(made, read, X, cache=True), submit(made, read, X, cache=True)
        leader.cancel()
        hand.run_all()
        assert follower.result(PATIENCE) == "1"
        assert leader.cancelled()


@pytest.mark.parametrize("mode", [Mode.IN_TASK, Mode.SEPARATE])
def test_a_failed_transfer_is_a_failed_attempt_with_all_its_facts(
    tmp_path: Path, there: Path, mode: Mode
) -> None:
    (there / "refuse").write_text("x\nx")
    policy = Elsewhere("threads")
    with kernel(
        tmp_path,
        ThreadPoolExecutor(),
        storage_access=[FolderStaging(str(there), mode)],
        retry_policy=policy,
    ) as made:
        error = submit(made, read, X).exception(PATIENCE)
        assert isinstance(error, StagingFailed)
        facts = (error.url, error.status, error.moved, error.again, error.started)
        assert facts == (X.url, 503, 7, True, HasStarted.NO)
        assert submit(made, read, X).result(PATIENCE) == "1"
    troubles = [one.failure for one in policy.seen]
    assert [(one.cause, one.started) for one in troubles] == [(Cause.STAGING, HasStarted.NO)] * 2


def test_a_failed_stage_out_fails_the_task_and_leaves_nothing(tmp_path: Path, there: Path) -> None:
    for mode in (Mode.IN_TASK, Mode.SEPARATE):
        (there / "refuse").write_text("y")
        plugin = FolderStaging(str(there), mode)
        with kernel(tmp_path, ThreadPoolExecutor(), storage_access=[plugin]) as made:
            error = submit(made, copying, X, Y, outputs=(Y,)).exception(PATIENCE)
            assert isinstance(error, StagingFailed)
            assert (error.url, error.started) == (Y.url, HasStarted.YES)
        assert not (there / "y").exists()
        assert not (tmp_path / "runs" / "staging" / "kept" / "x").exists()


def test_a_retry_on_another_executor_stages_anew(tmp_path: Path, there: Path) -> None:
    plugin = FolderStaging(str(there), Mode.SEPARATE)
    first, second = HandExecutor("first"), HandExecutor("second")
    with kernel(
        tmp_path, first, second, storage_access=[plugin], retry_policy=Elsewhere("second")
    ) as made:
        future = submit(made, copying, X, Y, outputs=(Y,), executors=("first",))
        first.run()
        first.fail(WorkerLost("it died"))
        assert [task.name for task in second.launched] == ["stage-in fake://h/x"]
        second.run_all()
        future.result(PATIENCE)
    assert [task.name for task in first.launched] == ["stage-in fake://h/x", "t"]
    assert [task.name for task in second.launched][1:] == ["t", "stage-out fake://h/y"]


def test_a_retry_without_a_shared_file_system_brings_the_file_to_the_other_node(
    tmp_path: Path, there: Path
) -> None:
    plugin = FolderStaging(str(there))
    pools = [
        ForeignExecutor(
            lambda: Pool(1), label, shared_file_system=False, working_dir=tmp_path / label
        )
        for label in ("first", "second")
    ]
    tried: list[str] = []

    def fails_once(source: Any) -> str:
        tried.append(str(source))
        if len(tried) == 1:
            raise ValueError("not here")
        return Path(source).read_text()

    with kernel(
        tmp_path, *pools, storage_access=[plugin], retry_policy=Elsewhere("second")
    ) as made:
        assert submit(made, fails_once, X, executors=("first",)).result(PATIENCE) == "1"
    assert [Path(one).is_relative_to(tmp_path / "second") for one in tried] == [False, True]
    assert plugin.log() == ["fetch x", "fetch x"]


def test_a_transfer_that_lost_its_worker_is_begun_anew(tmp_path: Path, there: Path) -> None:
    hand = HandExecutor()
    plugin = FolderStaging(str(there), Mode.SEPARATE)
    with kernel(tmp_path, hand, storage_access=[plugin]) as made:
        future = submit(made, read, X)
        hand.fail(WorkerLost("it died"))
        hand.run_all()
        assert future.result(PATIENCE) == "1"


def test_a_transfer_that_takes_too_long_fails_with_what_ended_it(
    tmp_path: Path, there: Path
) -> None:
    go_on = threading.Event()

    @attrs.frozen
    class Slow(FolderStaging):
        def fetch(self, file: File, target: Path) -> None:
            go_on.wait(PATIENCE)
            super().fetch(file, target)

    plugin = Slow(str(there), place=Place.CLIENT)
    with kernel(
        tmp_path,
        ThreadPoolExecutor(),
        storage_access=[plugin],
        staging_walltime=0.1,
        staging_max_threads=1,
    ) as made:
        stuck = submit(made, read, X)
        other = submit(made, len, "abc")
        assert other.result(PATIENCE) == 3
        error = stuck.exception(PATIENCE)
        assert isinstance(error, StagingFailed)
        assert "walltime of 0.1 s" in str(error)
        go_on.set()


def test_a_task_goes_to_an_executor_that_can_get_at_its_files(tmp_path: Path, there: Path) -> None:
    without = HandExecutor("without")
    with_it = ThreadPoolExecutor("with", storage_access=[FolderStaging(str(there))])
    with kernel(tmp_path, without, with_it) as made:
        assert submit(made, read, X).result(PATIENCE) == "1"
        error = submit(made, read, X, executors=("without",)).exception(PATIENCE)
        assert isinstance(error, NoStaging)
        assert "executor 'without'" in str(error)
        assert made.labels == ("without", "with")


def test_a_plain_file_reaches_an_executor_that_does_not_see_it(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("1")
    pool = ForeignExecutor(lambda: Pool(1), shared_file_system=False, working_dir=tmp_path / "w")
    with kernel(tmp_path, pool) as made:
        out = File(tmp_path / "out")
        path = submit(made, copying, File(tmp_path / "in"), out, outputs=(out,)).result(PATIENCE)
        assert Path(path).is_relative_to(tmp_path / "w")
        assert (tmp_path / "out").read_text() == "1"


def test_a_plain_file_that_is_to_be_verified_is(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("1")
    with kernel(tmp_path, ThreadPoolExecutor()) as made:
        assert submit(made, read, File(tmp_path / "in", size=1)).result(PATIENCE) == "1"
        error = submit(made, read, File(tmp_path / "in", size=2)).exception(PATIENCE)
        assert isinstance(error, StagingFailed)
        assert "size=2" in str(error)


def test_the_key_of_a_staged_call_is_that_of_the_user_s_own(tmp_path: Path, there: Path) -> None:
    def other(source: Any) -> str:
        return "other"

    plugin = FolderStaging(str(there))
    with kernel(tmp_path, ThreadPoolExecutor(), storage_access=[plugin]) as made:
        assert submit(made, read, X, cache=True).result(PATIENCE) == "1"
        (there / "x").write_text("22")
        again = submit(made, read, X, cache=True)
        assert again.result(PATIENCE) == "1"
        assert again._remembered
        assert submit(made, other, X, cache=True).result(PATIENCE) == "other"


def test_a_hit_whose_output_was_deleted_is_none(tmp_path: Path, there: Path) -> None:
    out = File(tmp_path / "out")
    plugin = FolderStaging(str(there))
    with kernel(tmp_path, ThreadPoolExecutor(), storage_access=["file", plugin]) as made:
        submit(made, copying, X, out, outputs=(out,), cache=True).result(PATIENCE)
        found = submit(made, copying, X, out, outputs=(out,), cache=True)
        found.result(PATIENCE)
        assert found._remembered
        (tmp_path / "out").unlink()
        anew = submit(made, copying, X, out, outputs=(out,), cache=True)
        anew.result(PATIENCE)
        assert not anew._remembered
        assert (tmp_path / "out").read_text() == "1"


def test_closing_while_files_come_resolves_everything(tmp_path: Path, there: Path) -> None:
    plugin = FolderStaging(str(there), Mode.SEPARATE)
    with kernel(tmp_path, HandExecutor(), storage_access=[plugin]) as made:
        future = submit(made, read, X)
    assert future.exception(PATIENCE) is not None


def test_whatever_goes_wrong_on_the_way_out_the_future_resolves(
    tmp_path: Path, there: Path
) -> None:
    class Blind(HandExecutor):
        @property
        def capabilities(self) -> Capabilities:
            return attrs.evolve(super().capabilities, shared_file_system=False)

    hand = Blind()
    plugin = FolderStaging(str(there), place=Place.CLIENT)
    with kernel(tmp_path, hand, storage_access=[plugin]) as made:
        future = submit(made, print, Y, outputs=(Y,))
        hand.succeed("a result without the content that should have come with it")
        assert isinstance(future.exception(PATIENCE), KeyError)


def test_what_was_left_behind_is_removed_at_the_end(tmp_path: Path, there: Path) -> None:
    hand = HandExecutor()
    plugin = FolderStaging(str(there), Mode.SEPARATE)
    with kernel(tmp_path, hand, storage_access=[plugin]) as made:
        submit(made, copying, X, Y, outputs=(Y,))
        hand.run()
        hand.run()
        (kept,) = (tmp_path / "runs" / "staging" / "kept").iterdir()
        left = tmp_path / "runs" / "staging" / "tasks" / f"{kept.name}-of-a-worker-that-died"
        left.mkdir()
    assert not kept.exists()
    assert not left.exists()
