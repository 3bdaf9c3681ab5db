"""Faults that others have met in the field, one test each, with the time until all is resolved.

The numbers are those of the table in docs/reliability.md.
"""

import ctypes
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lamina.apps import join_app, python_app
from lamina.executors import Site
from lamina.executors_htex import HighThroughputExecutor
from lamina.kernel import Config, DataFlowKernel
from lamina.memo import InMemoryMemo
from lamina.processes import alive, descendants
from lamina.providers import LocalProvider
from lamina.retry_policy import Again, CrashLimit, Decision, Retries, Trouble
from lamina.vocabulary import BlockEnded, Event, ExecutorLost, HasStarted, NodeLost, WorkerLost
from tests.integration.conftest import Measure
from tests.integration.htex import bodies, world
from tests.integration.htex.bodies import double, note
from tests.integration.htex.conftest import WORKERS, Make
from tests.integration.htex.world import PATIENCE, all_gone, ran, sleeper, unresolved, until

LONG = 1000.0  # seconds; no test waits for it
LEASE = {"heartbeat_period": 0.4, "heartbeat_threshold": 1.0}


def _all(futures: Sequence[Future[Any]]) -> list[BaseException]:
    """Wait for all of them; the errors of those that failed."""
    _, late = wait(futures, timeout=2 * PATIENCE)
    assert not late, f"{len(late)} futures are left pending"
    return [error for future in futures if (error := future.exception()) is not None]


def _goes_on(executor: HighThroughputExecutor) -> None:
    futures = [executor.submit(double, number) for number in range(10)]
    assert [future.result(PATIENCE) for future in futures] == [2 * n for n in range(10)]


@contextmanager
def _stopped(pid: int) -> Iterator[None]:
    """The process does nothing meanwhile, as on a file system that hangs."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def _kernel(folder: Path, executor: HighThroughputExecutor, **options: Any) -> Iterator[Any]:
    with DataFlowKernel(Config(executors=[executor], run_dir=folder, **options)) as kernel:
        yield kernel


# Process loss.


def test_item_01_an_interchange_that_cannot_start_fails_the_tasks_and_is_quoted(
    make: Make, measure: Measure
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        began = time.monotonic()
        executor = make(address="127.0.0.1", worker_port=taken.getsockname()[1])
        errors = _all([executor.submit(double, n) for n in range(20)])
    measure("1, the interchange cannot start", began)
    assert len(errors) == 20
    assert "in use" in str(errors[0])


def test_item_01_an_interchange_killed_while_no_manager_has_come_is_started_again(
    make: Make, measure: Measure
) -> None:
    executor = make(provider=LocalProvider(worker_init="sleep 1"))
    futures = [executor.submit(double, n) for n in range(20)]
    pid = world.interchange(executor)
    killed = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    assert _all(futures) == []
    measure("1, the interchange is killed before the first manager", killed, left=1.0)


PROGRAM = """
    import sys, time
    from pathlib import Path
    from {executors} import Site
    from {htex} import HighThroughputExecutor
    from tests.integration.htex.bodies import far_below

    executor = HighThroughputExecutor(max_workers_per_node=2, address={address!r})
    executor.start(Site(run_dir=Path(sys.argv[1])))
    executor.submit(far_below, sys.argv[2])
    time.sleep(1000)
