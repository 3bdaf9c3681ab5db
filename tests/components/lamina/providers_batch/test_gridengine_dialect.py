"""Answers marked "real" were printed by Grid Engine 8.1.9; some are shortened."""

from pathlib import Path

import pytest

from lamina.providers import JobState, JobStatus
from lamina.providers_batch.answers import Accepted, Deferred, NoAnswer, NotKept, Refused
from lamina.providers_batch.dialect import BatchJob
from lamina.providers_batch.gridengine_dialect import GridEngineDialect, grid_engine_directives
from lamina.vocabulary import JobId
from tests.fakes.channels import said

PLAIN = GridEngineDialect()
# Real.
NOBODY = """<?xml version='1.0'?>
<job_info  xmlns:xsd="http://arc.liv.ac.uk/repos/darcs/sge/source/dist/util/resources/schemas/qstat/qstat.xsd">
  <queue_info>
  </queue_info>
  <job_info>
  </job_info>
</job_info>
"""
JOB = """    <job_list state="pending">
      <JB_job_number>{number}</JB_job_number>
      <JAT_prio>0.25002</JAT_prio>
      <JB_name>a.b-{number}</JB_name>
      <JB_owner>root</JB_owner>
      <state>{state}</state>
      <JB_submission_time>2026-11-23T22:41:29</JB_submission_time>
      <queue_name></queue_name>
      <slots>1</slots>
    </job_list>
"""
# Real.
RECORD = """\
==============================================================
qname        all.q               
hostname     vm                  
jobname      long                
jobnumber    2                   
taskid       undefined
start_time   Mon Nov 23 22:41:29 2026
failed       {failed}
exit_status  {status}
ru_wallclock 10s
category     NONE
"""  # noqa: W291


def queue(**states: str) -> str:
    jobs = "".join(JOB.format(number=name[1:], state=state) for name, state in states.items())
    return NOBODY.replace("  <job_info>\n", f"  <job_info>\n{jobs}", 1)


def status_of(state: str) -> JobStatus:
    found = PLAIN.read_list(said(queue(j7=state)))
    assert isinstance(found, dict)
    assert found[JobId("7")].name == "a.b-7"
    return found[JobId("7")].status


def ended(failed: str, status: str) -> JobStatus:
    found = PLAIN.read_look_up(said(RECORD.format(failed=failed, status=status)))
    assert isinstance(found, dict)
    return found[JobId("2")].status


@pytest.mark.parametrize(
    "letters, state",
    [
        ("qw", JobState.PENDING),
        ("hqw", JobState.HELD),
        ("hRwq", JobState.HELD),
        ("t", JobState.RUNNING),
        ("r", JobState.RUNNING),
        ("hr", JobState.RUNNING),
        ("Rr", JobState.RUNNING),
        ("Rq", JobState.PENDING),
        ("s", JobState.SUSPENDED),
        ("S", JobState.SUSPENDED),
        ("T", JobState.SUSPENDED),
        ("Rs", JobState.SUSPENDED),
        ("tS", JobState.SUSPENDED),
        ("dr", JobState.COMPLETING),
        ("dRr", JobState.COMPLETING),
        ("Eqw", JobState.FAILED),
        ("Ehqw", JobState.FAILED),
        ("?", JobState.UNKNOWN),
    ],
)
def test_a_state_is_a_set_of_letters(letters: str, state: JobState) -> None:
    assert status_of(letters).state is state


def test_a_job_that_could_not_be_started_stays_and_is_to_be_removed() -> None:
    found = PLAIN.read_list(said(queue(j7="Eqw", j8="qw")))
    assert isinstance(found, dict)
    assert {job: sighting.lingers for job, sighting in found.items()} == {"7": True, "8": False}
    assert "qstat -explain E -j 7" in found[JobId("7")].status.reason


