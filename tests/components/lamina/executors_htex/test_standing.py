from lamina.blocks import BlockState, Turned
from lamina.executors_htex.standing import BlockStanding, Standings
from lamina.vocabulary import BlockId, JobId

ZERO, JOB = BlockId("0"), JobId("17")


def told(state: BlockState, reason: str = "", code: int | None = None) -> Turned:
    return Turned(ZERO, JOB, state, reason, code)


def requested() -> Standings:
    standings = Standings()
    standings.requested(ZERO, 1.0)
    return standings


def test_a_block_is_requested_until_more_is_said() -> None:
    assert requested().all == (BlockStanding(block="0", since=1.0),)


def test_it_stands_where_it_was_last_told_to() -> None:
    standings = requested()
    turned = standings.turned(told(BlockState.RUNNING, "so"), 2.0)
    assert turned is not None
    assert (turned.state, turned.job, turned.reason, turned.since) == ("running", "17", "so", 2.0)
    assert standings.all == (turned,)
    assert not turned.over


def test_a_new_reason_is_shown_and_is_no_new_state() -> None:
    standings = requested()
    standings.turned(told(BlockState.PENDING), 2.0)
    assert standings.turned(told(BlockState.PENDING, "no nodes"), 3.0) is None
    assert [(one.reason, one.since) for one in standings.all] == [("no nodes", 2.0)]


def test_what_is_over_stays_so() -> None:
    standings = requested()
    ended = standings.turned(told(BlockState.FAILED, "node fell over", 9), 2.0)
    assert ended is not None
    assert ended.over
    assert (ended.reason, ended.exit_code) == ("node fell over", 9)
    assert standings.turned(told(BlockState.RUNNING), 3.0) is None


def test_the_managers_of_a_block_are_counted_with_their_slots() -> None:
    standings = requested()
    standings.manager_came(ZERO, "a", 4)
    standings.manager_came(ZERO, "b", 2)
    assert [(one.managers, one.slots) for one in standings.all] == [(2, 6)]
    standings.manager_went(ZERO, "a")
    assert [(one.managers, one.slots) for one in standings.all] == [(1, 2)]
    standings.manager_went(ZERO, "b")
    assert [(one.managers, one.slots) for one in standings.all] == [(0, 0)]


def test_what_is_said_of_strangers_changes_nothing() -> None:
    standings = requested()
    assert standings.turned(Turned(BlockId("9"), JOB, BlockState.RUNNING), 2.0) is None
    standings.manager_came(BlockId("9"), "a", 4)
    standings.manager_went(BlockId("9"), "a")
    assert [one.block for one in standings.all] == ["0"]


def test_of_ended_blocks_only_the_last_are_shown() -> None:
    standings = Standings()
    for number in range(60):
        block = BlockId(str(number))
        standings.requested(block, 1.0)
        standings.turned(Turned(block, None, BlockState.REFUSED, "full"), 1.0)
    standings.requested(BlockId("60"), 1.0)
    kept = [one.block for one in standings.all]
    assert kept == [str(number) for number in range(10, 61)]
