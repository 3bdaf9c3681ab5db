from lamina.executors_htex.standing import BlockStanding, Standings
from lamina.providers import JobState, JobStatus
from lamina.vocabulary import BlockId, JobId

ZERO, JOB = BlockId("0"), JobId("17")
RUNNING = JobStatus(state=JobState.RUNNING)
FAILED = JobStatus(state=JobState.FAILED, reason="node fell over")


def submitted() -> Standings:
    standings = Standings()
    standings.requested(ZERO, 1.0)
    standings.submitted(ZERO, JOB)
    return standings


def test_a_block_is_requested_until_the_batch_system_says_more() -> None:
    assert submitted().all == (BlockStanding(block="0", job="17", since=1.0),)


def test_only_a_new_state_is_news() -> None:
    standings = submitted()
    turned = standings.told(JOB, RUNNING, 2.0)
    assert turned is not None
    assert (turned.state, turned.since) == ("running", 2.0)
    assert standings.told(JOB, RUNNING, 3.0) is None
    assert standings.all == (turned,)


def test_what_is_over_stays_so() -> None:
    standings = submitted()
    ended = standings.told(JOB, FAILED, 2.0)
    assert ended is not None
    assert ended.over
    assert ended.reason == "node fell over"
    assert standings.told(JOB, RUNNING, 3.0) is None
    assert standings.cancelled(JOB, 3.0) is None


def test_a_block_that_was_given_back_is_cancelled() -> None:
    turned = submitted().cancelled(JOB, 2.0)
    assert turned is not None
    assert (turned.state, turned.reason, turned.over) == ("cancelled", "given back", True)


def test_a_block_that_was_refused_says_why() -> None:
    standings = Standings()
    standings.requested(ZERO, 1.0)
    turned = standings.refused(ZERO, "no such partition", 2.0)
    assert turned is not None
    assert (turned.state, turned.reason, turned.job) == ("refused", "no such partition", None)


def test_the_managers_of_a_block_are_counted_with_their_slots() -> None:
    standings = submitted()
    standings.manager_came(ZERO, "a", 4)
    standings.manager_came(ZERO, "b", 2)
    assert [(one.managers, one.slots) for one in standings.all] == [(2, 6)]
    standings.manager_went(ZERO, "a")
    assert [(one.managers, one.slots) for one in standings.all] == [(1, 2)]
    standings.manager_went(ZERO, "b")
    assert [(one.managers, one.slots) for one in standings.all] == [(0, 0)]


def test_what_nobody_here_has_asked_for_is_no_news() -> None:
    standings = submitted()
    assert standings.told(JobId("18"), RUNNING, 2.0) is None
    assert standings.cancelled(JobId("18"), 2.0) is None
    standings.manager_came(BlockId("9"), "a", 4)
    standings.manager_went(BlockId("9"), "a")
    assert [one.block for one in standings.all] == ["0"]


def test_the_last_fifty_that_ended_are_kept_and_all_that_have_not() -> None:
    standings = submitted()
    for number in range(1, 60):
        block = BlockId(str(number))
        standings.requested(block, 1.0)
        standings.refused(block, "full", 1.0)
    standings.requested(BlockId("60"), 1.0)
    kept = [one.block for one in standings.all]
    assert len(kept) == 52
    assert kept[0] == "0"
    assert kept[1:3] == ["10", "11"]
    assert kept[-1] == "60"
