"""Blocks: as many as the strategy wants, and an end when too many of them fail."""

from typing import Any

import pytest

from lamina.blocks import (
    BlockEffect,
    BlockKeeper,
    BlockState,
    CancelJobs,
    Drain,
    Fail,
    ManagerWork,
    SubmitBlock,
    Turned,
    Work,
)
from lamina.providers import JobState, JobStatus
from lamina.scaling import BlocksView, FailingBlocks, Guards, HtexAutoScale, Off
from lamina.vocabulary import BlockId, JobId

ZERO, ONE = BlockId("0"), BlockId("1")
RUNNING, PENDING = JobStatus(state=JobState.RUNNING), JobStatus(state=JobState.PENDING)
NO_GUARDS = Guards(
    submissions_per_minute=None, max_submissions=None, max_young=None, pause=0.0, young=0.0
)


def keeper(*, init: int = 1, least: int = 0, most: int = 3, **options: Any) -> BlockKeeper:
    return BlockKeeper(
        **{
            "strategy": HtexAutoScale(),
            "errors": FailingBlocks(limit=3, within=60.0),
            "init_blocks": init,
            "min_blocks": least,
            "max_blocks": most,
            "parallelism": 1.0,
            "slots_per_block": 2,
            "max_idletime": 10.0,
            "guards": NO_GUARDS,
            "grace": 30.0,
            **options,
        }
    )


def job(name: str) -> JobId:
    return JobId(f"job{name}")


def submitted(blocks: BlockKeeper, now: float, outstanding: int) -> list[BlockId]:
    """Decide, and have the provider take every request."""
    names = []
    for effect in blocks.decide(now, Work(outstanding)):
        assert isinstance(effect, SubmitBlock)
        blocks.submitted(effect.block, job(effect.block), now)
        names.append(effect.block)
    return names


def here(*, outstanding: int = 2, **options: Any) -> BlockKeeper:
    """With all its blocks come, one manager of two slots in each."""
    blocks = keeper(**options)
    for name in submitted(blocks, 0.0, outstanding):
        blocks.manager_came(name, f"m{name}", 2, 0.0)
    return blocks


def ended(state: JobState, code: int | None = None) -> JobStatus:
    return JobStatus(state=state, exit_code=code, reason="so it was")


def tell(blocks: BlockKeeper, now: float, **jobs: JobStatus) -> list[BlockEffect]:
    return blocks.statuses(now, {JobId(name): status for name, status in jobs.items()})


def requests(effects: list[BlockEffect]) -> list[BlockId]:
    return [effect.block for effect in effects if isinstance(effect, SubmitBlock)]


def cancelled(effects: list[BlockEffect]) -> list[JobId]:
    return [one for effect in effects if isinstance(effect, CancelJobs) for one in effect.jobs]


def turns(effects: list[BlockEffect]) -> list[tuple[str, BlockState]]:
    return [(effect.block, effect.state) for effect in effects if isinstance(effect, Turned)]


# How many there are.


def test_it_asks_for_as_many_blocks_as_the_work_needs_within_the_limit() -> None:
    assert submitted(keeper(), 0.0, 3) == ["0", "1"]
    assert submitted(keeper(), 0.0, 1000) == ["0", "1", "2"]
    assert submitted(keeper(init=0, least=2), 0.0, 0) == ["0", "1"]


def test_each_request_says_why() -> None:
    (request,) = keeper().decide(0.0, Work(2))
    assert request == SubmitBlock(ZERO, "2 tasks, 0 blocks, 1 wanted")


def test_what_is_on_its_way_is_not_asked_for_again() -> None:
    blocks = keeper()
    submitted(blocks, 0.0, 2)
    assert blocks.waiting
    assert blocks.decide(1.0, Work(2)) == []
    assert blocks.jobs == {"job0": "0"}


def test_a_block_that_came_waits_no_more_and_says_how_large_blocks_are() -> None:
    blocks = keeper()
    submitted(blocks, 0.0, 2)
    assert turns(blocks.manager_came(ZERO, "m", 1, 1.0)) == [("0", BlockState.RUNNING)]
    assert not blocks.waiting
    assert requests(blocks.decide(1.0, Work(2))) == [ONE]


# Where they stand, and how they end.