"""


@contextmanager
def _program(folder: Path, address: str | None, sockets: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program whose task has started processes of its own."""
    source = textwrap.dedent(PROGRAM).format(
        executors=Site.__module__.rpartition(".")[0],
        htex=HighThroughputExecutor.__module__.rpartition(".")[0],
        address=address,
    )
    file = folder / "program.py"
    file.write_text(source, encoding="utf-8")
    root = Path(__file__).parents[3]
    process = subprocess.Popen(
        [sys.executable, str(file), str(folder), str(folder / "marker-of-the-task")],
        env={**os.environ, "LAMINA_SOCKET_DIR": sockets, "PYTHONPATH": str(root)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("address", [None, "127.0.0.1"], ids=["unix", "curve"])
@pytest.mark.parametrize("also", ["alone", "and-the-interchange"])
def test_item_02_a_killed_program_leaves_no_process_and_no_socket(
    tmp_path: Path, measure: Measure, address: str | None, also: str
) -> None:
    # Not below tmp_path, because the path of a socket has to be short.
    with tempfile.TemporaryDirectory() as sockets, _program(tmp_path, address, sockets) as process:
        below = sleeper(tmp_path / "marker-of-the-task")
        tree = {*descendants(process.pid), *world.having(tmp_path), *below}
        assert len(os.listdir(sockets)) == (address is None)
        assert len(tree) >= 6, "interchange, manager, zygote, workers and what they started"
        doomed = [process.pid]
        if also != "alone":
            doomed += [pid for pid in tree if b"htex_interchange" in world.command_of(pid)]
            assert len(doomed) == 2
        killed = time.monotonic()
        for pid in doomed:
            os.kill(pid, signal.SIGKILL)
        process.wait()
        until(lambda: all_gone(tree) and not world.having(tmp_path))
        link = "unix" if address is None else "curve"
        measure(f"2, the program is killed ({also}, {link}): no process left", killed)
        if also == "alone":  # otherwise nobody is left who could
            until(lambda: not os.listdir(sockets))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["term", "kill"])
def test_item_03_a_manager_that_is_ended_leaves_no_worker_and_no_task_pending(
    executor: HighThroughputExecutor, measure: Measure, tmp_path: Path, number: signal.Signals
) -> None:
    markers = [tmp_path / f"marker-{n}" for n in range(WORKERS)]
    running = [executor.submit(bodies.far_below, str(marker)) for marker in markers]
    below = [pid for marker in markers for pid in sleeper(marker)]
    below += descendants(world.manager(executor))
    waiting = [executor.submit(double, n) for n in range(50)]
    pid = world.manager(executor)
    ended = time.monotonic()
    os.kill(pid, number)
    errors = _all(running)
    assert _all(waiting) == [], "they had not started"
    until(lambda: all_gone([pid, *below]))
    measure(f"3, {number.name} for the manager", ended)
    # A manager that is told to end can still say what had begun; of a dead one nobody knows.
    kind, started = (
        (BlockEnded, {HasStarted.YES})
        if number is signal.SIGTERM
        else (NodeLost, {HasStarted.YES, HasStarted.UNKNOWN})
    )
    assert len(errors) == WORKERS
    for error in errors:
        assert isinstance(error, kind)
        assert error.started in started
    _goes_on(executor)


@pytest.mark.parametrize(
    "body", [bodies.kill_oneself, bodies.leave, bodies.crash, bodies.deadly_result]
)
def test_item_04_a_worker_that_dies_in_its_task_or_its_result_fails_that_task_alone(
    executor: HighThroughputExecutor, measure: Measure, body: Callable[[], Any]
) -> None:
    _goes_on(executor)
    before = [executor.submit(double, n) for n in range(20)]
    began = time.monotonic()
    deadly = executor.submit(body)
    after = [executor.submit(double, n) for n in range(20)]
    error = deadly.exception(PATIENCE)
    assert _all([*before, *after]) == []
    measure(f"4, the worker dies: {body.__name__}", began)
    assert isinstance(error, WorkerLost)
    assert error.started is HasStarted.YES


def test_item_05_of_two_managers_one_is_lost_and_all_of_its_tasks_are_reported(
    make: Make, measure: Measure, tmp_path: Path
) -> None:
    executor = make(provider=LocalProvider(init_blocks=2, min_blocks=2, max_blocks=2))
    pids = world.managers(executor, 2)
    before = world.interchange(executor)
    log = tmp_path / "ran"
    futures = [executor.submit(note, str(log), n, 0.2) for n in range(40)]
    until(lambda: len(ran(log)) >= 8)
    left = unresolved(futures) * 0.2 / WORKERS  # in the worst case one manager does it all
    killed = time.monotonic()
    os.kill(pids[0], signal.SIGKILL)
    errors = _all(futures)
    measure("5, one of two managers is killed", killed, left)
    assert 1 <= len(errors) <= WORKERS
    assert {type(error) for error in errors} == {NodeLost}
    assert max(Counter(ran(log)).values()) == 1
    assert world.interchange(executor) == before
    _goes_on(executor)


@pytest.mark.parametrize("thread", ["io", "delivery", "blocks"])
def test_item_06_the_death_of_a_thread_of_ours_leaves_no_future_pending(
    make: Make, measure: Measure, thread: str
) -> None:
    executor = make(label="threads")
    _goes_on(executor)
    (ident,) = [one.ident for one in threading.enumerate() if one.name == f"threads-{thread}"]
    assert ident is not None
    killed = time.monotonic()
    hit = ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(ident), ctypes.py_object(MemoryError)
    )
    assert hit == 1
    # It is raised when the thread does something next; that these have begun is a reason to.
    errors = _all([executor.submit(time.sleep, LONG) for _ in range(5)])
    measure(f"6, the {thread} thread dies", killed)
    assert len(errors) == 5
    for error in errors:
        assert isinstance(error, ExecutorLost | BrokenExecutor)
        assert f"thread threads-{thread} has died of MemoryError" in str(error)


