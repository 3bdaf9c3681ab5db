"""Blocks: as many as the strategy wants, and an end when too many of them fail."""

import random

import pytest

from lamina.blocks import BlockKeeper, CancelJobs, Fail, SubmitBlock
from lamina.providers import JobState, JobStatus
from lamina.scaling import FailingBlocks, Simple
from lamina.vocabulary import BlockId, JobId


def keeper(
    *, init: int = 1, least: int = 0, most: int = 3, parallelism: float = 1.0, limit: int = 3
) -> BlockKeeper:
    return BlockKeeper(
        strategy=Simple(),
        errors=FailingBlocks(limit=limit, within=60.0),
        init_blocks=init,
        min_blocks=least,
        max_blocks=most,
        parallelism=parallelism,
        slots_per_block=2,
        max_idletime=10.0,
    )


def submitted(blocks: BlockKeeper, now: float, outstanding: int) -> list[BlockId]:
    """Decide, and have the provider take every request."""
    names = []
    for effect in blocks.decide(now, outstanding):
        assert isinstance(effect, SubmitBlock)
        blocks.submitted(effect.block, JobId(f"job{effect.block}"))
        names.append(effect.block)
    return names


def here(*, least: int = 0, most: int = 3, outstanding: int = 2) -> BlockKeeper:
    """With all its blocks come, one manager of two slots in each."""
    blocks = keeper(least=least, most=most)
    for name in submitted(blocks, 0.0, outstanding):
        blocks.manager_came(name, f"m{name}", 2, 0.0)
    return blocks


def ended(state: JobState, code: int | None = None) -> JobStatus:
    return JobStatus(state=state, exit_code=code, reason="so it was")


def test_it_asks_for_as_many_blocks_as_the_work_needs_within_the_limit() -> None:
    assert submitted(keeper(), 0.0, 3) == ["0", "1"]
    assert submitted(keeper(), 0.0, 1000) == ["0", "1", "2"]
    assert submitted(keeper(init=0, least=2), 0.0, 0) == ["0", "1"]


def test_what_is_on_its_way_is_not_asked_for_again() -> None:
    blocks = keeper()
    submitted(blocks, 0.0, 2)
    assert blocks.waiting
    assert blocks.decide(1.0, 2) == []
    assert blocks.jobs == {"job0": "0"}


def test_a_block_that_came_waits_no_more_and_says_how_large_blocks_are() -> None:
    blocks = keeper()
    submitted(blocks, 0.0, 2)
    blocks.manager_came(BlockId("0"), "m", 1, 1.0)
    assert not blocks.waiting
    assert blocks.decide(1.0, 2) == [SubmitBlock(BlockId("1"))]


def test_a_block_whose_last_manager_went_is_cancelled_and_replaced_while_there_is_work() -> None:
    blocks = here()
    blocks.manager_came(BlockId("0"), "second", 2, 0.0)
    assert blocks.manager_went(BlockId("0"), "m0", 1.0, "killed") == []
    assert blocks.manager_went(BlockId("0"), "m0", 1.0, "killed") == []
    effects = blocks.manager_went(BlockId("0"), "second", 1.0, "killed")
    assert effects == [CancelJobs([JobId("job0")])]
    assert blocks.decide(1.0, 2) == [SubmitBlock(BlockId("1"))]


def test_a_lost_block_is_replaced_without_work_only_up_to_the_minimum() -> None:
    without, with_one = here(), here(least=1)
    for blocks in (without, with_one):
        blocks.manager_went(BlockId("0"), "m0", 1.0, "killed")
    assert without.decide(1.0, 0) == []
    assert with_one.decide(1.0, 0) == [SubmitBlock(BlockId("1"))]


def test_a_job_that_ended_takes_its_block_and_others_stay() -> None:
    blocks = here(outstanding=4)
    job, other = JobId("job0"), JobId("job1")
    running = JobStatus(state=JobState.RUNNING)
    assert blocks.statuses(1.0, {job: ended(JobState.FAILED, 1), other: running}) == []
    assert blocks.jobs == {other: "1"}
    assert blocks.statuses(1.0, {}) == []
    assert blocks.jobs == {other: "1"}


def test_more_bad_endings_than_are_borne_fail_the_executor_once() -> None:
    blocks = keeper(most=1)
    for turn in range(3):
        (name,) = submitted(blocks, float(turn), 2)
        status = {JobId(f"job{name}"): ended(JobState.FAILED, 1)}
        assert blocks.statuses(float(turn), status) == []
    (name,) = submitted(blocks, 3.0, 2)
    (fail,) = blocks.submit_failed(name, 3.0, "no such partition")
    assert isinstance(fail, Fail)
    assert fail.block == name
    assert "no such partition" in fail.reason
    assert blocks.failed
    assert blocks.decide(4.0, 2) == []


