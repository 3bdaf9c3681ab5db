"""The answers are in the form that the manual of LSF shows."""

from pathlib import Path

import pytest

from lamina.providers import JobState
from lamina.providers_batch.answers import Accepted, Deferred, NoAnswer, Refused
from lamina.providers_batch.dialect import BatchJob
from lamina.providers_batch.lsf_dialect import LsfDialect, lsf_directives
from lamina.vocabulary import JobId
from tests.fakes.channels import said

PLAIN = LsfDialect()


@pytest.mark.parametrize(
    "line, state, code",
    [
        ("PEND|-|-", JobState.PENDING, None),
        ("PROV|-|-", JobState.PENDING, None),
        ("WAIT|-|-", JobState.PENDING, None),
        ("PSUSP|-|-", JobState.HELD, None),
        ("RUN|-|-", JobState.RUNNING, None),
        ("USUSP|-|-", JobState.SUSPENDED, None),
        ("SSUSP|-|-", JobState.SUSPENDED, None),
        ("UNKWN|-|-", JobState.UNKNOWN, None),
        ("ODD|-|-", JobState.UNKNOWN, None),
        ("ZOMBI|-|-", JobState.NODE_FAIL, None),
        ("DONE|-|-", JobState.COMPLETED, 0),
        ("EXIT|3|-", JobState.FAILED, 3),
        ("EXIT|-|-", JobState.FAILED, None),
        (
            "EXIT|140|TERM_RUNLIMIT: job killed after reaching LSF run time limit",
            JobState.TIMEOUT,
            None,
        ),
        (
            "EXIT|137|TERM_MEMLIMIT: job killed after reaching LSF memory limit",
            JobState.OUT_OF_MEMORY,
            None,
        ),
        ("EXIT|130|TERM_OWNER: job killed by owner", JobState.CANCELLED, None),
        ("EXIT|130|TERM_PREEMPT: job killed after preemption", JobState.PREEMPTED, None),
    ],
)
def test_a_job_is_read(line: str, state: JobState, code: int | None) -> None:
    found = PLAIN.read_list(said(f"7|{line}|its|name\n"))
    assert isinstance(found, dict)
    assert found[JobId("7")].name == "its|name"
    status = found[JobId("7")].status
    assert (status.state, status.exit_code) == (state, code)


def test_no_jobs_are_an_answer() -> None:
    assert PLAIN.read_list(said("", "No job found\n")) == {}
    assert PLAIN.read_list(said("", "No unfinished job found\n", 255)) == {}


@pytest.mark.parametrize(
    "stdout, stderr, status",
    [
        ("", "LSF is down. Please wait ...", 255),
        ("", "batch system concurrent query limit exceeded", 0),
        ("", "", 255),
        ("lost in thought\n", "", 0),
        ("x|RUN|-|-|it\n", "", 0),
    ],
)
def test_what_makes_no_sense_is_no_answer(stdout: str, stderr: str, status: int) -> None:
    assert isinstance(PLAIN.read_list(said(stdout, stderr, status)), NoAnswer)


def test_a_submission_is_read() -> None:
    answer = "Job <7> is submitted to default queue <normal>.\n"
    assert PLAIN.read_submit(said(answer)) == Accepted(JobId("7"))
    no = "nowhere: No such queue. Job not submitted."
    assert PLAIN.read_submit(said("", no, 255)) == Refused(no)
    full = "User pending job threshold reached. Job not submitted."
    assert PLAIN.read_submit(said("", full, 255)) == Deferred(full)
    away = "LSF is down. Please wait ..."
    assert PLAIN.read_submit(said("", away, 255)) == NoAnswer(away)
    assert isinstance(PLAIN.read_submit(said("thanks")), NoAnswer)


def test_an_end_that_came_first_is_no_failure_to_cancel() -> None:
    assert PLAIN.read_cancel(said()) is None
    gone = "Job <7>: Job has already finished\nJob <8>: No matching job found"
    assert PLAIN.read_cancel(said("", gone, 255)) is None
    assert PLAIN.read_cancel(said("", "LSF is down", 255)) == NoAnswer("LSF is down")
    assert PLAIN.read_cancel(said(status=255)) == NoAnswer("bkill: exit status 255")


def test_the_commands() -> None:
    assert PLAIN.list_jobs([]).command[:3] == ("bjobs", "-a", "-noheader")
    assert [one.command for one in PLAIN.cancel([JobId("7"), JobId("8")])] == [("bkill", "7", "8")]
    assert list(PLAIN.look_up([JobId("7")])) == []
    assert PLAIN.read_look_up(said()) == {}
    assert PLAIN.submit("script", Path("/x")) == (("bsub",), "script")
    assert (PLAIN.name, PLAIN.kinship) == ("LSF", None)
    assert PLAIN.job_name("lamina.htex", "abcd") == "lamina.htex.abcd"


def test_the_script_opens_its_own_output() -> None:
    job = BatchJob(
        name="name",
        nodes=1,
        launched="the command",
        worker_init="the first",
        stdout=Path("/a b%J"),
        stderr=Path("/err"),
        exit_code=Path("/x.ec"),
    )
    lines = LsfDialect(directives=("#BSUB -nnodes 1",)).script(job).splitlines()
    assert "#BSUB -J name" in lines
    assert "#BSUB -nnodes 1" in lines
    assert lines[-3:] == ["exec >'/a b%J' 2>/err", "the first", "the command"]


def test_options_become_directives() -> None:
    assert lsf_directives(project="p", queue="q", walltime=3661, resources="-n 4") == (
        "#BSUB -n 4",
        "#BSUB -W 01:02",
        "#BSUB -q q",
        "#BSUB -P p",
    )
    assert lsf_directives(project=None, queue=None, walltime=None, resources="-n 4") == (
        "#BSUB -n 4",
    )
