import gc
import threading
import time
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lamina.channels import ChannelError, CommandTimeout, Completed, LocalChannel
from lamina.providers import (
    JobState,
    JobStatus,
    ProviderUnavailable,
    SubmitDeferred,
    SubmitRejected,
)
from lamina.providers_batch.answers import Invocation, Listing, Sighting
from lamina.providers_batch.desk import Desk, desk_of
from lamina.providers_batch.gridengine_dialect import GridEngineDialect
from lamina.providers_batch.pbs_dialect import PbsDialect
from lamina.providers_batch.slurm_dialect import SlurmDialect
from lamina.vocabulary import JobId
from tests.fakes.channels import ScriptedChannel, said

PLAIN = SlurmDialect()
SBATCH = Invocation(("sbatch",), "the script")
RUNS = {"interval": 1000.0, "missing_after": 60.0, "timeout": 5.0}
NO_ACCOUNTING = said(stderr="Slurm accounting storage is disabled", status=1)
DOWN = said(stderr="slurm_load_jobs error: Unable to contact slurm controller", status=1)


def desk(channel: ScriptedChannel) -> Desk:
    return desk_of(SlurmDialect(), channel)


def submitted(at: Desk, *jobs: str) -> None:
    for job in jobs:
        assert at.submit(PLAIN, "0", f"name-{job}", SBATCH, f"/there/{job}.ec", 5.0) == job


def now_and_then(channel: ScriptedChannel, **answers: Any) -> None:
    channel.answers.update(answers)


def test_those_who_ask_the_same_batch_system_share_a_desk() -> None:
    one = desk_of(SlurmDialect(), LocalChannel())
    assert desk_of(SlurmDialect(scheduler_options="#SBATCH --x"), LocalChannel()) is one
    assert desk_of(SlurmDialect(clusters="other"), LocalChannel()) is not one
    assert desk_of(SlurmDialect(), ScriptedChannel()) is not one


def test_a_desk_that_nobody_holds_is_forgotten() -> None:
    seen = weakref.ref(desk_of(SlurmDialect(clusters="once"), LocalChannel()))
    gc.collect()
    assert seen() is None


def test_channels_that_cannot_be_compared_share_with_nobody_else() -> None:
    class Unhashable(ScriptedChannel):
        __hash__ = None  # type: ignore[assignment]

    one, other = Unhashable(), Unhashable()
    first = desk_of(SlurmDialect(), one)
    assert desk_of(SlurmDialect(), one) is first
    assert desk_of(SlurmDialect(), other) is not first


def test_one_list_serves_all_who_ask_within_the_interval() -> None:
    channel = ScriptedChannel(
        sbatch=lambda *_: said(f"{len(channel.asked)}\n"),
        squeue=said("1|RUNNING|None|a\n2|PENDING|Priority|b\n"),
    )
    at = desk(channel)
    submitted(at, "1", "2")
    for _ in range(5):
        assert at.poll([JobId("1")], **RUNS)[JobId("1")].state is JobState.RUNNING
        assert at.poll([JobId("2")], **RUNS)[JobId("2")].state is JobState.PENDING
    assert len(channel.asked_of("squeue")) == 1
    at.poll([JobId("1")], **{**RUNS, "interval": 1e-9})
    assert len(channel.asked_of("squeue")) == 2


def test_threads_that_ask_at_once_wait_for_one_answer() -> None:
    go = threading.Event()

    def slow(command: Sequence[str], stdin: str) -> Completed:
        assert go.wait(20)
        return said("1|RUNNING|None|a\n")

    channel = ScriptedChannel(sbatch=said("1\n"), squeue=slow)
    at = desk(channel)
    submitted(at, "1")
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(at.poll, [JobId("1")], **RUNS) for _ in range(4)]
        go.set()
        assert all(one.result(20)[JobId("1")].state is JobState.RUNNING for one in asked)
    assert len(channel.asked_of("squeue")) == 1


def test_nobody_asked_about_is_no_question() -> None:
    channel = ScriptedChannel()
    assert desk(channel).poll([], **RUNS) == {}
    assert channel.asked == []