def test_no_jobs_are_an_answer_and_nothing_is_none() -> None:
    assert PLAIN.read_list(said(NOBODY)) == {}
    assert isinstance(PLAIN.read_list(said("")), NoAnswer)
    assert isinstance(PLAIN.read_list(said(queue(j7="qw")[:300])), NoAnswer)
    assert isinstance(PLAIN.read_list(said(queue(j="qw"))), NoAnswer)


# Real.
AWAY = (
    "error: commlib error: got select error (Connection refused)\nerror: unable to contact qmaster"
)


def test_a_failure_is_no_answer() -> None:
    assert PLAIN.read_list(said(stderr=AWAY, status=1)) == NoAnswer(AWAY)
    assert PLAIN.read_list(said(status=1)) == NoAnswer("qstat: exit status 1")
    assert PLAIN.read_look_up(said(stderr=AWAY, status=1)) == NoAnswer(AWAY)
    assert PLAIN.read_look_up(said(status=1)) == NoAnswer("qacct: exit status 1")


@pytest.mark.parametrize(
    "failed, status, expected",
    [
        ("0", "0", (JobState.COMPLETED, 0)),
        ("0", "3", (JobState.FAILED, 3)),
        ("0", "137                  (Killed)", (JobState.FAILED, 137)),
        ("100 : assumedly after job", "137  (Killed)", (JobState.CANCELLED, -9)),
        ("37  : qmaster enforced h_rt, h_cpu, or h_vmem limit", "137", (JobState.TIMEOUT, -9)),
        ("19  : before writing exit_status", "0", (JobState.NODE_FAIL, None)),
        ("26  : opening input/output file", "0", (JobState.FAILED, None)),
        ("25  : rescheduling", "0", (JobState.PENDING, None)),
        ("what", "0", (JobState.FAILED, None)),
    ],
)
def test_the_accounting_tells_how_a_job_ended(
    failed: str, status: str, expected: tuple[JobState, int | None]
) -> None:
    found = ended(failed, status)
    assert (found.state, None if found.state is JobState.TIMEOUT else found.exit_code) == (
        expected[0],
        None if expected[0] is JobState.TIMEOUT else expected[1],
    )
    assert found.reason


@pytest.mark.parametrize(
    "asked, ran, expected",
    [
        ("-l h_rt=600,h_vmem=1G", "10s", JobState.OUT_OF_MEMORY),
        ("-l h_rt=0:10:0,h_vmem=1G", "599s", JobState.TIMEOUT),
        ("-l h_vmem=1G", "10s", JobState.OUT_OF_MEMORY),
        ("-l h_rt=600,h_cpu=5,h_vmem=1G", "10s", JobState.TIMEOUT),
        ("-l h_rt=10", "10s", JobState.TIMEOUT),
        ("-l h_vmem=1G", "?", JobState.TIMEOUT),
    ],
)
def test_a_limit_of_memory_is_told_from_one_of_time(
    asked: str, ran: str, expected: JobState
) -> None:
    text = RECORD.format(failed="37 : qmaster enforced h_rt, h_cpu, or h_vmem limit", status="137")
    text = text.replace("NONE", asked).replace("10s", ran)
    found = PLAIN.read_look_up(said(text))
    assert isinstance(found, dict)
    assert found[JobId("2")].status.state is expected


def test_who_used_nothing_at_all_was_deleted_by_force_and_is_no_success() -> None:
    # Real.
    used = "ru_utime     0.000s\nru_stime     0.000s\nru_maxrss    0.000B\nru_minflt    0       \n"
    record = RECORD.format(failed="0    ", status="0")
    found = PLAIN.read_look_up(said(record.replace("ru_wallclock", f"{used}ru_wallclock")))
    assert isinstance(found, dict)
    assert found[JobId("2")].status == JobStatus(
        state=JobState.CANCELLED, reason="it was deleted by force, and nobody has seen it end"
    )
    ran = used.replace("ru_minflt    0 ", "ru_minflt    702 ")
    found = PLAIN.read_look_up(said(record.replace("ru_wallclock", f"{ran}ru_wallclock")))
    assert isinstance(found, dict)
    assert found[JobId("2")].status.state is JobState.COMPLETED