def test_a_block_goes_through_its_states_and_each_is_told_once() -> None:
    blocks = keeper()
    blocks.decide(0.0, Work(2))
    assert turns(blocks.submitted(ZERO, job("0"), 0.0)) == [("0", BlockState.PENDING)]
    story = [
        (JobState.PENDING, None),
        (JobState.HELD, BlockState.HELD),
        (JobState.PENDING, BlockState.PENDING),
        (JobState.RUNNING, BlockState.RUNNING),
        (JobState.SUSPENDED, BlockState.SUSPENDED),
        (JobState.UNKNOWN, BlockState.UNKNOWN),
        (JobState.RUNNING, BlockState.RUNNING),
        (JobState.COMPLETING, BlockState.COMPLETING),
        (JobState.SUSPENDED, None),  # what completes is not suspended: not believed
        (JobState.TIMEOUT, BlockState.WALLTIME),
    ]
    for said, turned in story:
        expected = [] if turned is None else [("0", turned)]
        assert turns(tell(blocks, 1.0, job0=JobStatus(state=said))) == expected
    assert blocks.jobs == {}
    assert tell(blocks, 1.0, job0=RUNNING) == []


@pytest.mark.parametrize(
    "said, end",
    [
        (ended(JobState.COMPLETED, 0), BlockState.COMPLETED),
        (ended(JobState.FAILED, 3), BlockState.FAILED),
        (ended(JobState.TIMEOUT), BlockState.WALLTIME),
        (ended(JobState.CANCELLED), BlockState.REMOVED),
        (ended(JobState.PREEMPTED), BlockState.PREEMPTED),
        (ended(JobState.NODE_FAIL), BlockState.NODE_FAILED),
        (ended(JobState.OUT_OF_MEMORY), BlockState.OUT_OF_MEMORY),
        (ended(JobState.GONE), BlockState.MISSING),
    ],
)
def test_the_job_s_end_is_the_cause_even_where_its_manager_has_left_before(
    said: JobStatus, end: BlockState
) -> None:
    blocks = here()
    assert blocks.manager_went(ZERO, "m0", 1.0) == []
    assert blocks.decide(1.5, Work(0)) == []
    assert tell(blocks, 2.0, job0=said) == [
        Turned(ZERO, job("0"), end, "so it was", said.exit_code)
    ]


def test_a_block_that_lost_its_managers_takes_no_tasks_and_is_replaced_where_there_is_room() -> (
    None
):
    roomy, full = here(most=2), here(most=1)
    for blocks in (roomy, full):
        blocks.manager_went(ZERO, "m0", 1.0)
    assert requests(roomy.decide(1.0, Work(2))) == [ONE]
    assert full.decide(1.0, Work(2)) == []
    tell(full, 2.0, job0=ended(JobState.TIMEOUT))
    assert requests(full.decide(2.0, Work(2))) == [ONE]


def test_while_one_manager_is_left_the_block_stays() -> None:
    blocks = here()
    blocks.manager_came(ZERO, "second", 2, 0.0)
    blocks.manager_went(ZERO, "m0", 1.0)
    blocks.manager_went(ZERO, "m0", 1.0)
    assert blocks.decide(1.0, Work(2)) == []
    blocks.manager_went(ZERO, "second", 1.0)
    assert requests(blocks.decide(1.0, Work(2))) == [ONE]


def test_a_job_that_goes_on_without_managers_is_cancelled_after_the_grace_period() -> None:
    blocks = here(most=1)
    blocks.manager_went(ZERO, "m0", 10.0)
    assert tell(blocks, 39.9, job0=RUNNING) == []
    assert cancelled(tell(blocks, 40.0, job0=RUNNING)) == [job("0")]
    assert cancelled(tell(blocks, 41.0, job0=RUNNING)) == []
    assert turns(tell(blocks, 42.0, job0=ended(JobState.CANCELLED))) == [("0", BlockState.LOST)]


def test_a_job_whose_end_the_batch_system_does_not_bring_about_is_given_up_and_replaced() -> None:
    blocks = here(most=1)
    blocks.manager_went(ZERO, "m0", 10.0)
    assert cancelled(tell(blocks, 40.0, job0=RUNNING)) == [job("0")]
    ending = JobStatus(state=JobState.COMPLETING, reason="it is being deleted")
    assert cancelled(blocks.decide(100.0, Work(2))) == [job("0")]
    assert turns(tell(blocks, 159.9, job0=ending)) == [("0", BlockState.COMPLETING)]
    assert blocks.decide(159.9, Work(2)) == []
    [end] = tell(blocks, 160.0, job0=ending)
    assert isinstance(end, Turned)
    assert end.state is BlockState.NODE_FAILED
    assert end.reason == (
        "its nodes have left, and 120 s after it was told to end the batch system is still "
        "ending it: it is being deleted"
    )
    assert requests(blocks.decide(160.0, Work(2))) == [ONE]
    # What becomes of the job later on is no news.
    assert tell(blocks, 161.0, job0=ended(JobState.CANCELLED)) == []


