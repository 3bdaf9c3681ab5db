import random

import pytest

from lamina.providers import JobState, JobStatus
from lamina.providers_batch.answers import Listing, Sighting
from lamina.providers_batch.ledger import Ledger
from lamina.vocabulary import JobId

ONE, TWO = JobId("1"), JobId("2")
PATIENCE = 60.0


def seen(state: JobState, reason: str = "", code: int | None = None) -> Sighting:
    return Sighting(JobStatus(state=state, reason=reason, exit_code=code))


def submitted(*jobs: JobId, at: float = 0.0) -> Ledger:
    ledger = Ledger()
    for job in jobs:
        ledger.submitted(job, f"name-{job}", f"/there/{job}.ec", at)
    return ledger


def asked(ledger: Ledger, now: float, **states: JobState) -> None:
    """The queue shows jobs so; names are ``j1`` for job 1."""
    ledger.listed(now, {JobId(name[1:]): seen(state) for name, state in states.items()})
    ledger.judge(now, PATIENCE)


def test_a_submitted_job_is_pending_until_it_is_seen() -> None:
    ledger = submitted(ONE)
    assert ledger.status(ONE).state is JobState.PENDING
    asked(ledger, 1.0, j1=JobState.RUNNING)
    assert ledger.status(ONE).state is JobState.RUNNING


def test_a_list_asked_for_before_the_submission_says_nothing_of_it() -> None:
    ledger = submitted(ONE, at=10.0)
    asked(ledger, 9.0)
    assert ledger.absent() == []
    assert ledger.status(ONE).state is JobState.PENDING


def test_an_absent_job_is_unknown_first_and_gone_after_a_while() -> None:
    ledger = submitted(ONE)
    asked(ledger, 1.0, j1=JobState.RUNNING)
    asked(ledger, 30.0)
    assert ledger.status(ONE).state is JobState.UNKNOWN
    assert ledger.absent() == [ONE]
    asked(ledger, 89.0)
    assert ledger.status(ONE).state is JobState.UNKNOWN
    asked(ledger, 90.0)
    assert ledger.status(ONE).state is JobState.GONE
    assert "missing from the queue for 60 s" in ledger.status(ONE).reason


def test_a_job_that_comes_back_has_never_been_away() -> None:
    ledger = submitted(ONE)
    asked(ledger, 1.0)
    asked(ledger, 50.0, j1=JobState.RUNNING)
    assert ledger.status(ONE).state is JobState.RUNNING
    asked(ledger, 60.0)
    asked(ledger, 119.0)
    assert ledger.status(ONE).state is JobState.UNKNOWN


def test_an_end_that_the_accounting_tells_is_believed() -> None:
    ledger = submitted(ONE)
    ledger.listed(1.0, {})
    ledger.looked_up({ONE: seen(JobState.TIMEOUT, "it reached its walltime")})
    ledger.judge(1.0, PATIENCE)
    assert ledger.status(ONE).state is JobState.TIMEOUT


def test_the_accounting_may_be_late_and_call_an_absent_job_running() -> None:
    ledger = submitted(ONE)
    ledger.listed(1.0, {})
    ledger.looked_up({ONE: seen(JobState.RUNNING), TWO: seen(JobState.FAILED)})
    ledger.judge(1.0, PATIENCE)
    assert ledger.status(ONE).state is JobState.UNKNOWN


@pytest.mark.parametrize("code, state", [(0, JobState.COMPLETED), (3, JobState.FAILED)])
def test_the_exit_status_that_a_script_left_is_believed(code: int, state: JobState) -> None:
    ledger = submitted(ONE)
    ledger.listed(1.0, {})
    assert ledger.wants_exit_code([ONE]) == {"/there/1.ec": ONE}
    ledger.exit_code(ONE, code)
    assert ledger.status(ONE) == JobStatus(
        state=state, reason=f"exit status {code}, as its script has left it", exit_code=code
    )


def test_a_script_that_was_told_to_end_does_not_know_why() -> None:
    ledger = submitted(ONE, TWO)
    ledger.listed(1.0, {})
    ledger.exit_code(ONE, 143)
    ledger.exit_code(TWO, 143)
    assert ledger.absent() == [ONE, TWO]
    ledger.looked_up({ONE: seen(JobState.TIMEOUT)})
    ledger.judge(1.0, PATIENCE)
    assert ledger.status(ONE).state is JobState.TIMEOUT
    assert ledger.status(TWO) == JobStatus(
        state=JobState.FAILED,
        reason="exit status 143, as its script has left it",
        exit_code=143,
    )


def test_a_failure_gets_its_exit_status_later() -> None:
    ledger = submitted(ONE, TWO)
    ledger.listed(
        1.0, {ONE: seen(JobState.FAILED, "its script failed"), TWO: seen(JobState.FAILED, "", 2)}
    )
    assert ledger.wants_exit_code([ONE, TWO]) == {"/there/1.ec": ONE}
    ledger.exit_code(ONE, 7)
    ledger.exit_code(TWO, 9)
    ledger.exit_code(JobId("3"), 9)
    assert ledger.status(ONE) == JobStatus(
        state=JobState.FAILED, reason="its script failed: exit status 7", exit_code=7
    )
    assert ledger.status(TWO).exit_code == 2
    assert ledger.wants_exit_code([ONE, TWO]) == {}


