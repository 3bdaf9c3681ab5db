"""Faults of every process of htex, on real processes."""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

import pytest

from lamina.executors import Call, News, Outcome, Site, TaskRequest
from lamina.executors_htex import HighThroughputExecutor
from lamina.processes import alive, descendants
from lamina.vocabulary import (
    AttemptId,
    Cause,
    HasStarted,
    NodeLost,
    SerializationError,
    TaskError,
    WorkerLost,
)

TASKS, TAKES, WORKERS = 200, 0.05, 2
PATIENCE = 20.0  # seconds; 2 would do, but the machine may have other things to do


def _note(log: str, number: int) -> int:
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, f"{number}\n".encode())
    os.close(handle)
    time.sleep(TAKES)
    return number


def _double(number: int) -> int:
    return 2 * number


def _far_below(marker: str) -> int:
    child = subprocess.Popen(["/bin/bash", "-c", f"setsid sleep 1000 # {marker}\ntrue"])
    child.wait()
    return child.pid


class _NotPickled:
    def __reduce__(self) -> Any:
        raise ValueError("not me")


class _NotUnpickled:
    """Its bytes can be written, and read nowhere but where they were."""

    def __reduce__(self) -> Any:
        return _only_in, (os.getpid(),)


def _only_in(pid: int) -> str:
    if os.getpid() != pid:
        raise ValueError("not here")
    return "here"


class _Odd(Exception):
    def __init__(self) -> None:
        super().__init__()
        self.lock = _NotPickled()


def _raise_odd() -> None:
    raise _Odd


def _until(what: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.01)
    return found


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(run_dir=tmp_path)


@pytest.fixture
def executor(site: Site) -> Iterator[HighThroughputExecutor]:
    made = HighThroughputExecutor(max_workers_per_node=WORKERS)
    made.start(site)
    try:
        yield made
    finally:
        made.close(timeout=5.0)


def _manager(executor: HighThroughputExecutor) -> int:
    pid: int = _until(executor.connected_managers)[0]["pid"]
    return pid


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _zygote(executor: HighThroughputExecutor) -> int:
    return _children(_manager(executor))[0]


def _worker(executor: HighThroughputExecutor) -> int:
    return _children(_zygote(executor))[0]


def _interchange(executor: HighThroughputExecutor) -> int:
    for pid in descendants(os.getpid()):
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        if b"htex_interchange" in command:
            return pid
    raise AssertionError("no interchange")


def _ran(log: Path) -> list[int]:
    return [int(line) for line in log.read_text().split()] if log.exists() else []