def test_one_that_is_wanted_no_more_is_given_up_as_well_and_that_is_nobody_s_fault() -> None:
    blocks = here(most=1)
    blocks.manager_went(ZERO, "m0", 10.0, drained=True)
    assert cancelled(tell(blocks, 40.0, job0=RUNNING)) == [job("0")]
    ending = JobStatus(state=JobState.COMPLETING)
    assert turns(tell(blocks, 160.0, job0=ending)) == [
        ("0", BlockState.COMPLETING),
        ("0", BlockState.CANCELLED),
    ]


def test_a_block_that_still_has_a_manager_is_not_given_up_however_long_its_end_takes() -> None:
    blocks = here(most=1)
    blocks.give_up()
    assert cancelled(blocks.decide(10.0, Work(0))) == [job("0")]
    ending = JobStatus(state=JobState.COMPLETING)
    assert turns(tell(blocks, 1000.0, job0=ending)) == [("0", BlockState.COMPLETING)]


@pytest.mark.parametrize("said", [JobState.SUSPENDED, JobState.UNKNOWN])
def test_what_is_suspended_or_unknown_is_not_given_up_however_long(said: JobState) -> None:
    blocks = here(most=1)
    blocks.manager_went(ZERO, "m0", 10.0)
    for now in range(11, 1000, 100):
        assert cancelled(tell(blocks, float(now), job0=JobStatus(state=said))) == []


def test_silence_of_the_batch_system_ends_no_block() -> None:
    blocks = here(most=1)
    blocks.manager_went(ZERO, "m0", 10.0)
    for now in range(11, 1000, 100):
        assert blocks.decide(float(now), Work(2)) == []


def test_a_job_that_is_queued_again_is_kept_and_its_managers_come_anew() -> None:
    blocks = here(most=1)
    blocks.manager_went(ZERO, "m0", 10.0)
    assert turns(tell(blocks, 30.0, job0=PENDING)) == [("0", BlockState.PENDING)]
    assert blocks.waiting
    assert blocks.decide(500.0, Work(2)) == []
    blocks.manager_came(ZERO, "again", 2, 600.0)
    assert tell(blocks, 601.0, job0=RUNNING) == []
    assert blocks.decide(601.0, Work(2)) == []


def test_that_a_job_waited_before_its_managers_came_does_not_have_it_queued_again() -> None:
    blocks = here(most=1)
    blocks.manager_went(ZERO, "m0", 10.0)
    # The provider may have seen it 15 s before it says so.
    assert tell(blocks, 24.0, job0=PENDING) == []
    assert not blocks.waiting
    assert cancelled(tell(blocks, 70.0, job0=RUNNING)) == [job("0")]


def test_a_manager_that_comes_back_has_not_lost_its_block() -> None:
    blocks = here(most=1)
    blocks.manager_went(ZERO, "m0", 10.0)
    blocks.manager_came(ZERO, "m0", 2, 11.0)
    assert cancelled(tell(blocks, 100.0, job0=RUNNING)) == []


def test_a_lost_block_is_replaced_without_work_only_up_to_the_minimum() -> None:
    without, with_one = here(), here(least=1)
    for blocks in (without, with_one):
        blocks.manager_went(ZERO, "m0", 1.0)
    assert without.decide(1.0, Work(0)) == []
    assert requests(with_one.decide(1.0, Work(0))) == [ONE]


# When it is time to give up.


def test_more_bad_endings_than_are_borne_fail_the_executor_once() -> None:
    blocks = keeper(most=1)
    for turn in range(3):
        (name,) = submitted(blocks, float(turn), 2)
        assert not blocks.failed
        tell(blocks, float(turn), **{f"job{name}": ended(JobState.FAILED, 9)})
    (name,) = submitted(blocks, 3.0, 2)
    fail = tell(blocks, 3.0, **{f"job{name}": ended(JobState.FAILED, 9)})[-1]
    assert isinstance(fail, Fail)
    assert fail.block == name
    assert f"block {name}, job job{name}: failed, exit code 9: so it was" in fail.reason
    assert blocks.failed
    assert blocks.decide(4.0, Work(2)) == []