def test_item_07_a_worker_that_a_task_has_broken_does_not_fail_the_others(
    executor: HighThroughputExecutor, measure: Measure
) -> None:
    _goes_on(executor)
    broken = [executor.submit(bodies.close_all_descriptors) for _ in range(3)]
    began = time.monotonic()
    others = [executor.submit(double, n) for n in range(100)]
    assert _all(others) == []
    errors = _all(broken)
    measure("7, a task closes its worker's descriptors", began)
    assert {type(error) for error in errors} == {WorkerLost}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["scancel", "kill"])
def test_item_08_a_batch_job_that_is_ended_as_a_whole_resolves_its_tasks(
    executor: HighThroughputExecutor, measure: Measure, number: signal.Signals
) -> None:
    # Nothing was measured before, so no task but those that run is kept on the node.
    running = [executor.submit(time.sleep, LONG) for _ in range(WORKERS)]
    waiting = [executor.submit(double, n) for n in range(20)]
    until(lambda: all(future.running() for future in running))
    script = max(world.below("block-0.sh"), key=lambda pid: len(descendants(pid)))
    job = [script, *descendants(script)]
    ended = time.monotonic()
    for pid in job:
        os.kill(pid, number)
    errors = _all(running)
    # A manager that is told to end says what it had begun, so nothing else is in doubt. One that
    # is killed cannot say that what it was just given had not reached it.
    doubtful = _all(waiting)
    assert len(doubtful) <= (WORKERS if number == signal.SIGKILL else 0), doubtful
    assert {type(error) for error in doubtful} <= {NodeLost}
    measure(f"8, {number.name} for every process of the job", ended)
    assert len(errors) == WORKERS
    for error in errors:
        assert isinstance(error, WorkerLost | NodeLost | BlockEnded)
        assert error.started is not HasStarted.NO
    _goes_on(executor)


def test_item_09_a_node_that_cannot_start_fails_the_tasks_and_is_quoted(
    make: Make, measure: Measure
) -> None:
    began = time.monotonic()
    executor = make(
        provider=LocalProvider(worker_init="echo no such module >&2; exit 3"),
    )
    (error,) = _all([executor.submit(double, 1)])
    # Four blocks end before it is given up, each seen with the provider's next look, and with a
    # pause of 1 s after the second and 2 s after the third.
    measure("9, the nodes cannot start", began, left=4 * 0.5 + 3.0)
    assert "no such module" in str(error)