def test_the_last_record_of_a_job_counts() -> None:
    first = RECORD.format(failed="25 : rescheduling", status="0")
    found = PLAIN.read_look_up(said(first + RECORD.format(failed="0", status="0")))
    assert isinstance(found, dict)
    assert found[JobId("2")].status.state is JobState.COMPLETED


def test_the_accounting_may_not_know_or_not_be() -> None:
    # Real.
    assert PLAIN.read_look_up(said(stderr="error: job id 9 not found", status=1)) == {}
    none = "/x/accounting: No such file or directory\nno jobs running since startup"
    assert PLAIN.read_look_up(said(stderr=none, status=1)) == NotKept(none)
    assert isinstance(PLAIN.read_look_up(said("=====\nqname all.q\n")), NoAnswer)
    assert [one.command for one in PLAIN.look_up([JobId("1"), JobId("2")])] == [
        ("qacct", "-j", "1"),
        ("qacct", "-j", "2"),
    ]


@pytest.mark.parametrize("text", ["7\n", "warning: something\n7\n", "7.1-3:1\n"])
def test_a_submission_is_answered_by_an_id(text: str) -> None:
    assert PLAIN.read_submit(said(text)) == Accepted(JobId("7"))


def test_no_is_told_from_not_now_and_from_perhaps() -> None:
    # Real.
    no = 'Unable to run job: Job was rejected because job requests unknown queue "x"\nExiting.'
    assert PLAIN.read_submit(said(stderr=no, status=1)) == Refused(no)
    full = "Unable to run job: job rejected: Only 2 jobs are allowed per user"
    assert PLAIN.read_submit(said(stderr=full, status=1)) == Deferred(full)
    assert PLAIN.read_submit(said(stderr=AWAY, status=1)) == NoAnswer(AWAY)
    late = "Unable to run job: got no response from qmaster"
    assert PLAIN.read_submit(said(stderr=late, status=1)) == NoAnswer(late, True)
    assert PLAIN.read_submit(said("hello")) == NoAnswer("qsub has printed no job id: 'hello'", True)


@pytest.mark.parametrize(
    "text, status, heard",
    [
        ("root has registered the job 2 for deletion\n", 0, True),
        ('denied: job "9999" does not exist\n', 1, True),
        ('root has deleted job 3\ndenied: job "9999" does not exist\n', 1, True),
        (f"{AWAY}\n", 1, False),
        ("", 1, False),
    ],
)
def test_an_end_that_came_first_is_no_failure_to_cancel(
    text: str, status: int, heard: bool
) -> None:
    assert (PLAIN.read_cancel(said(text, status=status)) is None) == heard
    [command] = PLAIN.cancel([JobId("1"), JobId("2")])
    assert command.command == ("qdel", "1,2")


def test_the_script_opens_its_own_output() -> None:
    job = BatchJob(
        name="name",
        nodes=1,
        launched="the command",
        worker_init="the first",
        stdout=Path("/a b:c"),
        stderr=Path("/$HOME"),
        exit_code=Path("/x.ec"),
    )
    lines = PLAIN.script(job).splitlines()
    assert lines[:2] == ["#!/bin/bash", "#$ -S /bin/bash"]
    assert lines[-3:] == ["exec >'/a b:c' 2>'/$HOME'", "the first", "the command"]
    assert PLAIN.submit("script", Path("/x")).stdin == "script"


def test_options_become_directives() -> None:
    assert grid_engine_directives(queue="all.q", walltime=61) == (
        "#$ -q all.q",
        "#$ -l h_rt=00:01:01",
    )
    assert grid_engine_directives(queue=None, walltime=None) == ()
    assert PLAIN.kinship == GridEngineDialect(scheduler_options="#$ -V").kinship
    assert PLAIN.name == "Grid Engine"
    assert PLAIN.job_name("0/a", "abcd") == "lamina-0-a.abcd"