@pytest.mark.parametrize(
    "state",
    [JobState.TIMEOUT, JobState.PREEMPTED, JobState.CANCELLED, JobState.NODE_FAIL],
)
def test_what_others_or_the_walltime_end_is_not_the_executor_s_fault(state: JobState) -> None:
    blocks = keeper(most=4, init=4, guards=Guards())
    now = 0.0
    for _ in range(20):
        names = []
        while not names:
            names = submitted(blocks, now, 8)
            now += 60.0
        for name in names:
            blocks.manager_came(name, f"m{name}", 2, now)
        for name in names:
            blocks.manager_went(name, f"m{name}", now + 1.0)
        tell(blocks, now + 2.0, **{f"job{name}": ended(state) for name in names})
        assert blocks.count == 0
    assert not blocks.failed


def test_a_refusal_for_good_is_a_bad_end_and_one_for_now_is_none() -> None:
    refused, deferred = keeper(), keeper(retry=1.0)
    for _ in range(4):
        (name,) = requests(refused.decide(0.0, Work(2)))
        effects = refused.refused(name, 0.0, "no such partition")
    assert isinstance(effects[-1], Fail)
    assert "no such partition" in effects[-1].reason
    moments, now = [], 0.0
    for _ in range(100):
        for name in requests(deferred.decide(now, Work(2))):
            moments.append(now)
            assert turns(deferred.not_taken(name, now, "busy")) == [(name, BlockState.REFUSED)]
        now += 1.0
    assert moments == [0, 1, 3, 7, 15, 31, 63]
    assert not deferred.failed


def test_a_request_that_was_never_made_counts_for_nothing() -> None:
    blocks = keeper(init=3, guards=Guards(max_submissions=3))
    for name in requests(blocks.decide(0.0, Work(0))):
        blocks.not_asked(name)
    assert len(submitted(blocks, 0.0, 6)) == 3


@pytest.mark.parametrize(
    "end, most",
    [
        (ended(JobState.FAILED, 1), 1),
        (ended(JobState.COMPLETED, 0), 1),
        (ended(JobState.COMPLETED, 0), 10),
        (ended(JobState.GONE), 10),
    ],
)
def test_a_scheduler_that_lets_each_job_die_at_once_gets_few_of_them(
    end: JobStatus, most: int
) -> None:
    for poll in (1.0, 30.0, 300.0):
        blocks = keeper(init=1, most=most, errors=Off(), guards=Guards())
        asked, now = 0, 0.0
        while now < 12 * 3600.0:
            names = requests(blocks.decide(now, Work(1000)))
            asked += len(names)
            for name in names:
                blocks.submitted(name, job(name), now)
            now += poll
            blocks.statuses(now, dict.fromkeys(blocks.jobs, end))
        assert blocks.failed
        assert asked <= 4 + most  # max_young - 1, and those that were there at the same time


def test_a_breaker_that_is_open_leaves_the_blocks_that_work_alone() -> None:
    blocks = here(outstanding=4, most=2, errors=Off(), guards=Guards(max_young=2))
    asked = 0
    for now in range(1, 1400):
        for name in requests(blocks.decide(float(now), Work(4))):
            blocks.submitted(name, job(name), float(now))
            asked += 1
        tell(blocks, float(now), **{
            name: RUNNING if name == "job0" else ended(JobState.FAILED, 1)
            for name in list(blocks.jobs)
        })  # fmt: skip
    assert not blocks.failed
    assert 2 <= asked <= 4  # one more to open it, then one each ten minutes
    assert job("0") in blocks.jobs


def test_one_that_gave_up_cancels_what_is_left_until_it_has_ended() -> None:
    blocks = here(outstanding=4)
    blocks.give_up()
    assert cancelled(blocks.decide(1.0, Work(0))) == [job("0"), job("1")]
    assert blocks.decide(2.0, Work(0)) == []
    assert cancelled(blocks.decide(61.0, Work(0))) == [job("0"), job("1")]
    tell(blocks, 62.0, job0=ended(JobState.CANCELLED), job1=ended(JobState.CANCELLED))
    assert blocks.decide(500.0, Work(10)) == []


# What is given back.


def at_work(now: float, *busy: int, draining: tuple[int, ...] = ()) -> dict[str, ManagerWork]:
    """What the managers of blocks 0, 1, … have to do."""
    return {
        f"m{number}": ManagerWork(count, None if count else now, number in draining)
        for number, count in enumerate(busy)
    }


def drained(effects: list[BlockEffect]) -> list[BlockId]:
    return [effect.block for effect in effects if isinstance(effect, Drain)]