@pytest.mark.parametrize(
    "answer",
    [DOWN, said("what?\n"), ChannelError("squeue", "no such file"), CommandTimeout("squeue", 5.0)],
    ids=["down", "nonsense", "none", "late"],
)
def test_no_usable_answer_changes_nothing_and_is_reported_once(
    answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    channel = ScriptedChannel(sbatch=said("1\n"), squeue=said("1|RUNNING|None|a\n"))
    at = desk(channel)
    submitted(at, "1")
    quick = {**RUNS, "interval": 1e-6}
    assert at.poll([JobId("1")], **quick)[JobId("1")].state is JobState.RUNNING
    now_and_then(channel, squeue=answer)
    for _ in range(5):
        with pytest.raises(ProviderUnavailable):
            at.poll([JobId("1")], **quick)
    assert at.silent_because
    now_and_then(channel, squeue=said("1|SUSPENDED|None|a\n"))
    end = time.monotonic() + 20
    while at.silent_because:
        assert time.monotonic() < end
        try:
            found = at.poll([JobId("1")], **quick)
        except ProviderUnavailable:
            continue
        assert found[JobId("1")].state is JobState.SUSPENDED
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == 2
    assert "gives no usable answer" in warnings[0]
    assert "answers again" in warnings[1]


def test_a_silent_batch_system_is_asked_less_and_less() -> None:
    channel = ScriptedChannel(sbatch=said("1\n"), squeue=DOWN)
    at = desk(channel)
    submitted(at, "1")
    for _ in range(100):
        with pytest.raises(ProviderUnavailable, match="Unable to contact"):
            at.poll([JobId("1")], **RUNS)
    assert len(channel.asked_of("squeue")) == 1


def test_the_script_of_an_absent_job_is_asked_and_then_the_accounting() -> None:
    channel = ScriptedChannel(
        sbatch=lambda *_: said(f"{len(channel.asked)}\n"),
        squeue=said(""),
        sacct=said("1|TIMEOUT|0:0|here\n"),
        grep=said("/there/2.ec:0\n/there/9.ec:0\n/there/2.ec:what\n"),
    )
    at = desk(channel)
    submitted(at, "1", "2", "3")
    found = at.poll([JobId("1"), JobId("2"), JobId("3")], **RUNS)
    assert found[JobId("1")].state is JobState.TIMEOUT
    assert found[JobId("2")].state is JobState.COMPLETED
    assert found[JobId("3")].state is JobState.UNKNOWN
    [grep] = channel.asked_of("grep")
    assert grep[-3:] == ("/there/1.ec", "/there/2.ec", "/there/3.ec")
    [sacct] = channel.asked_of("sacct")
    assert sacct[-1] == "1,3"


def test_without_accounting_it_is_asked_once_only() -> None:
    channel = ScriptedChannel(
        sbatch=said("1\n"), squeue=said(""), sacct=NO_ACCOUNTING, grep=said("", status=2)
    )
    at = desk(channel)
    submitted(at, "1")
    for _ in range(3):
        found = at.poll([JobId("1")], **{**RUNS, "interval": 1e-9})
        assert found[JobId("1")].state is JobState.UNKNOWN
    assert len(channel.asked_of("sacct")) == 1
    assert len(channel.asked_of("grep")) == 3


@pytest.mark.parametrize("answer", [said(status=1), CommandTimeout("sacct", 5.0)])
def test_a_second_source_that_gives_no_answer_is_no_source(answer: Any) -> None:
    channel = ScriptedChannel(
        sbatch=said("1\n"),
        squeue=said(""),
        sacct=answer,
        grep=ChannelError("grep", "gone"),
    )
    at = desk(channel)
    submitted(at, "1")
    assert at.poll([JobId("1")], **RUNS)[JobId("1")].state is JobState.UNKNOWN
    found = at.poll([JobId("1")], interval=1e-9, missing_after=0.0, timeout=5.0)
    assert found[JobId("1")].state is JobState.GONE


def test_a_refusal_is_told_from_no_answer() -> None:
    channel = ScriptedChannel(sbatch=said(stderr="Invalid partition", status=1))
    with pytest.raises(SubmitRejected, match="sbatch refused block '7'") as caught:
        desk(channel).submit(PLAIN, "7", "name", SBATCH, "", 5.0)
    assert (caught.value.status, caught.value.said) == (1, "Invalid partition")
    now_and_then(channel, sbatch=ChannelError("sbatch", "No such file"))
    with pytest.raises(ProviderUnavailable, match="No such file"):
        desk(channel).submit(PLAIN, "7", "name", SBATCH, "", 5.0)


def test_a_refusal_for_now_is_told_from_one_for_good() -> None:
    channel = ScriptedChannel(sbatch=said(stderr="AssocMaxSubmitJobLimit", status=1))
    with pytest.raises(SubmitDeferred, match="takes no block now") as caught:
        desk(channel).submit(PLAIN, "7", "name", SBATCH, "", 5.0)
    assert (caught.value.block, caught.value.said) == ("7", "AssocMaxSubmitJobLimit")


@pytest.mark.parametrize(
    "answer",
    [
        CommandTimeout("sbatch", 5.0),
        said(stderr="Socket timed out on send/recv operation", status=1),
        said("hello\n"),
    ],
    ids=["late", "socket", "nonsense"],
)
def test_a_job_taken_without_an_answer_is_cancelled_when_it_shows_up(answer: Any) -> None:
    channel = ScriptedChannel(sbatch=answer)
    at = desk(channel)
    with pytest.raises(ProviderUnavailable):
        at.submit(PLAIN, "0", "name-x", SBATCH, "", 5.0)
    now_and_then(
        channel,
        sbatch=said("1\n"),
        squeue=said("1|RUNNING|None|name-1\n8|PENDING|None|name-x\n9|RUNNING|None|theirs\n"),
        scancel=said(),
    )
    submitted(at, "1")
    at.poll([JobId("1")], **RUNS)
    assert channel.asked_of("scancel") == [("scancel", "8")]
    at.poll([JobId("1")], **{**RUNS, "interval": 1e-9})
    assert len(channel.asked_of("scancel")) == 1


def test_an_order_to_end_that_got_no_answer_is_given_again() -> None:
    channel = ScriptedChannel(sbatch=said("1\n"), squeue=said("1|RUNNING|None|a\n"), scancel=DOWN)
    at = desk(channel)
    submitted(at, "1")
    with pytest.raises(ProviderUnavailable, match="Unable to contact"):
        at.cancel([JobId("1")], 5.0)
    now_and_then(channel, scancel=CommandTimeout("scancel", 5.0))
    at.poll([JobId("1")], **{**RUNS, "interval": 1e-9})
    now_and_then(channel, scancel=said())
    at.poll([JobId("1")], **{**RUNS, "interval": 1e-9})
    at.poll([JobId("1")], **{**RUNS, "interval": 1e-9})
    assert channel.asked_of("scancel") == [("scancel", "1")] * 3


def test_an_order_whose_answer_makes_no_sense_is_given_until_the_job_has_ended() -> None:
    nonsense = said(stderr="welcome to our new machine", status=1)
    channel = ScriptedChannel(
        sbatch=said("1\n"),
        squeue=said("1|RUNNING|None|a\n"),
        scancel=nonsense,
        sacct=NO_ACCOUNTING,
    )
    at = desk(channel)
    submitted(at, "1")
    with pytest.raises(ProviderUnavailable, match="welcome"):
        at.cancel([JobId("1")], 5.0)
    now_and_then(channel, squeue=said("1|CANCELLED|None|a\n"))
    for _ in range(5):
        at.poll([JobId("1"), JobId("2")], **{**RUNS, "interval": 1e-9})
    assert len(channel.asked_of("scancel")) == 1


def test_where_all_jobs_have_ended_pbs_is_not_asked_for_those_of_everybody() -> None:
    channel = ScriptedChannel(
        qsub=said("1.pbs\n"), qstat=said("Job Id: 1.pbs\n    job_state = F\n"), qdel=said()
    )
    dialect = PbsDialect(history=True)
    at = desk_of(dialect, channel)
    asked = Invocation(("qsub",), "the script")
    assert at.submit(dialect, "0", "name", asked, "/there/1.ec", 5.0) == "1.pbs"
    channel.answers["qsub"] = CommandTimeout("qsub", 5.0)
    with pytest.raises(ProviderUnavailable):
        at.submit(dialect, "1", "other", asked, "/there/2.ec", 5.0)
    for _ in range(3):
        states = at.poll([JobId("1.pbs")], **{**RUNS, "interval": 1e-9})
        assert states[JobId("1.pbs")].state.terminal
    assert channel.asked_of("qstat") == [("qstat", "-x", "-f", "1.pbs")]


def test_many_jobs_are_cancelled_by_several_commands() -> None:
    channel = ScriptedChannel(scancel=said())
    desk(channel).cancel([JobId(str(number)) for number in range(250)], 5.0)
    counts = [len(command) - 1 for command in channel.asked_of("scancel")]
    assert counts == [100, 100, 50]


def test_what_has_ended_and_sits_in_the_queue_is_removed() -> None:
    class Lingering(SlurmDialect):
        def read_list(self, done: Completed) -> Listing:
            failed = JobStatus(state=JobState.FAILED, exit_code=1)
            return {JobId(job): Sighting(failed, "", True) for job in ("1", "9")}

    channel = ScriptedChannel(sbatch=said("1\n"), squeue=said(), scancel=said())
    at = desk_of(Lingering(), channel)
    submitted(at, "1")
    assert at.poll([JobId("1")], **RUNS)[JobId("1")].state is JobState.FAILED
    assert channel.asked_of("scancel") == [("scancel", "1")]


def test_kin_may_read_the_answers_to_their_submissions_differently() -> None:
    channel = ScriptedChannel(sbatch=said("Submitted 5 to you\n"))
    at = desk(channel)
    site = SlurmDialect(regex_job_id=r"Submitted (?P<id>\d+)")
    assert desk_of(site, channel) is at
    assert at.submit(site, "0", "name", SBATCH, "", 5.0) == "5"


def test_kin_do_not_wait_for_what_follows_from_a_query() -> None:
    asked, go = threading.Event(), threading.Event()

    def slow(command: Sequence[str], stdin: str) -> Completed:
        asked.set()
        assert go.wait(30)
        return said("1|COMPLETED|0:0|name-1\n")

    channel = ScriptedChannel(
        sbatch=said("1\n"), squeue=said("1|RUNNING|None|name-1\n"), grep=said(), sacct=slow
    )
    at = desk(channel)
    submitted(at, "1")
    runs = {**RUNS, "interval": 0.0}
    assert at.poll([JobId("1")], **runs)[JobId("1")].state is JobState.RUNNING
    channel.answers["squeue"] = said()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(at.poll, [JobId("1")], **runs)
        try:
            assert asked.wait(30)
            # The accounting has not answered yet, and others are told what is known so far.
            assert not at.poll([JobId("1")], **RUNS)[JobId("1")].state.terminal
            assert not at.poll([JobId("1")], **runs)[JobId("1")].state.terminal
        finally:
            go.set()
        assert first.result(30)[JobId("1")].state is JobState.COMPLETED
    assert len(channel.asked_of("sacct")) == 1


def test_an_accounting_that_gives_no_answer_is_asked_less_and_less() -> None:
    channel = ScriptedChannel(
        sbatch=said("1\n"),
        squeue=said(),
        grep=said(),
        sacct=said(stderr="slurmdbd is away", status=1),
    )
    at = desk(channel)
    submitted(at, "1")
    for stranger in "2345":  # of whom nobody has asked yet, so the queue is asked each time
        found = at.poll([JobId("1"), JobId(stranger)], **RUNS)
        assert found[JobId("1")].state is JobState.UNKNOWN
    assert len(channel.asked_of("squeue")) == 4
    assert len(channel.asked_of("sacct")) == 1


def test_where_each_job_needs_a_question_of_its_own_all_have_their_turn() -> None:
    dialect = GridEngineDialect()
    channel = ScriptedChannel(
        qstat=said("<job_info></job_info>"),
        grep=said(),
        qacct=said(stderr="error: job id not found", status=1),
    )
    at = desk_of(dialect, channel)
    jobs = [JobId(str(number)) for number in range(60)]
    for job in jobs:
        channel.answers["qsub"] = said(f"{job}\n")
        asked = Invocation(("qsub",), "the script")
        assert at.submit(dialect, "0", f"name-{job}", asked, f"/there/{job}.ec", 5.0) == job
    for _ in range(3):
        before = len(channel.asked_of("qacct"))
        at.poll(jobs, interval=0.0, missing_after=60.0, timeout=5.0)
        assert len(channel.asked_of("qacct")) - before == 25
    assert {command[-1] for command in channel.asked_of("qacct")} == set(jobs)
