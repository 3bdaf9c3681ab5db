from lamina.blocks import BlockState, Turned
from lamina.blocks.block import Block, Order
from lamina.vocabulary import BlockId, JobId

ZERO, JOB = BlockId("0"), JobId("17")


def pending() -> Block:
    block = Block(ZERO, 10.0)
    block.job = JOB
    block.turn(BlockState.PENDING)
    return block


def test_what_is_news_and_may_be_is_told_and_nothing_else() -> None:
    block = pending()
    assert block.turn(BlockState.PENDING) == []
    assert block.turn(BlockState.RUNNING, "so") == [Turned(ZERO, JOB, BlockState.RUNNING, "so")]
    assert block.turn(BlockState.REFUSED) == []
    assert block.state is BlockState.RUNNING


def test_a_new_reason_for_the_same_state_is_told_once() -> None:
    block = pending()
    assert block.turn(BlockState.PENDING, "full") == [Turned(ZERO, JOB, BlockState.PENDING, "full")]
    assert block.turn(BlockState.PENDING, "full") == []
    assert block.turn(BlockState.PENDING) == []


def test_a_manager_proves_that_it_runs_whatever_an_old_list_shows() -> None:
    block = pending()
    assert [turned.state for turned in block.came("m", 4, 20.0)] == [BlockState.RUNNING]
    assert not block.may_turn(BlockState.PENDING)
    assert not block.may_turn(BlockState.HELD)
    block.managers.clear()
    assert block.may_turn(BlockState.PENDING)


def test_one_that_is_queued_again_waits_as_if_it_had_never_come() -> None:
    block = pending()
    block.came("m", 4, 20.0)
    block.managers.clear()
    block.lost_since = 30.0
    assert not block.stays
    block.queued(40.0)
    assert block.waiting
    assert block.stays
    assert block.lived(50.0) is None


def test_it_stays_until_it_is_drained_lost_or_told_to_end() -> None:
    for change in ("drained_since", "lost_since"):
        block = pending()
        setattr(block, change, 1.0)
        assert not block.stays
    block = pending()
    block.order = Order(lost=False, given_at=0.0, again_at=1.0)
    assert not block.stays


def test_it_dies_young_where_no_node_came_or_soon_after_it_last_waited() -> None:
    block = pending()
    assert block.died_young(10_000.0, 60.0)
    block.came("m", 4, 20.0)
    assert block.died_young(69.0, 60.0)
    assert not block.died_young(70.0, 60.0)
    assert block.lived(50.0) == 30.0


def test_it_proves_itself_once() -> None:
    block = pending()
    assert not block.proves_itself(100.0, 60.0)
    block.came("m", 4, 20.0)
    assert not block.proves_itself(69.0, 60.0)
    assert block.proves_itself(70.0, 60.0)
    assert not block.proves_itself(71.0, 60.0)


def test_an_order_is_given_again_after_twice_the_time_each_time() -> None:
    order = Order(lost=False, given_at=0.0, again_at=60.0)
    moments = []
    now = 60.0
    for _ in range(6):
        order.given_again(now)
        moments.append(order.again_at - now)
        now = order.again_at
    assert moments == [120, 240, 480, 600, 600, 600]