def test_item_09_workers_that_die_at_birth_are_not_replaced_for_ever(
    make: Make, measure: Measure
) -> None:
    began = time.monotonic()
    executor = make(codec="tests.integration.htex.crashing:CrashingCodec")
    errors = _all([executor.submit(abs, -n) for n in range(5)])
    # Here too four blocks are started, one after the other, with the same pauses.
    measure("9, every worker dies at birth", began, left=4 * 0.75 + 3.0)
    assert len(errors) == 5
    for error in errors:
        assert "workers in a row died before they began a task" in str(error)
        assert "SIGABRT" in str(error)
        assert error.started is not HasStarted.YES  # type: ignore[attr-defined]


def test_item_09_a_node_that_starts_slowly_is_waited_for(make: Make, measure: Measure) -> None:
    began = time.monotonic()
    executor = make(provider=LocalProvider(worker_init="sleep 3"))
    assert _all([executor.submit(double, n) for n in range(20)]) == []
    measure("9, a node takes 3 s to start", began, left=3.0)


class _Always:
    def decide(self, trouble: Trouble) -> Decision:
        return Again()


@pytest.mark.parametrize("policy", [Retries(100), CrashLimit(_Always())], ids=["retries", "always"])
def test_item_10_a_poison_task_ends_at_the_crash_limit_while_others_go_on(
    tmp_path: Path, measure: Measure, policy: Retries | CrashLimit
) -> None:
    htex = HighThroughputExecutor(max_workers_per_node=WORKERS)
    log = tmp_path / "ran"
    with _kernel(tmp_path / "runs", htex, retry_policy=policy) as kernel:
        good = python_app(note, data_flow_kernel=kernel)
        good(str(log), -1).result(PATIENCE)
        began = time.monotonic()
        futures = [good(str(log), n) for n in range(20)]
        poison = python_app(bodies.kill_oneself, data_flow_kernel=kernel)()
        futures += [good(str(log), n) for n in range(20, 40)]
        error = poison.exception(PATIENCE)
        assert [future.result(PATIENCE) for future in futures] == list(range(40))
        measure("10, a poison task that is always tried again", began, left=1.0)
    assert isinstance(error, WorkerLost)
    (said,) = [one for one in error.__notes__ if "crash_limit=3" in one]
    assert "it killed 3 workers" in said
    assert said.count("worker ") == 2 * 3, "each is named, and how it died"
    assert said.count("SIGKILL") == 3
    assert max(Counter(ran(log)).values()) == 1


def test_item_10_without_a_policy_a_poison_task_fails_at_its_first_kill(
    tmp_path: Path, measure: Measure
) -> None:
    htex = HighThroughputExecutor(max_workers_per_node=WORKERS)
    log = tmp_path / "ran"

    def poison() -> None:
        note(str(log), 1, 0.0)
        os.kill(os.getpid(), signal.SIGKILL)

    with _kernel(tmp_path / "runs", htex) as kernel:
        assert python_app(double, data_flow_kernel=kernel)(4).result(PATIENCE) == 8
        began = time.monotonic()
        error = python_app(poison, data_flow_kernel=kernel)().exception(PATIENCE)
        measure("10, a poison task without a policy", began)
        assert python_app(double, data_flow_kernel=kernel)(4).result(PATIENCE) == 8
    assert isinstance(error, WorkerLost)
    assert ran(log) == [1]


# Message order and timing.


def test_item_11_a_manager_that_hangs_is_given_up_and_its_late_words_harm_nobody(
    make: Make, measure: Measure
) -> None:
    executor = make(**LEASE)
    _goes_on(executor)
    pid, before = world.manager(executor), world.interchange(executor)
    below = [pid, *descendants(pid)]
    futures = [executor.submit(time.sleep, LONG) for _ in range(WORKERS)]
    until(lambda: all(future.running() for future in futures))
    with _stopped(pid):
        stopped = time.monotonic()
        errors = _all(futures)
        measure("11, a manager hangs: heartbeat_threshold 1 s", stopped, left=1.0)
    assert len(errors) == WORKERS
    assert {type(error) for error in errors} == {NodeLost}
    until(lambda: all_gone(below))
    _goes_on(executor)
    assert world.interchange(executor) == before


