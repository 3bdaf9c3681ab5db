"""The answers are in the form that the manual of HTCondor shows."""

import json
from pathlib import Path
from typing import Any

import pytest

from lamina.providers import JobState
from lamina.providers_batch.answers import Accepted, Deferred, NoAnswer, NotKept, Refused
from lamina.providers_batch.condor_dialect import CondorDialect
from lamina.providers_batch.dialect import BatchJob
from lamina.vocabulary import JobId
from tests.fakes.channels import said

PLAIN = CondorDialect()


@pytest.mark.parametrize(
    "facts, state, code",
    [
        ({"JobStatus": 1}, JobState.PENDING, None),
        ({"JobStatus": 2}, JobState.RUNNING, None),
        ({"JobStatus": 3}, JobState.CANCELLED, None),
        ({"JobStatus": 4, "ExitBySignal": False, "ExitCode": 0}, JobState.COMPLETED, 0),
        ({"JobStatus": 4, "ExitBySignal": False, "ExitCode": 3}, JobState.FAILED, 3),
        ({"JobStatus": 4, "ExitBySignal": True, "ExitSignal": 9}, JobState.FAILED, -9),
        ({"JobStatus": 4}, JobState.FAILED, None),
        ({"JobStatus": 5, "HoldReason": "no file"}, JobState.HELD, None),
        ({"JobStatus": 6}, JobState.COMPLETING, None),
        ({"JobStatus": 7}, JobState.SUSPENDED, None),
        ({"JobStatus": 17}, JobState.UNKNOWN, None),
    ],
)
def test_a_job_is_read(facts: dict[str, Any], state: JobState, code: int | None) -> None:
    text = json.dumps([{"ClusterId": 7, "JobBatchName": "it", **facts}])
    found = PLAIN.read_list(said(text))
    assert isinstance(found, dict)
    assert found == PLAIN.read_look_up(said(text))
    assert found[JobId("7")].name == "it"
    status = found[JobId("7")].status
    assert (status.state, status.exit_code) == (state, code)
    if state is JobState.HELD:
        assert status.reason == "it is held: no file"


def test_no_jobs_are_nothing_at_all() -> None:
    assert PLAIN.read_list(said("")) == {}
    assert PLAIN.read_look_up(said("\n")) == {}


@pytest.mark.parametrize("text", ["what", '[{"JobStatus": 1}]', '{"a": 1}', '[{"ClusterId": "x"}]'])
def test_what_makes_no_sense_is_no_answer(text: str) -> None:
    assert isinstance(PLAIN.read_list(said(text)), NoAnswer)


def test_a_failure_is_no_answer() -> None:
    away = "Error: Failed to connect to local queue manager"
    assert PLAIN.read_list(said("", away, 1)) == NoAnswer(away)
    assert PLAIN.read_list(said("", away, 0)) == NoAnswer(away)
    assert PLAIN.read_list(said(status=1)) == NoAnswer("condor_q: exit status 1")
    assert PLAIN.read_look_up(said(status=1)) == NoAnswer("condor_history: exit status 1")
    none = "Error: no history: No such file or directory"
    assert PLAIN.read_look_up(said("", none, 1)) == NotKept(none)


def test_a_submission_is_read() -> None:
    assert PLAIN.read_submit(said("7.0 - 7.0\n")) == Accepted(JobId("7"))
    assert PLAIN.read_submit(said("", "ERROR: universe", 1)) == Refused("ERROR: universe")
    full = "Number of submitted jobs would exceed MAX_JOBS_PER_OWNER"
    assert PLAIN.read_submit(said("", full, 1)) == Deferred(full)
    away = "ERROR: Failed to connect to queue manager"
    assert PLAIN.read_submit(said("", away, 1)) == NoAnswer(away)
    assert isinstance(PLAIN.read_submit(said("thanks")), NoAnswer)


def test_an_end_that_came_first_is_no_failure_to_cancel() -> None:
    assert PLAIN.read_cancel(said("All jobs in cluster 7 have been marked for removal")) is None
    both = "All jobs in cluster 7 have been marked for removal\n"
    gone = "Couldn't find/remove all jobs in cluster 8\n"
    assert PLAIN.read_cancel(said(both, gone, 1)) is None
    assert isinstance(PLAIN.read_cancel(said("", "Failed to connect", 1)), NoAnswer)
    assert PLAIN.read_cancel(said(status=1)) == NoAnswer("condor_rm: exit status 1")


def test_the_commands() -> None:
    assert PLAIN.list_jobs([]).command[:2] == ("condor_q", "-json")
    [look_up] = PLAIN.look_up([JobId("7"), JobId("8")])
    assert look_up.command[-4:] == ("-limit", "2", "7", "8")
    assert [one.command for one in PLAIN.cancel([JobId("7")])] == [("condor_rm", "7")]
    assert (PLAIN.name, PLAIN.kinship) == ("HTCondor", None)
    assert PLAIN.job_name("lamina.htex", "abcd") == "lamina.htex.abcd"


def test_a_job_is_described_to_condor_submit() -> None:
    dialect = CondorDialect(
        scheduler_options="+Quick = true\n",
        project="physics",
        requirements="HasPython",
        transfer_input_files=("a", "b"),
        environment=(("A", "1 2"),),
        cores_per_slot=4,
        mem_per_slot=2**30 + 1,
    )
    job = BatchJob(
        name="name",
        nodes=2,
        launched="queue",
        worker_init="",
        stdout=Path("/out"),
        stderr=Path("/err"),
        exit_code=Path("/x.ec"),
    )
    script = dialect.script(job)
    assert "export A='1 2'\n" in script
    invocation = dialect.submit(script, Path("/script.sh"))
    assert invocation.command == ("condor_submit", "-terse")
    assert invocation.stdin.splitlines() == [
        "executable = /script.sh",
        "universe = parallel",
        "output = /out.$(NODE)",
        "error = /err.$(NODE)",
        "batch_name = name",
        "notification = never",
        "getenv = true",
        "machine_count = 2",
        '+ParallelShutdownPolicy = "WAIT_FOR_ALL"',
        "request_cpus = 4",
        "request_memory = 1025",
        "requirements = HasPython",
        '+projectname = "physics"',
        "transfer_input_files = a, b",
        "+Quick = true",
        "queue",
    ]
    plain = PLAIN.submit(PLAIN.script(job), Path("/script.sh")).stdin
    assert "request_cpus" not in plain


def test_a_job_is_removed_at_its_walltime_and_the_history_says_so() -> None:
    dialect = CondorDialect(walltime=89.5)
    job = BatchJob(
        name="name",
        nodes=1,
        launched="true",
        worker_init="",
        stdout=Path("/out"),
        stderr=Path("/err"),
        exit_code=Path("/x.ec"),
    )
    rule = "periodic_remove = JobStatus == 2 && time() - JobCurrentStartDate > 90\n"
    assert rule in dialect.submit(dialect.script(job), Path("/script.sh")).stdin
    why = "The job attribute PeriodicRemove expression '...' evaluated to TRUE"
    answer = f'[{{"ClusterId": 5, "JobStatus": 3, "RemoveReason": "{why}"}}]'
    found = dialect.read_look_up(said(answer))
    assert isinstance(found, dict)
    assert found[JobId("5")].status.state is JobState.TIMEOUT