@pytest.mark.parametrize(
    "status", [ended(JobState.COMPLETED, 0), ended(JobState.TIMEOUT), ended(JobState.TIMEOUT, -15)]
)
def test_blocks_that_ended_well_or_by_their_walltime_are_replaced_for_ever(
    status: JobStatus,
) -> None:
    blocks = keeper(most=1)
    for turn in range(20):
        (name,) = submitted(blocks, float(turn), 2)
        assert blocks.statuses(float(turn), {JobId(f"job{name}"): status}) == []


def test_bad_endings_long_apart_are_borne_for_ever() -> None:
    blocks = keeper(most=1)
    for turn in range(20):
        (name,) = submitted(blocks, turn * 30.0, 2)
        assert blocks.submit_failed(name, turn * 30.0, "busy") == []


def test_idle_blocks_are_given_back_after_the_idle_time_and_not_before() -> None:
    blocks = here(outstanding=4)
    assert blocks.decide(1.0, 0) == []
    assert blocks.decide(10.9, 0) == []
    assert blocks.decide(11.0, 0) == [CancelJobs([JobId("job0"), JobId("job1")])]
    assert blocks.decide(12.0, 0) == []


def test_work_between_begins_the_idle_time_anew() -> None:
    blocks = here(outstanding=4)
    blocks.decide(1.0, 0)
    blocks.decide(9.0, 4)
    blocks.decide(10.0, 0)
    assert blocks.decide(19.0, 0) == []
    assert blocks.decide(20.0, 0) != []


def test_work_that_was_done_between_two_looks_counts_as_well() -> None:
    blocks = here()
    for look in range(10):
        assert blocks.decide(1.0 + 9.0 * look, 0, used=True) == []
    assert blocks.decide(101.0, 0) == []
    assert blocks.decide(110.9, 0) == []
    assert blocks.decide(111.0, 0) != []


def test_the_minimum_stays_however_idle() -> None:
    blocks = here(least=1, outstanding=4)
    blocks.decide(1.0, 0)
    assert blocks.decide(11.0, 0) == [CancelJobs([JobId("job0")])]
    assert blocks.decide(100.0, 0) == []


def test_a_request_on_its_way_is_given_back_only_when_its_job_is_known() -> None:
    blocks = here()
    assert blocks.decide(1.0, 4) == [SubmitBlock(BlockId("1"))]
    assert blocks.decide(2.0, 0) == []
    blocks.submitted(BlockId("1"), JobId("job1"))
    assert blocks.decide(3.0, 0) == [CancelJobs([JobId("job1")])]


def test_what_is_said_of_blocks_that_nobody_knows_changes_nothing() -> None:
    blocks = keeper()
    blocks.manager_came(BlockId("9"), "m", 2, 0.0)
    assert blocks.manager_went(BlockId("9"), "m", 0.0, "killed") == []
    assert not blocks.waiting


def test_in_a_random_walk_the_number_of_blocks_stays_within_its_limits() -> None:
    chance = random.Random(4)
    blocks = keeper(least=1, most=4, limit=10**6)
    jobs: dict[JobId, BlockId] = {}
    now = 0.0
    for _ in range(20_000):
        now += chance.random()
        draw = chance.random()
        effects = []
        if draw < 0.5 or not jobs:
            outstanding = chance.choice([0, 0, 0, 1, 5, 50])
            effects = blocks.decide(now, outstanding)
        elif draw < 0.8:
            block = chance.choice(sorted(jobs.values()))
            blocks.manager_came(block, "m", chance.randrange(1, 4), now)
        else:
            job, block = chance.choice(sorted(jobs.items()))
            if draw < 0.9:
                effects = blocks.manager_went(block, "m", now, "killed")
            else:
                del jobs[job]
                assert blocks.statuses(now, {job: ended(JobState.FAILED, 1)}) == []
        for effect in effects:
            match effect:
                case SubmitBlock(block):
                    job = JobId(f"job{block}")
                    assert job not in jobs
                    jobs[job] = block
                    blocks.submitted(block, job)
                case CancelJobs(ending):
                    for job in ending:
                        del jobs[job]
                case Fail(reason, _):
                    raise AssertionError(reason)
        assert blocks.jobs == jobs
        assert len(jobs) <= 4
        assert draw >= 0.5 or len(jobs) >= 1


def test_a_request_without_an_answer_counts_for_nothing() -> None:
    blocks = keeper(limit=1)
    for turn in range(10):
        (effect,) = blocks.decide(float(turn), 2)
        assert isinstance(effect, SubmitBlock)
        blocks.submit_unanswered(effect.block)
    assert not blocks.failed


def test_a_block_whose_managers_were_drained_ends_as_its_job_does() -> None:
    blocks = keeper()
    (asked,) = blocks.decide(0.0, 1)
    assert isinstance(asked, SubmitBlock)
    blocks.submitted(asked.block, JobId("7"))
    blocks.manager_came(asked.block, "m", 2, 1.0)
    assert blocks.manager_went(asked.block, "m", 2.0, "it was asked to", drained=True) == []
    assert blocks.jobs == {JobId("7"): asked.block}
