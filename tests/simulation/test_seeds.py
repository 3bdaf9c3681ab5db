"""Many histories full of faults, in which nothing happens that must never happen."""

import os
import subprocess
import sys
from collections import Counter

import pytest

from tests.simulation.soak import run_seed
from tests.simulation.world import ALIVE, MANAGERS

EVENTS = 5_000
AT_ONCE = 10  # seeds in one test, so that two processes share them evenly
SOON, LAST = 60, 300  # `make test` runs so many seeds, `make test-all` the others as well


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "first",
    [
        pytest.param(first, marks=[pytest.mark.long] if first > SOON else [])
        for first in range(1, LAST + 1, AT_ONCE)
    ],
)
def test_whatever_fails_every_task_is_in_one_place_and_ends_once_in_time(first: int) -> None:
    faults: Counter[str] = Counter()
    alive = managers = 0.0
    bounds = 0
    for seed in range(first, first + AT_ONCE):
        summary = run_seed(seed, EVENTS)
        assert summary.events >= EVENTS
        assert summary.starts > 0
        faults.update(summary.faults)
        alive += summary.tasks_alive
        managers += summary.managers_alive
        bounds += summary.bounds
    assert alive / AT_ONCE >= ALIVE
    assert managers / AT_ONCE >= MANAGERS
    assert len(faults) > 12, "the seeds see too few kinds of faults"
    assert bounds > 0, "the bounds that are promised are passed over, and not measured"


def test_a_seed_is_the_same_history_in_every_process() -> None:
    command = [sys.executable, "-m", "tests.simulation.soak"]
    command += ["--first", "7", "--seeds", "1", "--events", "1500", "--trail"]
    said = [
        subprocess.run(
            command, env={**os.environ, "PYTHONHASHSEED": number}, check=True, capture_output=True
        ).stdout
        for number in ("1", "2")
    ]
    assert b"Summary" in said[0]
    assert said[0] == said[1]
