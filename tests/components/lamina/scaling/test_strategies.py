import math

import pytest

from lamina.conformance import SCALING_STRATEGY
from lamina.scaling import BlocksView, BlockView, HtexAutoScale, NoScaling, ScalingStrategy, Simple
from tests.kits import as_tests

TestNoScaling = as_tests(SCALING_STRATEGY, NoScaling)
TestSimple = as_tests(SCALING_STRATEGY, Simple)
TestHtexAutoScale = as_tests(SCALING_STRATEGY, HtexAutoScale)

BOTH = pytest.mark.parametrize("strategy", [Simple(), HtexAutoScale()], ids=repr)


def block(name: str, *, waiting: bool = False, idle_since: float | None = None) -> BlockView:
    busy = 0 if waiting or idle_since is not None else 1
    return BlockView(block=name, waiting=waiting, slots=4, busy=busy, idle_since=idle_since)


def view(*blocks: BlockView, outstanding: int = 0, **changes: float) -> BlocksView:
    settings: dict[str, float | None] = {
        "now": 1000.0, "peak": outstanding, "task_seconds": None, "asked_at": 0.0, "came": True,
        "slots_per_block": 4, "init_blocks": 1, "min_blocks": 0, "max_blocks": 10,
        "parallelism": 1.0, "max_idletime": 120.0,
    } | changes  # fmt: skip
    return BlocksView(blocks=blocks, outstanding=outstanding, **settings)  # type: ignore[arg-type]


def test_no_scaling_keeps_the_initial_number_within_the_limits() -> None:
    assert NoScaling().target(view(outstanding=1000, init_blocks=3)) == 3
    assert NoScaling().target(view(init_blocks=3, max_blocks=2)) == 2
    assert NoScaling().target(view(init_blocks=0, min_blocks=1)) == 1


@BOTH
def test_work_asks_for_whole_blocks_up_to_the_limit(strategy: ScalingStrategy) -> None:
    assert strategy.target(view(outstanding=1)) == 1
    assert strategy.target(view(outstanding=9)) == 3
    assert strategy.target(view(outstanding=1000)) == 10


@BOTH
def test_parallelism_scales_what_work_asks_for(strategy: ScalingStrategy) -> None:
    assert strategy.target(view(outstanding=32, parallelism=0.5)) == 4
    assert strategy.target(view(outstanding=32, parallelism=0.0)) == 1
    assert strategy.target(view(outstanding=1, parallelism=math.inf)) == 10


@BOTH
def test_blocks_of_unknown_size_count_as_one_slot(strategy: ScalingStrategy) -> None:
    assert strategy.target(view(outstanding=3, slots_per_block=0)) == 3


@BOTH
def test_a_block_that_works_is_never_given_back(strategy: ScalingStrategy) -> None:
    assert strategy.target(view(block("a"), block("b"), outstanding=1)) == 2


def test_with_work_left_only_auto_scale_lets_blocks_go_that_were_idle_for_long() -> None:
    blocks = (block("a"), block("b", idle_since=880.0), block("c", idle_since=990.0))
    assert HtexAutoScale().target(view(*blocks, outstanding=1)) == 2
    assert Simple().target(view(*blocks, outstanding=1)) == 3


@BOTH
def test_without_work_blocks_go_once_they_were_idle_for_long(strategy: ScalingStrategy) -> None:
    young = (block("a", idle_since=900.0), block("b", idle_since=900.0))
    assert strategy.target(view(*young)) == 2
    assert strategy.target(view(*young, now=1020.0)) == 0
    assert strategy.target(view(*young, now=1020.0, min_blocks=1)) == 1


@BOTH
def test_what_waits_is_given_back_after_as_long_and_not_at_once(strategy: ScalingStrategy) -> None:
    blocks = (
        block("a", idle_since=990.0),
        block("b", waiting=True, idle_since=990.0),
        block("c", waiting=True, idle_since=880.0),
    )
    assert strategy.target(view(*blocks)) == 2


@BOTH
def test_the_initial_blocks_are_waited_for(strategy: ScalingStrategy) -> None:
    blocks = [block(name, waiting=True, idle_since=0.0) for name in "abc"]
    assert strategy.target(view(*blocks, init_blocks=2, came=False)) == 2
    assert strategy.target(view(*blocks, init_blocks=2)) == 0


@BOTH
def test_without_blocks_and_work_the_floor_holds(strategy: ScalingStrategy) -> None:
    assert strategy.target(view(came=False)) == 0
    assert strategy.target(view(min_blocks=2)) == 2
