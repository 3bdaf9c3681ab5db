"""The simulator finds what it is there to find."""

import re

import pytest

from tests.simulation.clockwork import Violation
from tests.simulation.planted import PLANTED
from tests.simulation.soak import run_seed

SEEDS = range(1, 13)
EVENTS = 3_000


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found_within_a_few_seeds_and_called_by_its_name(bug: str) -> None:
    machines, says = PLANTED[bug]
    found: list[str] = []
    for seed in SEEDS:
        try:
            run_seed(seed, EVENTS, machines)
        except Violation as violation:
            if re.search(says, str(violation)):
                return
            found.append(str(violation))
    pytest.fail(f"not found, but: {found}")


def test_a_seed_that_fails_says_how_to_see_it_again() -> None:
    machines, _ = PLANTED["the interchange oversells a manager"]
    with pytest.raises(Violation) as caught:
        run_seed(1, EVENTS, machines)
    notes = "\n".join(caught.value.__notes__)
    assert "python -m tests.simulation.soak --first 1 --seeds 1 --events 3000 --trail" in notes
