import copy
import os
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from lamina.executors import (
    AlreadyStartedError,
    BrokenPool,
    Call,
    Executor,
    Load,
    News,
    NotStartedError,
    Outcome,
    Payload,
    Site,
    Started,
    TaskRequest,
    ThreadPoolExecutor,
)
from lamina.vocabulary import AttemptId, Cause, ConfigError, HasStarted, TaskWalltime

DEADLINE = 5.0


class Heard:
    """Keeps what was reported, and waits for outcomes."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.news: list[News] = []

    def __call__(self, news: Sequence[News]) -> None:
        with self._changed:
            self.news.extend(news)
            self._changed.notify_all()

    def outcomes(self) -> dict[int, Outcome]:
        return {item.attempt: item for item in self.news if isinstance(item, Outcome)}

    def wait_for(self, count: int) -> dict[int, Outcome]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.outcomes()) >= count, DEADLINE)
            return self.outcomes()


def task(attempt: int, function, *args, **options) -> TaskRequest:
    return TaskRequest(AttemptId(attempt), Call(function, args), name=f"t{attempt}", **options)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(max_threads=1)
    pool.start(Site(run_dir=tmp_path))
    yield pool
    pool.close()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


def occupy(pool: ThreadPoolExecutor, heard: Heard, gate: threading.Event, **options) -> None:
    running = threading.Event()

    def hold() -> str:
        running.set()
        gate.wait(DEADLINE)
        return "late"

    pool.launch([task(0, hold, **options)], heard)
    assert running.wait(DEADLINE)


def test_it_satisfies_the_protocol(pool):
    executor: Executor = pool
    assert executor.label == "threads"
    assert not executor.capabilities.stops_running_tasks


def test_each_attempt_is_reported_once_with_its_value_and_times(pool, heard):
    pool.launch([task(n, pow, n, 2) for n in range(50)], heard)
    outcomes = heard.wait_for(50)
    assert {n: outcome.value for n, outcome in outcomes.items()} == {n: n * n for n in range(50)}
    assert all(o.began is not None and o.began <= o.ended for o in outcomes.values())
    assert len([item for item in heard.news if isinstance(item, Started)]) == 50


def test_higher_priorities_run_sooner_and_equal_ones_in_order(pool, heard, gate):
    occupy(pool, heard, gate)
    ran = []
    pool.launch([task(n, ran.append, n, priority=n // 10) for n in (11, 25, 12, 21)], heard)
    gate.set()
    heard.wait_for(5)
    assert ran == [25, 21, 11, 12]


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_whatever_a_task_raises_is_its_failure_and_the_thread_goes_on(pool, heard, error):
    def fail() -> None:
        raise error("no")

    pool.launch([task(1, fail), task(2, abs, -1)], heard)
    outcomes = heard.wait_for(2)
    failure = outcomes[1].failure
    assert failure.cause is Cause.APPLICATION
    assert type(failure.error) is error
    assert failure.error.__traceback__.tb_next.tb_frame.f_code.co_name == "fail"
    assert outcomes[2].value == 1


def test_a_payload_is_handed_to_its_runner(pool, heard):
    pool.launch([TaskRequest(AttemptId(1), Payload(f"{__name__}:missing", b"x"))], heard)
    assert heard.wait_for(1)[1].failure.cause is Cause.APPLICATION
    pool.launch([TaskRequest(AttemptId(2), Payload("base64:b64encode", b"abc"))], heard)
    assert heard.wait_for(2)[2].value == b"YWJj"


@pytest.mark.parametrize("options", [{"env": {"A": "1"}}, {"memory_limit": 1 << 30}])
def test_what_threads_share_cannot_be_asked_for(pool, heard, options):
    pool.launch([task(1, abs, -1, **options), task(2, abs, -1)], heard)
    outcomes = heard.wait_for(2)
    assert isinstance(outcomes[1].failure.error, ConfigError)
    assert "HighThroughputExecutor" in str(outcomes[1].failure.error)
    assert outcomes[1].failure.started is HasStarted.NO
    assert outcomes[2].value == 1


def test_a_queued_attempt_is_cancelled_at_once_and_never_runs(pool, heard, gate):
    occupy(pool, heard, gate)
    ran = []
    pool.launch([task(1, ran.append, 1), task(2, ran.append, 2)], heard)
    pool.cancel([AttemptId(1), AttemptId(99)])
    failure = heard.outcomes()[1].failure
    assert (failure.cause, failure.started) == (Cause.CANCELLED, HasStarted.NO)
    assert failure.stopped
    gate.set()
    heard.wait_for(3)
    assert ran == [2]


def test_a_cancelled_running_attempt_goes_on_unheard_and_its_thread_is_replaced(pool, heard, gate):
    occupy(pool, heard, gate)
    pool.cancel([AttemptId(0)])
    failure = heard.outcomes()[0].failure
    assert failure.cause is Cause.CANCELLED
    assert not failure.stopped
    pool.launch([task(1, abs, -1)], heard)
    assert heard.wait_for(2)[1].value == 1
    gate.set()
    pool.launch([task(2, abs, -2)], heard)
    heard.wait_for(3)
    assert [i.attempt for i in heard.news if isinstance(i, Outcome)] == [0, 1, 2]


def test_at_the_end_of_its_walltime_an_attempt_fails_and_its_thread_is_replaced(pool, heard, gate):
    occupy(pool, heard, gate, walltime=0.02)
    outcome = heard.wait_for(1)[0]
    assert isinstance(outcome.failure.error, TaskWalltime)
    assert not outcome.failure.error.stopped
    assert not outcome.failure.stopped
    assert outcome.failure.cause is Cause.TASK_WALLTIME
    pool.launch([task(1, abs, -1, walltime=DEADLINE)], heard)
    assert heard.wait_for(2)[1].value == 1


def test_what_it_cannot_stop_it_warns_of(heard, gate, tmp_path, caplog):
    events = []
    pool = ThreadPoolExecutor(max_threads=1)
    pool.start(Site(run_dir=tmp_path, emit=events.extend))
    occupy(pool, heard, gate, walltime=0.02)
    heard.wait_for(1)
    pool.close()
    assert [(event.kind, event.facts["attempt"]) for event in events] == [("task.unstopped", 0)]
    assert "goes on" in caplog.text


def test_code_that_ends_itself_has_the_grace_to_do_so(pool, heard):
    def end_myself() -> None:
        raise TaskWalltime("ended by itself")

    pool.launch([task(1, end_myself, walltime=0, grace=DEADLINE)], heard)
    assert heard.wait_for(1)[1].failure.error.reason == "ended by itself"


def test_close_answers_everything_and_it_can_be_started_again(pool, heard, gate, tmp_path):
    occupy(pool, heard, gate)
    pool.launch([task(1, abs, -1)], heard)
    assert pool.load() == Load(2, 1)
    pool.close()
    pool.close()
    causes = {n: o.failure.cause for n, o in heard.outcomes().items()}
    assert causes == {0: Cause.CLOSED, 1: Cause.CLOSED}
    assert pool.load() == Load(0, 0)
    with pytest.raises(NotStartedError):
        pool.launch([task(2, abs, -1)], heard)
    pool.start(Site(run_dir=tmp_path))
    pool.launch([task(3, abs, -3)], heard)
    assert heard.wait_for(3)[3].value == 3


def test_it_starts_once_and_a_copy_starts_beside_it(pool, tmp_path):
    with pytest.raises(AlreadyStartedError):
        pool.start(Site(run_dir=tmp_path))
    other = copy.copy(pool)
    other.start(Site(run_dir=tmp_path))
    other.close()
    assert other.max_threads == 1


def test_a_report_that_raises_harms_no_other_task(pool, heard, caplog):
    def broken(news: Sequence[News]) -> None:
        raise ValueError("broken")

    pool.launch([task(1, abs, -1)], broken)
    pool.launch([task(2, abs, -2)], heard)
    assert heard.wait_for(1)[2].value == 2
    assert "report" in caplog.text


def test_a_report_may_wait_for_another_task(tmp_path):
    with ThreadPoolExecutor(max_threads=2) as pool:
        seen = []
        done = threading.Event()

        def look(future) -> None:
            seen.append(pool.submit(abs, -2).result(DEADLINE))
            done.set()

        pool.submit(abs, -1).add_done_callback(look)
        assert done.wait(DEADLINE)
        assert seen == [2]


def test_a_size_that_cannot_work_is_refused():
    for wrong in (0, "2", 2.5, True):
        with pytest.raises(ConfigError, match=f"max_threads={wrong!r}; it must be a whole number"):
            ThreadPoolExecutor(max_threads=wrong)  # type: ignore[arg-type]
    assert ThreadPoolExecutor(max_threads=None).max_threads is None


def test_idle_threads_are_gone_after_close(tmp_path, heard):
    pool = ThreadPoolExecutor(max_threads=3, thread_name_prefix="gone")
    pool.start(Site(run_dir=tmp_path))
    pool.launch([task(n, time.time) for n in range(9)], heard)
    heard.wait_for(9)
    pool.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("gone")]


def test_each_thread_is_prepared_before_its_first_task(tmp_path: Path, heard: Heard):
    ready = threading.local()

    def prepare(value: int) -> None:
        ready.value = value

    pool = ThreadPoolExecutor(initializer=prepare, initargs=(7,))
    copied = copy.copy(pool)
    copied.start(Site(run_dir=tmp_path))
    copied.launch([task(1, lambda: ready.value), task(2, lambda: ready.value)], heard)
    outcomes = heard.wait_for(2)
    assert [outcomes[1].value, outcomes[2].value] == [7, 7]
    copied.close()


def test_an_initializer_that_raises_breaks_the_executor_until_it_is_closed(
    tmp_path: Path, heard: Heard, caplog: pytest.LogCaptureFixture
):
    wrong = [True]

    def prepare() -> None:
        if wrong:
            raise ValueError("no licence")

    pool = ThreadPoolExecutor(max_threads=1, initializer=prepare)
    pool.start(Site(run_dir=tmp_path))
    pool.launch([task(1, abs, -1), task(2, abs, -1)], heard)
    heard.wait_for(2)
    pool.launch([task(3, abs, -1)], heard)
    for outcome in heard.wait_for(3).values():
        assert outcome.failure is not None
        assert isinstance(outcome.failure.error, BrokenPool)
        assert "no licence" in str(outcome.failure.error)
        assert outcome.failure.cause is Cause.EXECUTOR_LOST
        assert outcome.failure.started is HasStarted.NO
    assert "no licence" in caplog.text
    pool.close()
    wrong.clear()
    pool.start(Site(run_dir=tmp_path))
    pool.launch([task(4, abs, -4)], heard)
    assert heard.wait_for(4)[4].value == 4
    pool.close()


def test_a_thread_that_rests_is_given_work_before_another_is_made(tmp_path: Path, heard: Heard):
    pool = ThreadPoolExecutor(max_threads=50, thread_name_prefix="reused")
    pool.start(Site(run_dir=tmp_path))
    for attempt in range(50):
        pool.launch([task(attempt, abs, -1)], heard)
        heard.wait_for(attempt + 1)
    names = [one for one in threading.enumerate() if one.name.startswith("reused_")]
    assert 1 <= len(names) < 10
    pool.close()


def test_it_says_how_its_tasks_get_at_files() -> None:
    executor = ThreadPoolExecutor(storage_access=["file"], working_dir="here")
    for one in (executor, copy.copy(executor)):
        able = one.capabilities
        assert (able.storage_access, able.working_dir) == (("file",), os.path.abspath("here"))
    with pytest.raises(ConfigError, match="write a list"):
        ThreadPoolExecutor(storage_access="file").capabilities  # noqa: B018


def test_where_the_system_starts_no_thread_what_waits_fails_and_later_work_is_done(
    pool: ThreadPoolExecutor, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as limited:
        limited.setattr(threading.Thread, "start", refuse)
        pool.launch([task(1, abs, -1)], heard)
    failure = heard.wait_for(1)[1].failure
    assert failure is not None
    assert (failure.cause, failure.started) == (Cause.EXECUTOR_LOST, HasStarted.NO)
    assert "could not start a thread for t1: can't start" in str(failure.error)
    pool.launch([task(2, abs, -2)], heard)
    assert heard.wait_for(2)[2].value == 2


def test_what_was_cancelled_in_the_queue_is_kept_by_nobody(
    pool: ThreadPoolExecutor, heard: Heard, gate: threading.Event
) -> None:
    class Argument:
        pass

    occupy(pool, heard, gate)
    argument = Argument()
    kept = weakref.ref(argument)
    pool.launch([task(1, id, argument)], heard)
    del argument
    pool.cancel([AttemptId(1)])
    assert kept() is None


def test_a_task_with_a_walltime_runs_where_no_thread_can_watch_over_it(
    pool: ThreadPoolExecutor, heard: Heard, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    occupy(pool, heard, gate)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as limited:
        limited.setattr(threading.Thread, "start", refuse)
        pool.launch([task(1, abs, -1, walltime=60)], heard)
        gate.set()
        assert heard.wait_for(2)[1].value == 1


@dataclass(frozen=True)
class FrozenError(Exception):
    code: int


def test_an_exception_that_is_frozen_ends_its_attempt(
    pool: ThreadPoolExecutor, heard: Heard
) -> None:
    def work() -> None:
        raise FrozenError(3)

    pool.launch([task(1, work), task(2, abs, -2)], heard)
    outcomes = heard.wait_for(2)
    assert outcomes[1].failure is not None
    assert outcomes[1].failure.error == FrozenError(3)
    assert outcomes[2].value == 2


def test_fewer_threads_than_asked_for_do_all_the_work(
    tmp_path: Path, heard: Heard, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = ThreadPoolExecutor(max_threads=2)
    pool.start(Site(run_dir=tmp_path))
    occupy(pool, heard, gate)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as limited:
        limited.setattr(threading.Thread, "start", refuse)
        pool.launch([task(2, abs, -2)], heard)
    gate.set()
    assert heard.wait_for(2)[2].value == 2
    pool.close()