def test_idle_blocks_are_given_back_after_the_idle_time_and_not_before() -> None:
    blocks = here(outstanding=4)
    assert blocks.decide(1.0, Work(0)) == []
    assert blocks.decide(10.9, Work(0)) == []
    assert drained(blocks.decide(11.0, Work(0))) == [ZERO, ONE]
    assert blocks.decide(12.0, Work(0)) == []
    for name in (ZERO, ONE):
        effects = blocks.manager_went(name, f"m{name}", 12.0, drained=True)
        assert cancelled(effects) == [job(name)]
    both = {"job0": ended(JobState.COMPLETED, 0), "job1": ended(JobState.CANCELLED)}
    assert [state for _, state in turns(tell(blocks, 13.0, **both))] == [BlockState.CANCELLED] * 2


def test_work_between_begins_the_idle_time_anew() -> None:
    blocks = here(outstanding=4)
    blocks.decide(1.0, Work(0))
    blocks.decide(9.0, Work(4))
    blocks.decide(10.0, Work(0))
    assert blocks.decide(19.0, Work(0)) == []
    assert blocks.decide(20.0, Work(0)) != []


def test_work_that_was_done_between_two_looks_counts_as_well() -> None:
    blocks = here()
    for look in range(10):
        now = 1.0 + 9.0 * look
        assert blocks.decide(now, Work(0, managers=at_work(now - 1.0, 0))) == []
    assert blocks.decide(90.9, Work(0, managers=at_work(81.0, 0))) == []
    assert blocks.decide(91.0, Work(0, managers=at_work(81.0, 0))) != []


def test_the_minimum_stays_however_idle() -> None:
    blocks = here(least=1, outstanding=4)
    blocks.decide(1.0, Work(0))
    assert drained(blocks.decide(11.0, Work(0))) == [ZERO]
    assert blocks.decide(50.0, Work(0)) == []


def test_a_block_that_is_on_its_way_out_counts_until_its_job_has_ended() -> None:
    blocks = here(most=1)
    blocks.decide(1.0, Work(0))
    assert drained(blocks.decide(11.0, Work(0))) == [ZERO]
    assert blocks.decide(12.0, Work(5)) == []
    blocks.manager_went(ZERO, "m0", 12.5, drained=True)
    assert blocks.decide(12.5, Work(5)) == []
    tell(blocks, 13.0, job0=ended(JobState.CANCELLED))
    assert requests(blocks.decide(13.0, Work(5))) == [ONE]


def test_what_waits_is_given_back_once_the_work_has_long_fitted_without_it() -> None:
    blocks = here()
    assert submitted(blocks, 1.0, 4) == [ONE]
    assert blocks.decide(2.0, Work(2)) == []
    assert blocks.decide(5.0, Work(4)) == []  # a pause of the work moves nothing
    assert blocks.decide(6.0, Work(2)) == []
    assert cancelled(blocks.decide(16.0, Work(2))) == [job("1")]


def test_a_request_on_its_way_is_given_back_only_when_its_job_is_known() -> None:
    blocks = here()
    assert requests(blocks.decide(1.0, Work(4))) == [ONE]
    blocks.decide(2.0, Work(2))
    assert blocks.decide(12.0, Work(2)) == []
    blocks.submitted(ONE, job("1"), 12.0)
    assert cancelled(blocks.decide(13.0, Work(2))) == [job("1")]


def test_one_long_task_does_not_hold_the_blocks_that_have_none() -> None:
    blocks = here(outstanding=4)
    assert blocks.decide(1.0, Work(1, managers=at_work(1.0, 1, 0))) == []
    assert blocks.decide(10.9, Work(1, managers=at_work(1.0, 1, 0))) == []
    (drain,) = blocks.decide(11.0, Work(1, managers=at_work(1.0, 1, 0)))
    assert isinstance(drain, Drain)
    assert drain.block == ONE
    assert drain.why == "1 tasks, 2 blocks, 1 wanted: it goes when it has no task left"


def test_the_order_is_idle_then_waiting_then_the_least_busy_and_none_with_tasks_is_cancelled() -> (
    None
):
    blocks = keeper(init=4, most=4, strategy=Falling())
    for name in submitted(blocks, 0.0, 8)[:3]:
        blocks.manager_came(name, f"m{name}", 2, 0.0)
    gone: list[str] = []
    for now in range(1, 5):
        effects = blocks.decide(float(now), Work(8, managers=at_work(0.0, 2, 1, 0)))
        gone += drained(effects)
        gone += cancelled(effects)
    assert gone == ["2", "job3", "1", "0"]


