"""Workers that are prepared before their first task."""

import os
import time
from concurrent.futures import BrokenExecutor
from pathlib import Path

import pytest

from lamina.executors import BrokenPool
from lamina.executors_htex import HighThroughputExecutor
from lamina.vocabulary import ConfigError, ExecutorLost
from tests.integration.htex import bodies
from tests.integration.htex.conftest import Make

PATIENCE = 30.0  # seconds


def test_it_runs_once_in_each_worker_and_never_in_the_process_that_forks_them(
    make: Make, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    executor = make(initializer=bodies.prepare, initargs=(str(log),))
    seen = {executor.submit(bodies.prepared).result(PATIENCE) for _ in range(20)}
    # Another worker takes the place of one that dies; it is prepared as well.
    with pytest.raises(Exception, match="died under the task"):
        executor.submit(bodies.kill_oneself).result(PATIENCE)
    seen |= {executor.submit(bodies.prepared).result(PATIENCE) for _ in range(20)}
    assert all(times == 1 for _, times in seen)
    prepared = [int(line) for line in log.read_text().split()]
    assert len(prepared) == len(set(prepared))
    assert {pid for pid, _ in seen} <= set(prepared)


def test_one_by_value_runs_as_well(make: Make) -> None:
    name = "LAMINA_PREPARED"
    executor = make(initializer=lambda value: os.environ.update({name: value}), initargs=("yes",))
    assert executor.submit(os.getenv, name).result(PATIENCE) == "yes"
    assert name not in os.environ


def test_one_that_fails_breaks_the_executor_with_its_error() -> None:
    executor = HighThroughputExecutor(initializer=bodies.fail_to_prepare, initargs=("no GPU",))
    try:
        began = time.monotonic()
        futures = [executor.submit(bodies.prepared) for _ in range(3)]
        for future in futures:
            error = future.exception(PATIENCE)
            assert isinstance(error, BrokenPool)
            assert isinstance(error, ExecutorLost)
            assert isinstance(error, BrokenExecutor)
            assert "ValueError: no GPU" in str(error)
            assert "fail_to_prepare" in str(error), "where it was raised"
        assert time.monotonic() - began < PATIENCE
        with pytest.raises(BrokenExecutor):
            executor.submit(bodies.prepared)
    finally:
        executor.shutdown()


def test_one_that_cannot_be_sent_is_refused_at_the_start(make: Make) -> None:
    with pytest.raises(ConfigError, match="cannot be sent"):
        make(initializer=bodies.prepare, initargs=(bodies.NotPickled(),))
