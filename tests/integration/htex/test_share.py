"""Objects that many tasks are given, and that travel once."""

import os
import signal
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lamina.apps import share
from lamina.executors import (
    Call,
    ForeignExecutor,
    News,
    Outcome,
    Site,
    TaskRequest,
    ThreadPoolExecutor,
)
from lamina.vocabulary import AttemptId
from tests.integration.htex import bodies, world
from tests.integration.htex.conftest import Make

PATIENCE = 30.0  # seconds
MIB = 2**20


def memory(pid: int) -> int:
    """Bytes of memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_each_worker_reads_it_once_for_all_its_tasks(make: Make, tmp_path: Path) -> None:
    executor = make()
    log = tmp_path / "log"
    handle = share(bodies.Noted(str(log), bytes(4 * MIB)))
    log.write_text("")
    futures = [executor.submit(bodies.size_of, [handle], number) for number in range(40)]
    assert [each.result(PATIENCE) for each in futures] == [4 * MIB + n for n in range(40)]
    read_by = log.read_text().split()
    assert len(read_by) == len(set(read_by)) <= 2


def test_it_is_freed_on_the_node_when_the_handle_is_gone_and_its_tasks_have_ended(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What glibc has freed it may keep for next time, but not what has pages of its own.
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", str(MIB))
    executor = make(max_workers_per_node=1)
    assert executor.submit(len, b"abc").result(PATIENCE) == 3
    pids = [world.manager(executor), world.worker(executor)]
    before = [memory(pid) for pid in pids]
    handle = share(os.urandom(64 * MIB))
    assert executor.submit(len, handle).result(PATIENCE) == 64 * MIB
    assert all(memory(pid) > was + 48 * MIB for pid, was in zip(pids, before, strict=True))
    del handle
    world.until(
        lambda: all(memory(pid) < was + 16 * MIB for pid, was in zip(pids, before, strict=True))
    )


def test_a_queued_task_keeps_it_although_the_handle_is_gone(make: Make, tmp_path: Path) -> None:
    executor = make(max_workers_per_node=1)
    gate = tmp_path / "gate"
    first: Future[Any] = executor.submit(bodies.wait_for_file, str(gate))
    second = executor.submit(len, share(bytes(MIB)))
    gate.touch()
    first.result(PATIENCE)
    assert second.result(PATIENCE) == MIB


def test_it_survives_a_restart_of_the_interchange(make: Make) -> None:
    executor = make(heartbeat_period=1.0, heartbeat_threshold=10.0)
    handle = share(bytes(MIB))
    assert executor.submit(len, handle).result(PATIENCE) == MIB
    old = world.interchange(executor)
    os.kill(old, signal.SIGKILL)
    world.until(lambda: world.below("htex_interchange") not in ([], [old]))
    assert executor.submit(len, handle).result(PATIENCE) == MIB
    # A worker that has never seen it is sent it by way of the new one.
    for pid in world.workers(executor):
        os.kill(pid, signal.SIGKILL)
    assert executor.submit(len, handle).result(PATIENCE) == MIB
    other = share(bytes(2 * MIB))
    assert executor.submit(len, other).result(PATIENCE) == 2 * MIB


def test_a_function_by_value_may_close_over_it(make: Make) -> None:
    handle: Any = share(list(range(1000)))
    executor = make()
    assert executor.submit(lambda: sum(handle)).result(PATIENCE) == 499_500


def test_threads_hand_over_the_object() -> None:
    handle = share([1, 2, 3])
    with ThreadPoolExecutor() as pool:
        assert pool.submit(bodies.first_of, {"a": [handle]}).result(PATIENCE) is handle.value


def test_pools_of_others_hand_over_the_object(site: Site) -> None:
    news: list[News] = []
    foreign = ForeignExecutor(lambda: ProcessPoolExecutor(1))
    foreign.start(site)
    try:
        call = Call(bodies.first_of, ({"a": [share([1, 2, 3])]},))
        foreign.launch([TaskRequest(AttemptId(1), call)], news.extend)
        world.until(lambda: news)
    finally:
        foreign.close()
    (outcome,) = news
    assert isinstance(outcome, Outcome)
    assert outcome.value == [1, 2, 3]


def test_a_large_argument_that_is_sent_again_and_again_makes_the_log_suggest_it(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    executor, large = make(), bytes(2 * MIB)
    for _ in range(5):
        assert executor.submit(len, large).result(PATIENCE) == 2 * MIB
    assert len([said for said in caplog.messages if "share(it)" in said]) == 1
