"""The answers are in the form that the manual pages of flux-core show."""

from pathlib import Path

import pytest

from lamina.providers import JobState
from lamina.providers_batch.answers import Accepted, NoAnswer, Refused
from lamina.providers_batch.dialect import BatchJob
from lamina.providers_batch.flux_dialect import FluxDialect, flux_directives
from lamina.vocabulary import JobId
from tests.fakes.channels import said

PLAIN = FluxDialect()


@pytest.mark.parametrize(
    "line, state, code",
    [
        ("PENDING|16||", JobState.PENDING, None),
        ("DEPEND|16||", JobState.PENDING, None),
        ("PRIORITY|16||", JobState.PENDING, None),
        ("SCHED|16||", JobState.PENDING, None),
        ("SCHED|0||", JobState.HELD, None),
        ("RUN|16||", JobState.RUNNING, None),
        ("RUNNING|0||", JobState.RUNNING, None),
        ("CLEANUP|16|0|", JobState.COMPLETING, None),
        ("COMPLETED|16|0|", JobState.COMPLETED, 0),
        ("FAILED|16|3|", JobState.FAILED, 3),
        ("FAILED|16|-9|", JobState.FAILED, -9),
        ("FAILED|16||alloc", JobState.FAILED, None),
        ("CANCELED|16|-128|cancel", JobState.CANCELLED, None),
        ("TIMEOUT|16|142|timeout", JobState.TIMEOUT, None),
        ("ODD|16||", JobState.UNKNOWN, None),
    ],
)
def test_a_job_is_read(line: str, state: JobState, code: int | None) -> None:
    found = PLAIN.read_list(said(f"\u01927Zq9|{line}|its|name\n"))
    assert isinstance(found, dict)
    assert found[JobId("f7Zq9")].name == "its|name"
    status = found[JobId("f7Zq9")].status
    assert (status.state, status.exit_code) == (state, code)


def test_a_failure_says_with_which_exception() -> None:
    found = PLAIN.read_list(said("f1|FAILED|16||alloc|x\n"))
    assert isinstance(found, dict)
    assert found[JobId("f1")].status.reason == "it failed (exception alloc)"


def test_no_jobs_are_an_answer() -> None:
    assert PLAIN.read_list(said("")) == {}


@pytest.mark.parametrize(
    "stdout, stderr, status",
    [
        ("", "flux-jobs: ERROR: Unable to connect to Flux", 1),
        ("", "", 1),
        ("Welcome!\n", "", 0),
        ("0|RUN|16|||x\n", "", 0),
    ],
)
def test_nonsense_is_no_answer(stdout: str, stderr: str, status: int) -> None:
    assert isinstance(PLAIN.read_list(said(stdout, stderr, status)), NoAnswer)


def test_the_answer_to_a_submission_is_an_id_with_or_without_its_hook() -> None:
    for printed in ("\u0192M7Zq9AKHno\n", "fM7Zq9AKHno\n", "a notice\nfM7Zq9AKHno\n"):
        assert PLAIN.read_submit(said(printed)) == Accepted(JobId("fM7Zq9AKHno"))


def test_a_refusal_is_told_from_silence() -> None:
    refused = PLAIN.read_submit(said("", "flux-batch: ERROR: Invalid queue 'x' specified", 1))
    assert refused == Refused("flux-batch: ERROR: Invalid queue 'x' specified")
    silent = PLAIN.read_submit(said("", "flux-batch: ERROR: Unable to connect to Flux: no", 1))
    assert silent == NoAnswer("flux-batch: ERROR: Unable to connect to Flux: no")
    odd = PLAIN.read_submit(said("queued\n"))
    assert isinstance(odd, NoAnswer)
    assert odd.perhaps_taken


def test_jobs_that_have_ended_are_cancelled_already() -> None:
    assert PLAIN.read_cancel(said()) is None
    known = "flux-cancel: ERROR: f1: unknown job id\nflux-cancel: ERROR: f2: job is inactive\n"
    assert PLAIN.read_cancel(said("", known, 1)) is None
    for other in ("flux-cancel: ERROR: f1: Operation not permitted\n", ""):
        assert isinstance(PLAIN.read_cancel(said("", other, 1)), NoAnswer)
    away = "flux-cancel: ERROR: Unable to connect to Flux: No such file or directory"
    assert isinstance(PLAIN.read_cancel(said("", away, 1)), NoAnswer)


def test_there_is_no_second_source() -> None:
    assert PLAIN.look_up([JobId("f1")]) == ()
    assert PLAIN.read_look_up(said()) == {}


def test_options_become_directives_and_stand_together() -> None:
    directives = flux_directives(
        nodes=2, cores=8, gpus=1, exclusive=True, walltime=90.0, queue="a b"
    )
    job = BatchJob(
        name="it",
        nodes=2,
        launched="run",
        worker_init="before",
        stdout=Path("/a {{id}}/out"),
        stderr=Path("/err"),
        exit_code=Path("/ec"),
    )
    dialect = FluxDialect(directives=directives, scheduler_options="# flux: --requires=hosts:n1")
    lines = dialect.script(job).splitlines()
    assert lines[:10] == [
        "#!/bin/bash",
        "# flux: --nodes=2 --nslots=2",
        "# flux: --cores-per-slot=8",
        "# flux: --gpus-per-slot=1",
        "# flux: --exclusive",
        "# flux: --time-limit=90s",
        "# flux: --queue='a b'",
        "# flux: --job-name=it",
        "# flux: --output=/dev/null --error=/dev/null",
        "# flux: --requires=hosts:n1",
    ]
    assert "exec >'/a {{id}}/out' 2>/err" in lines
    assert lines.index("before") < lines.index("run")
    assert flux_directives(
        nodes=1, cores=None, gpus=None, exclusive=False, walltime=None, queue=None
    ) == ("# flux: --nodes=1 --nslots=1",)
