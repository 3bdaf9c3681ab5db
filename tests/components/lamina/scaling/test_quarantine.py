import math

import pytest

from lamina.scaling import Quarantine, SetAside
from lamina.scaling.quarantine import surprise
from lamina.vocabulary import ConfigError


def test_no_more_failures_than_expected_are_no_surprise() -> None:
    assert surprise(3, 10, 0.3) == surprise(0, 10, 0.3) == 0


def test_the_bound_is_that_of_chernoff() -> None:
    assert surprise(10, 10, 0.5) == pytest.approx(10 * math.log(2))
    assert surprise(6, 10, 0.5) == pytest.approx(10 * (0.6 * math.log(1.2) + 0.4 * math.log(0.8)))


@pytest.mark.parametrize("ran, failed, expected", [(8, 7, 0.4), (20, 9, 0.2), (50, 40, 0.5)])
def test_the_bound_is_not_below_the_chance_itself(ran: int, failed: int, expected: float) -> None:
    chance = sum(
        math.comb(ran, k) * expected**k * (1 - expected) ** (ran - k)
        for k in range(failed, ran + 1)
    )
    assert chance <= math.exp(-surprise(failed, ran, expected))


@pytest.mark.parametrize(
    "options",
    [
        {"least": 0},
        {"least": 2.0},
        {"rate": 0},
        {"rate": 1.5},
        {"rate": True},
        {"times": 0.5},
        {"evidence": 0},
        {"window": math.inf},
        {"window": "10 min"},
        {"limit": -1},
    ],
)
def test_rules_that_cannot_work_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(options))} is"):
        Quarantine(**options)  # type: ignore[arg-type]


def test_the_evidence_is_in_words() -> None:
    verdict = SetAside(
        place="m1",
        node="n1",
        failed=9,
        ran=10,
        failed_elsewhere=1,
        ran_elsewhere=40,
        apps=("a", "b", "c", "d"),
    )
    assert verdict.evidence == (
        "9 of the last 10 tasks of 'a', 'b', 'c' and 1 more failed there, and 1 of 40 elsewhere"
    )
