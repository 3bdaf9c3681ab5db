from lamina.scaling import BlocksView, BlockView, NoScaling, Simple


def block(name: str, *, waiting: bool = False, idle_since: float | None = None) -> BlockView:
    busy = 0 if waiting or idle_since is not None else 1
    return BlockView(block=name, waiting=waiting, slots=4, busy=busy, idle_since=idle_since)


def view(*blocks: BlockView, outstanding: int = 0, **changes: float) -> BlocksView:
    settings: dict[str, float] = {
        "now": 1000.0, "slots_per_block": 4, "init_blocks": 1, "min_blocks": 0,
        "max_blocks": 10, "parallelism": 1.0, "max_idletime": 120.0,
    } | changes  # fmt: skip
    return BlocksView(blocks=blocks, outstanding=outstanding, **settings)  # type: ignore[arg-type]


def test_no_scaling_keeps_the_initial_number_within_the_limits() -> None:
    assert NoScaling().target(view(outstanding=1000, init_blocks=3)) == 3
    assert NoScaling().target(view(init_blocks=3, max_blocks=2)) == 2
    assert NoScaling().target(view(init_blocks=0, min_blocks=1)) == 1


def test_work_asks_for_whole_blocks_up_to_the_limit() -> None:
    assert Simple().target(view(outstanding=1)) == 1
    assert Simple().target(view(outstanding=9)) == 3
    assert Simple().target(view(outstanding=1000)) == 10


def test_parallelism_scales_what_work_asks_for() -> None:
    assert Simple().target(view(outstanding=32, parallelism=0.5)) == 4
    assert Simple().target(view(outstanding=32, parallelism=0.0)) == 1


def test_blocks_of_unknown_size_count_as_one_slot() -> None:
    assert Simple().target(view(outstanding=3, slots_per_block=0)) == 3


def test_a_block_that_works_is_never_given_back() -> None:
    assert Simple().target(view(block("a"), block("b"), outstanding=1)) == 2


def test_with_work_left_only_blocks_idle_for_long_go() -> None:
    blocks = (block("a"), block("b", idle_since=880.0), block("c", idle_since=990.0))
    assert Simple().target(view(*blocks, outstanding=1)) == 2


def test_without_work_blocks_go_once_they_were_idle_for_long() -> None:
    young = (block("a", idle_since=900.0), block("b", idle_since=900.0))
    assert Simple().target(view(*young)) == 2
    assert Simple().target(view(*young, now=1020.0)) == 0
    assert Simple().target(view(*young, now=1020.0, min_blocks=1)) == 1


def test_without_work_what_waits_in_the_queue_is_given_back() -> None:
    assert Simple().target(view(block("a", idle_since=990.0), block("b", waiting=True))) == 1


def test_the_initial_blocks_are_waited_for() -> None:
    blocks = (block("a", waiting=True), block("b", waiting=True))
    assert Simple().target(view(*blocks, init_blocks=2)) == 2


def test_without_blocks_and_work_the_floor_holds() -> None:
    assert Simple().target(view()) == 0
    assert Simple().target(view(min_blocks=2)) == 2
