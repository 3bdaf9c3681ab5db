"""What was recorded survives the death of everything, on real processes."""

import random
from pathlib import Path

import pytest

from tests.integration.campaigns import LEVELS, Campaign, killed_and_resumed, recorded

ROUNDS = 2  # the soak has twenty


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.timeout(300)
def test_a_killed_program_loses_no_more_than_its_level_allows(tmp_path: Path, level: str) -> None:
    chance = random.Random(level)
    for number in range(ROUNDS):
        found = killed_and_resumed(tmp_path / str(number), 200, level, "threads", chance)
        if level != "close":
            assert found.resolved <= found.recorded


@pytest.mark.timeout(300)
def test_after_the_death_of_everything_only_what_was_not_recorded_is_executed(
    tmp_path: Path,
) -> None:
    found = killed_and_resumed(tmp_path, 1000, "interval", "htex", random.Random(1))
    assert found.resolved <= found.recorded
    assert found.again


@pytest.mark.timeout(300)
def test_two_programs_that_read_and_write_at_once_lose_nothing(tmp_path: Path) -> None:
    run_dir = tmp_path / "runs"
    one = Campaign(run_dir, tmp_path / "one", 400, "interval", "threads")
    other = Campaign(run_dir, tmp_path / "other", 400, "interval", "threads", first=200)
    one.finish()
    other.finish()
    assert recorded(run_dir) == set(range(600))
    third = Campaign(run_dir, tmp_path / "third", 600, "interval", "threads")
    third.finish()
    assert third.executed == []
    assert third.resolved == set(range(600))