class Falling:
    """Wants one block less each time."""

    def __init__(self) -> None:
        self.wanted = 5

    def target(self, view: BlocksView) -> int:
        self.wanted -= 1
        return self.wanted


def test_a_block_that_drains_of_its_own_accord_is_replaced_and_ends_as_its_job_does() -> None:
    blocks = here(most=2, guards=Guards(max_young=1))
    work = Work(2, managers=at_work(1.0, 2, draining=(0,)))
    assert requests(blocks.decide(1.0, work)) == [ONE]
    assert blocks.manager_went(ZERO, "m0", 2.0, drained=True) == []
    assert blocks.decide(2.0, Work(2)) == []
    assert turns(tell(blocks, 3.0, job0=ended(JobState.COMPLETED, 0))) == [
        ("0", BlockState.COMPLETED)
    ]
    assert not blocks.failed


def test_a_drained_job_that_does_not_end_is_cancelled_and_that_is_nobody_s_fault() -> None:
    blocks = here(most=1)
    blocks.manager_went(ZERO, "m0", 10.0, drained=True)
    assert cancelled(tell(blocks, 40.0, job0=RUNNING)) == [job("0")]
    assert turns(tell(blocks, 41.0, job0=ended(JobState.FAILED, 143))) == [
        ("0", BlockState.CANCELLED)
    ]


def test_a_block_whose_first_node_drains_stays_when_another_comes() -> None:
    blocks = here(most=2)
    first, both = at_work(1.0, 0, draining=(0,)), at_work(1.0, 0, 0, draining=(0,))
    assert requests(blocks.decide(1.0, Work(2, managers=first))) == [ONE]
    blocks.submitted(ONE, job("1"), 1.0)
    blocks.manager_came(ZERO, "m1", 2, 2.0)
    blocks.decide(2.0, Work(2, managers=both))
    assert blocks.staying == 2
    # So it is given back when it is idle, as any other.
    gone: list[BlockEffect] = []
    for now in (3.0, 20.0):
        gone += blocks.decide(now, Work(0, managers=both))
    assert drained(gone) == [ZERO]


def test_a_drained_block_that_is_queued_again_waits_like_any_other() -> None:
    blocks = here(most=2)
    blocks.manager_went(ZERO, "m0", 10.0, drained=True)
    assert blocks.staying == 0
    tell(blocks, 30.0, job0=PENDING)
    assert blocks.staying == 1
    blocks.manager_came(ZERO, "m0", 2, 600.0)
    assert blocks.decide(600.0, Work(2, managers=at_work(600.0, 2))) == []


def test_a_block_that_is_wanted_no_more_stays_so_whichever_node_comes() -> None:
    blocks = here(most=1)
    blocks.decide(1.0, Work(0))
    assert drained(blocks.decide(11.0, Work(0))) == [ZERO]
    blocks.manager_came(ZERO, "late", 2, 12.0)
    assert blocks.staying == 0


def test_it_says_whether_more_is_wanted_than_may_be_asked_for_now() -> None:
    blocks = keeper(least=1, guards=Guards(submissions_per_minute=1))
    submitted(blocks, 0.0, 0)
    assert not blocks.short
    tell(blocks, 1.0, job0=ended(JobState.PREEMPTED))
    assert blocks.decide(1.0, Work(0)) == []
    assert blocks.short
    assert requests(blocks.decide(61.0, Work(0))) == [ONE]
    assert not blocks.short
    blocks.not_taken(ONE, 61.0, "it hangs")
    assert blocks.short


def test_what_is_said_of_blocks_that_nobody_knows_changes_nothing() -> None:
    blocks = keeper()
    assert blocks.manager_came(BlockId("9"), "m", 2, 0.0) == []
    assert blocks.manager_went(BlockId("9"), "m", 0.0) == []
    assert not blocks.waiting


def test_a_strategy_sees_the_peak_of_the_work_and_how_long_tasks_take() -> None:
    views: list[BlocksView] = []

    class Watching:
        def target(self, view: BlocksView) -> int:
            views.append(view)
            return 1

    blocks = here(strategy=Watching())
    for second in range(1, 21):
        outstanding = 9 if second == 5 else 2
        blocks.decide(float(second), Work(outstanding, finished=4 * second))
    peaks = [view.peak for view in views]
    assert peaks[5] == 9
    assert peaks[15] == 9
    assert peaks[16] == 2
    assert views[-1].task_seconds == pytest.approx(0.5, rel=0.1)