def test_item_11_an_interchange_that_hangs_judges_nobody_by_its_own_silence(
    make: Make, measure: Measure, tmp_path: Path
) -> None:
    executor = make(heartbeat_period=1.0, heartbeat_threshold=4.0)
    _goes_on(executor)
    pid, manager = world.interchange(executor), world.manager(executor)
    log = tmp_path / "ran"
    futures = [executor.submit(note, str(log), n) for n in range(20)]
    with _stopped(pid):
        time.sleep(3.0)  # less than the managers bear, more than two periods
    continued = time.monotonic()
    assert _all(futures) == []
    measure("11, the interchange hangs for 3 s", continued, left=20 * bodies.TAKES / WORKERS)
    assert world.manager(executor) == manager
    assert world.interchange(executor) == pid
    assert max(Counter(ran(log)).values()) == 1


def test_item_12_a_result_that_comes_after_its_task_was_given_to_another_is_dropped(
    tmp_path: Path, measure: Measure
) -> None:
    htex = HighThroughputExecutor(
        max_workers_per_node=1,
        provider=LocalProvider(init_blocks=2, min_blocks=2, max_blocks=2),
        **LEASE,
    )
    log = tmp_path / "ran"
    with _kernel(tmp_path / "runs", htex, retry_policy=Retries(1)) as kernel:
        world.managers(htex, 2)
        before = world.interchange(htex)
        future = python_app(note, data_flow_kernel=kernel)(str(log), 7, 1.0)
        until(lambda: ran(log) == [7])
        # Which of the two has it; the worker itself goes on and ends its task.
        (pid,) = [
            info["pid"] for info in htex.connected_managers() if _holds(info["pid"], str(log))
        ]
        with _stopped(pid):
            stopped = time.monotonic()
            until(lambda: ran(log) == [7, 7])
        assert future.result(PATIENCE) == 7
        measure("12, a result comes late from a manager given up", stopped, left=1.0 + 1.0)
        assert ran(log) == [7, 7]
        assert world.interchange(htex) == before
        assert python_app(double, data_flow_kernel=kernel)(4).result(PATIENCE) == 8


def _holds(manager: int, path: str) -> bool:
    """Whether a worker of this manager sleeps in a task, which is in no call of its own."""
    zygote = world.children(manager)[0]
    return any(
        "clock_nanosleep" in Path(f"/proc/{pid}/wchan").read_text()
        or "hrtimer" in Path(f"/proc/{pid}/wchan").read_text()
        for pid in world.children(zygote)
    )


def test_item_13_a_manager_that_comes_back_twice_runs_nothing_twice(
    executor: HighThroughputExecutor, measure: Measure, tmp_path: Path
) -> None:
    log = tmp_path / "ran"
    futures = [executor.submit(note, str(log), n) for n in range(100)]
    manager = world.manager(executor)
    for goal in (10, 40):
        until(lambda goal=goal: len(ran(log)) >= goal and executor.connected_managers())
        left = unresolved(futures) * bodies.TAKES / WORKERS
        killed = time.monotonic()
        os.kill(world.interchange(executor), signal.SIGKILL)
    assert _all(futures) == []
    measure("13, the interchange is killed twice", killed, left)
    assert Counter(ran(log)) == Counter(range(100))
    assert world.manager(executor) == manager