def test_our_own_order_explains_an_absence() -> None:
    ledger = submitted(ONE, TWO)
    ledger.cancelling([ONE, JobId("3")])
    asked(ledger, 1.0, j2=JobState.CANCELLED)
    assert ledger.status(ONE) == JobStatus(
        state=JobState.CANCELLED, reason="it was cancelled by this program"
    )
    assert ledger.status(TWO) == JobStatus(state=JobState.CANCELLED)


def test_a_job_that_nobody_knows_is_gone_at_once() -> None:
    ledger = Ledger()
    assert ledger.asked_about([ONE])
    assert not ledger.asked_about([ONE])
    assert ledger.status(ONE).state is JobState.UNKNOWN
    assert ledger.wants_exit_code([ONE]) == {}
    asked(ledger, 1.0)
    assert ledger.status(ONE).state is JobState.GONE


def test_a_job_of_an_earlier_program_is_found_in_the_queue() -> None:
    ledger = Ledger()
    ledger.asked_about([ONE])
    asked(ledger, 1.0, j1=JobState.RUNNING)
    assert ledger.status(ONE).state is JobState.RUNNING


@pytest.mark.parametrize("state", [JobState.PREEMPTED, JobState.NODE_FAIL])
def test_what_may_be_queued_again_must_be_seen_twice(state: JobState) -> None:
    ledger = submitted(ONE)
    asked(ledger, 1.0, j1=state)
    assert ledger.status(ONE).state is JobState.COMPLETING
    asked(ledger, 2.0, j1=JobState.PENDING)
    asked(ledger, 3.0, j1=state)
    assert ledger.status(ONE).state is JobState.COMPLETING
    asked(ledger, 4.0, j1=state)
    assert ledger.status(ONE).state is state


def test_an_end_is_for_good() -> None:
    ledger = submitted(ONE)
    asked(ledger, 1.0, j1=JobState.FAILED)
    asked(ledger, 2.0, j1=JobState.RUNNING)
    ledger.looked_up({ONE: seen(JobState.COMPLETED)})
    ledger.exit_code(ONE, 0)
    asked(ledger, 1000.0)
    assert ledger.status(ONE).state is JobState.FAILED
    assert ledger.open == []


def test_a_number_that_is_given_out_again_is_another_job() -> None:
    ledger = submitted(ONE)
    asked(ledger, 1.0, j1=JobState.FAILED)
    ledger.submitted(ONE, "another", "/there/other.ec", 5.0)
    assert ledger.status(ONE).state is JobState.PENDING
    assert ledger.open == [ONE]


def test_ended_jobs_are_forgotten_in_the_end() -> None:
    ledger = Ledger()
    for number in range(3000):
        job = JobId(str(number))
        ledger.submitted(job, "", "", 0.0)
        ledger.listed(1.0, {job: seen(JobState.COMPLETED)})
    assert not ledger.asked_about([JobId("2999")])
    assert ledger.status(JobId("0")).state is JobState.GONE
    assert ledger.asked_about([JobId("0")])
    assert not ledger.asked_about([JobId("2999")])


def test_no_end_is_forgotten_before_it_was_told_however_many_come_at_once() -> None:
    ledger = Ledger()
    jobs = [JobId(str(number)) for number in range(3000)]
    for job in jobs:
        ledger.submitted(job, "", "", 0.0)
    ledger.asked_about(jobs)
    ledger.listed(1.0, {job: seen(JobState.COMPLETED) for job in jobs})
    assert {ledger.status(job).state for job in jobs} == {JobState.COMPLETED}


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_said_no_job_ends_that_never_did_and_was_seen_in_time(seed: int) -> None:
    """Random lists, each of which may lack jobs, and a job that never ends."""
    chance = random.Random(seed)
    ledger = submitted(ONE, TWO)
    now, last_seen = 0.0, 0.0
    for _ in range(200):
        now += chance.uniform(0.1, 10.0)
        listing: Listing = {}
        # It is never left out for as long as makes it missing.
        if chance.random() < 0.3 or now - last_seen > PATIENCE / 2:
            state = chance.choice([JobState.RUNNING, JobState.SUSPENDED, JobState.UNKNOWN])
            listing[ONE] = seen(state)
            last_seen = now
        if chance.random() < 0.5:
            listing[TWO] = seen(chance.choice(list(JobState)))
        before = ledger.status(TWO)
        ledger.listed(now, listing)
        ledger.judge(now, PATIENCE)
        assert not ledger.status(ONE).state.terminal
        if before.state.terminal:
            assert ledger.status(TWO) == before