@pytest.mark.parametrize(
    "victim, most_failed, tasks",
    [
        (_worker, 1, TASKS),
        (_manager, WORKERS, TASKS),
        (_zygote, WORKERS, TASKS // 5),
        (_interchange, 0, TASKS),
    ],
    ids=["worker", "manager", "zygote", "interchange"],
)
def test_a_process_killed_costs_no_more_than_what_ran_on_it(
    executor: HighThroughputExecutor,
    tmp_path: Path,
    victim: Callable[[HighThroughputExecutor], int],
    most_failed: int,
    tasks: int,
) -> None:
    log = tmp_path / "ran"
    futures = [executor.submit(_note, str(log), number) for number in range(tasks)]
    _until(lambda: len(_ran(log)) >= tasks // 10)
    os.kill(victim(executor), signal.SIGKILL)
    done, late = wait(futures, timeout=tasks * TAKES / WORKERS + PATIENCE)
    assert not late
    failed = [future.exception() for future in futures if future.exception() is not None]
    assert len(failed) <= most_failed, failed
    for error in failed:
        assert isinstance(error, WorkerLost | NodeLost)
        assert error.started is not HasStarted.NO
    counts = Counter(_ran(log))
    assert max(counts.values()) == 1
    succeeded = {number for number, future in enumerate(futures) if future.exception() is None}
    assert succeeded <= counts.keys()
    assert executor.submit(_double, 4).result(PATIENCE) == 8
    assert len(done) == tasks


@pytest.mark.parametrize(
    "address, codec", [(None, "pickle"), ("127.0.0.1", "cloudpickle")], ids=["unix", "tcp"]
)
def test_both_codecs_work_over_both_kinds_of_link(
    site: Site, address: str | None, codec: str
) -> None:
    executor = HighThroughputExecutor(max_workers_per_node=1, address=address, codec=codec)
    executor.start(site)
    try:
        futures = [executor.submit(abs, -number) for number in range(100)]
        assert [future.result(PATIENCE) for future in futures] == list(range(100))
    finally:
        executor.close(timeout=5.0)


def test_many_short_tasks_wear_nobody_out(executor: HighThroughputExecutor) -> None:
    for count in (1, 100, 10_000):
        futures = [executor.submit(abs, -number) for number in range(count)]
        assert [future.result(PATIENCE) for future in futures] == list(range(count))


def test_what_cannot_be_pickled_fails_its_own_task_only(executor: HighThroughputExecutor) -> None:
    def unpicklable_result() -> Any:
        return _NotPickled()

    def result_for_nobody() -> Any:
        return _NotUnpickled()

    def read_nowhere(_: Any) -> None:
        return None

    def expect_typed(future: Future[Any]) -> None:
        assert isinstance(future.exception(PATIENCE), SerializationError)

    expect_typed(executor.submit(read_nowhere, _NotPickled()))
    expect_typed(executor.submit(read_nowhere, _NotUnpickled()))
    expect_typed(executor.submit(unpicklable_result))
    expect_typed(executor.submit(result_for_nobody))
    assert "_Odd" in repr(executor.submit(_raise_odd).exception(PATIENCE))
    assert executor.submit(_double, 4).result(PATIENCE) == 8


class _Ledger:
    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    def report(self, news: Any) -> None:
        self.outcomes += [one for one in news if isinstance(one, Outcome)]

    def failure(self) -> Any:
        (outcome,) = _until(lambda: self.outcomes)
        assert outcome.failure is not None
        return outcome.failure


def _with(marker: Path) -> list[int]:
    """The processes on whose command line this is, and the sleepers below them."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(marker).encode() in command and alive(int(entry.name)):
                found.append(int(entry.name))
    return found


def _sleeper(marker: Path) -> tuple[int, int]:
    """A task's bash, and the sleep in a session of its own below it."""

    def look() -> tuple[int, int] | None:
        for bash in _with(marker):
            for below in descendants(bash):
                if b"sleep" in Path(f"/proc/{below}/cmdline").read_bytes().split(b"\0")[0]:
                    return bash, below
        return None

    found: tuple[int, int] = _until(look)
    return found


@pytest.mark.parametrize("ending", ["walltime", "cancel"])
def test_what_a_stopped_task_started_is_gone_with_it(
    executor: HighThroughputExecutor, tmp_path: Path, ending: str
) -> None:
    marker = tmp_path / "marker-of-the-task"
    ledger = _Ledger()
    walltime = 1.0 if ending == "walltime" else None
    call = Call(_far_below, (str(marker),))
    executor.launch([TaskRequest(AttemptId(1), call, walltime=walltime)], ledger.report)
    bash, sleep = _sleeper(marker)
    if ending == "cancel":
        executor.cancel([AttemptId(1)])
    failure = ledger.failure()
    assert failure.cause is (Cause.CANCELLED if ending == "cancel" else Cause.TASK_WALLTIME)
    assert isinstance(failure.error, TaskError)
    _until(lambda: not alive(bash) and not alive(sleep))
    assert executor.submit(_double, 4).result(PATIENCE) == 8


def test_close_leaves_no_process(site: Site, tmp_path: Path) -> None:
    executor = HighThroughputExecutor(max_workers_per_node=WORKERS)
    executor.start(site)
    marker = tmp_path / "marker-of-the-task"
    news: list[News] = []
    executor.launch([TaskRequest(AttemptId(1), Call(_far_below, (str(marker),)))], news.extend)
    bash, sleep = _sleeper(marker)
    below = [_interchange(executor), _manager(executor), *descendants(_manager(executor))]
    executor.close(timeout=5.0)
    assert [type(one) for one in news if isinstance(one, Outcome)] == [Outcome]
    _until(lambda: not any(map(alive, [bash, sleep, *below])))


PROGRAM = """
    import subprocess, sys, time
    from pathlib import Path
    from {executors} import Site
    from {htex} import HighThroughputExecutor

    def far_below(marker):
        subprocess.Popen(["/bin/bash", "-c", "setsid sleep 1000 # " + marker + "\\ntrue"]).wait()

    executor = HighThroughputExecutor(max_workers_per_node=2, address={address!r})
    executor.start(Site(run_dir=Path(sys.argv[1])))
    executor.submit(far_below, sys.argv[2])
    time.sleep(1000)
"""


@pytest.mark.parametrize("address", [None, "127.0.0.1"], ids=["unix", "tcp"])
def test_a_killed_program_leaves_no_process_and_no_socket(
    tmp_path: Path, address: str | None
) -> None:
    # Not below tmp_path, because the path of a socket has to be short.
    with tempfile.TemporaryDirectory() as sockets:
        _kill_a_program(tmp_path, address, sockets)
        _until(lambda: not os.listdir(sockets))


def _kill_a_program(tmp_path: Path, address: str | None, sockets: str) -> None:
    marker = tmp_path / "marker-of-the-task"
    source = textwrap.dedent(PROGRAM).format(
        executors=Site.__module__.rpartition(".")[0],
        htex=HighThroughputExecutor.__module__.rpartition(".")[0],
        address=address,
    )
    program = tmp_path / "program.py"
    program.write_text(source, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, str(program), str(tmp_path), str(marker)],
        env={**os.environ, "LAMINA_SOCKET_DIR": sockets},
    )
    try:
        bash, sleep = _sleeper(marker)
        tree = {*descendants(process.pid), *_with(tmp_path), bash, sleep}
        assert len(os.listdir(sockets)) == (address is None)
        assert len(tree) >= 6, "interchange, manager, zygote, workers and what they started"
    finally:
        process.kill()
        process.wait()
    _until(lambda: not _with(tmp_path) and not any(map(alive, tree)))