def test_item_13_interchange_and_manager_killed_at_once_leave_nothing_pending(
    executor: HighThroughputExecutor, measure: Measure, tmp_path: Path
) -> None:
    log = tmp_path / "ran"
    futures = [executor.submit(note, str(log), n) for n in range(100)]
    until(lambda: len(ran(log)) >= 10)
    doomed = [world.interchange(executor), world.manager(executor)]
    left = unresolved(futures) * bodies.TAKES / WORKERS
    killed = time.monotonic()
    for pid in doomed:
        os.kill(pid, signal.SIGKILL)
    errors = _all(futures)
    measure("13, interchange and manager are killed at once", killed, left)
    assert {type(error) for error in errors} <= {NodeLost}
    assert all(error.started is HasStarted.UNKNOWN for error in errors)  # type: ignore[attr-defined]
    assert max(Counter(ran(log)).values()) == 1
    _goes_on(executor)


@pytest.mark.parametrize("address", [None, "127.0.0.1"], ids=["unix", "curve"])
@pytest.mark.parametrize("who", ["htex_interchange", "htex_worker_pool"])
def test_item_14_a_stall_in_the_middle_of_the_handshake_is_borne(
    make: Make, measure: Measure, who: str, address: str | None
) -> None:
    executor = make(address=address)
    futures = [executor.submit(double, n) for n in range(20)]
    world.below("htex_worker_pool")  # it has begun, and has not registered yet
    with _stopped(world.below(who)[-1]):
        time.sleep(2.0)
    continued = time.monotonic()
    assert _all(futures) == []
    measure(f"14, {who} stalls for 2 s in the handshake", continued)


def test_item_15_what_is_resolved_is_recorded_and_ends_once(
    tmp_path: Path, measure: Measure
) -> None:
    class Sink:
        def __init__(self) -> None:
            self.events: list[Event] = []

        def take(self, events: Sequence[Event]) -> None:
            self.events += events

        def close(self) -> None:
            pass

    sink = Sink()
    htex = HighThroughputExecutor(max_workers_per_node=WORKERS)
    log = tmp_path / "ran"
    with _kernel(tmp_path / "runs", htex, memoizer=InMemoryMemo(), event_sinks=[sink]) as kernel:
        app = python_app(note, data_flow_kernel=kernel, cache=True)
        futures = [app(str(log), n) for n in range(60)]
        until(lambda: len(ran(log)) >= 10)
        killed = time.monotonic()
        left = unresolved(futures) * bodies.TAKES / WORKERS
        os.kill(world.interchange(htex), signal.SIGKILL)
        for number, future in enumerate(futures):
            assert future.result(PATIENCE) == number
            assert app(str(log), number).result(PATIENCE) == number, "from the memo"
        measure("15, results are asked for again as soon as they are there", killed, left)
    assert Counter(ran(log)) == Counter(range(60)), "what was resolved had been recorded"
    ends = Counter(
        event.facts["task"]
        for event in sink.events
        if event.kind == "task.state" and event.facts["state"] in ("exec_done", "memo_done")
    )
    assert len(ends) == 120
    assert set(ends.values()) == {1}


def test_item_16_workers_are_forked_free_of_threads_and_of_locks(
    make: Make, measure: Measure
) -> None:
    release, held = threading.Event(), threading.Event()

    def hold() -> None:
        with _logging_lock():
            held.set()
            release.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    try:
        executor = make(max_workers_per_node=1)
        victim = executor.submit(bodies.hold_lock_of_logging).result(PATIENCE)
        killed = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        until(lambda: not alive(victim))
        pid, count = executor.submit(bodies.log_a_line).result(PATIENCE)
        measure("16, a worker is replaced while threads hold locks", killed)
    finally:
        release.set()
        holder.join()
    assert pid != victim
    assert count == 1


def _logging_lock() -> Any:
    return logging._lock  # type: ignore[attr-defined]


def test_item_17_a_join_of_nothing_completes(tmp_path: Path, measure: Measure) -> None:
    htex = HighThroughputExecutor(max_workers_per_node=WORKERS)
    with _kernel(tmp_path / "runs", htex) as kernel:

        def nothing() -> list[Future[int]]:
            return []

        began = time.monotonic()
        assert join_app(nothing, data_flow_kernel=kernel)().result(PATIENCE) == []
        measure("17, a join of nothing", began)
