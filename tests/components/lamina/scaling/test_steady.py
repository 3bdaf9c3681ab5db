import math
from typing import Any

import pytest

from lamina.conformance import SCALING_STRATEGY
from lamina.scaling import BlocksView, BlockView, Steady
from lamina.vocabulary import ConfigError
from tests.kits import as_tests

TestSteady = as_tests(SCALING_STRATEGY, Steady)


def view(here: int = 0, *, outstanding: int = 0, **changes: Any) -> BlocksView:
    settings: dict[str, Any] = {
        "now": 1000.0, "peak": outstanding, "task_seconds": None, "asked_at": 0.0, "came": True,
        "slots_per_block": 4, "init_blocks": 1, "min_blocks": 0, "max_blocks": 100,
        "parallelism": 1.0, "max_idletime": 120.0,
    } | changes  # fmt: skip
    blocks = tuple(
        BlockView(block=str(n), waiting=False, slots=4, busy=1, idle_since=None)
        for n in range(here)
    )
    return BlocksView(blocks=blocks, outstanding=outstanding, **settings)


def test_until_something_is_measured_each_task_gets_a_slot() -> None:
    assert Steady().target(view(outstanding=40)) == 10
    assert Steady().target(view(outstanding=40, parallelism=0.5)) == 5
    assert Steady().target(view(outstanding=40, parallelism=math.inf)) == 100


def test_short_tasks_get_as_many_slots_as_finish_them_in_time() -> None:
    # 6,000 tasks of a tenth of a second are 600 s of work: ten slots for a minute.
    assert Steady().target(view(outstanding=6000, task_seconds=0.1)) == 3
    assert Steady(finish_within="10 min").target(view(outstanding=6000, task_seconds=0.1)) == 1
    assert Steady().target(view(outstanding=3, task_seconds=1e-6)) == 1


def test_long_tasks_get_a_slot_each_and_no_more() -> None:
    assert Steady().target(view(outstanding=40, task_seconds=3600.0)) == 10


def test_it_grows_at_once_up_to_the_limit() -> None:
    assert Steady().target(view(2, outstanding=400)) == 100
    assert Steady().target(view(2, outstanding=4000)) == 100


def test_it_shrinks_to_what_the_peak_of_late_needs_with_a_margin() -> None:
    assert Steady().target(view(10, outstanding=4, peak=40)) == 10
    assert Steady().target(view(10, outstanding=4, peak=16)) == 5
    assert Steady(margin=0.0).target(view(10, outstanding=4, peak=16)) == 4
    assert Steady().target(view(10, peak=0)) == 0
    assert Steady().target(view(10, peak=0, min_blocks=2)) == 2


def test_it_does_not_shrink_soon_after_it_has_grown() -> None:
    assert Steady().target(view(10, peak=0, asked_at=900.0)) == 10
    assert Steady().target(view(10, peak=0, asked_at=880.0)) == 0


def test_a_duration_that_varies_by_less_than_the_margin_moves_nothing() -> None:
    for seconds in (0.85, 1.0, 1.15):
        seen = view(10, outstanding=2300, task_seconds=seconds)
        assert Steady().target(seen) in (10, 12)  # up where it must, and never down
        assert Steady().target(seen) >= 10


def test_the_initial_blocks_are_waited_for() -> None:
    assert Steady().target(view(3, peak=0, came=False, init_blocks=2)) == 2


@pytest.mark.parametrize(
    "options", [{"finish_within": 0}, {"finish_within": "soon"}, {"margin": -1}, {"margin": "1"}]
)
def test_settings_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Steady(**options)
