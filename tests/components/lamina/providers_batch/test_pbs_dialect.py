"""The answers are in the form that the manuals of PBS Pro and Torque show."""

from pathlib import Path

import pytest

from lamina.providers import JobState
from lamina.providers_batch.answers import Accepted, Deferred, Invocation, NoAnswer, Refused
from lamina.providers_batch.dialect import BatchJob
from lamina.providers_batch.pbs_dialect import PbsDialect, pbs_directives
from lamina.vocabulary import JobId
from tests.fakes.channels import said

PRO, TORQUE = PbsDialect(history=True), PbsDialect(history=False)


def shown(**facts: str) -> str:
    lines = "\n".join(f"    {name.replace('__', '.')} = {value}" for name, value in facts.items())
    variables = "    Variable_List = A=1,\n\tB=job_state = Q"
    return f"Job Id: 7.pbs\n    Job_Name = it\n{lines}\n{variables}\n\n"


@pytest.mark.parametrize(
    "facts, state, code",
    [
        ({"job_state": "Q"}, JobState.PENDING, None),
        ({"job_state": "W"}, JobState.PENDING, None),
        ({"job_state": "T"}, JobState.PENDING, None),
        ({"job_state": "H"}, JobState.HELD, None),
        ({"job_state": "R"}, JobState.RUNNING, None),
        ({"job_state": "B"}, JobState.RUNNING, None),
        ({"job_state": "S"}, JobState.SUSPENDED, None),
        ({"job_state": "U"}, JobState.SUSPENDED, None),
        ({"job_state": "E"}, JobState.COMPLETING, None),
        ({"job_state": "Z"}, JobState.UNKNOWN, None),
        ({"job_state": "F", "Exit_status": "0"}, JobState.COMPLETED, 0),
        ({"job_state": "C", "exit_status": "3"}, JobState.FAILED, 3),
        ({"job_state": "X", "Exit_status": "271"}, JobState.CANCELLED, -15),
        ({"job_state": "F"}, JobState.CANCELLED, None),
        ({"job_state": "F", "Exit_status": "-29"}, JobState.TIMEOUT, None),
        ({"job_state": "C", "exit_status": "-11"}, JobState.TIMEOUT, None),
        ({"job_state": "F", "Exit_status": "-27"}, JobState.OUT_OF_MEMORY, None),
        ({"job_state": "F", "Exit_status": "-1"}, JobState.FAILED, None),
        (
            {
                "job_state": "F",
                "Exit_status": "271",
                "resources_used__walltime": "00:01:02",
                "Resource_List__walltime": "00:01:00",
            },
            JobState.TIMEOUT,
            None,
        ),
    ],
)
def test_a_job_is_read(facts: dict[str, str], state: JobState, code: int | None) -> None:
    found = PRO.read_list(said(shown(**facts)))
    assert isinstance(found, dict)
    assert found.keys() == {"7.pbs"}
    status = found[JobId("7.pbs")].status
    assert (status.state, status.exit_code) == (state, code)
    assert found[JobId("7.pbs")].name == "it"


def test_why_a_job_waits_is_what_the_scheduler_says() -> None:
    found = PRO.read_list(said(shown(job_state="Q", comment="Not Running: no nodes")))
    assert isinstance(found, dict)
    assert found[JobId("7.pbs")].status.reason == "Not Running: no nodes"
    found = PRO.read_list(said(shown(job_state="F", Exit_status="-3", comment="no home")))
    assert isinstance(found, dict)
    assert found[JobId("7.pbs")].status.reason.endswith("(exit status -3): no home")


def test_jobs_that_are_not_known_are_absent_and_a_silent_server_is_no_answer() -> None:
    for dialect, words in ((PRO, "Unknown Job Id 9.pbs"), (TORQUE, "Unknown Job Id Error 9.pbs")):
        gone = said(shown(job_state="R"), f"qstat: {words}\n", 153)
        found = dialect.read_list(gone)
        assert isinstance(found, dict)
        assert found.keys() == {"7.pbs"}
        assert dialect.read_list(said("", f"qstat: {words}\n", 153)) == {}
    away = "Connection refused\nqstat: cannot connect to server pbs (errno=111)"
    assert PRO.read_list(said("", away, 255)) == NoAnswer(away)
    assert PRO.read_list(said(status=1)) == NoAnswer("qstat: exit status 1")
    assert isinstance(PRO.read_list(said("Hello\n")), NoAnswer)
    assert isinstance(PRO.read_list(said(shown())), NoAnswer)


def test_a_submission_is_read() -> None:
    assert PRO.read_submit(said("7.pbs\n")) == Accepted(JobId("7.pbs"))
    assert PRO.read_submit(said("", "qsub: Unknown queue", 170)) == Refused("qsub: Unknown queue")
    full = "qsub: would exceed queue workq's per-user limit"
    assert PRO.read_submit(said("", full, 38)) == Deferred(full)
    away = "qsub: cannot connect to server pbs (errno=111)"
    assert PRO.read_submit(said("", away, 1)) == NoAnswer(away)
    late = "qsub: End of File"
    assert PRO.read_submit(said("", late, 1)) == NoAnswer(late, True)
    assert isinstance(PRO.read_submit(said("thanks")), NoAnswer)


def test_an_end_that_came_first_is_no_failure_to_cancel() -> None:
    assert PRO.read_cancel(said()) is None
    assert PRO.read_cancel(said("", "qdel: Job has finished 7.pbs", 35)) is None
    assert PRO.read_cancel(said("", "Connection refused", 255)) == NoAnswer("Connection refused")
    assert PRO.read_cancel(said(status=1)) == NoAnswer("qdel: exit status 1")
    assert TORQUE.read_cancel(said(status=1)) is None
    assert TORQUE.read_cancel(said(status=-9)) == NoAnswer("qdel: killed by SIGKILL")
    assert TORQUE.read_cancel(
        said("qdel: Kill job error on job id 7: it hurts", "", 1)
    ) == NoAnswer("qdel: Kill job error on job id 7: it hurts")


def test_the_commands_name_their_jobs() -> None:
    jobs = [JobId("7.pbs"), JobId("8.pbs")]
    assert PRO.list_jobs(jobs).command == ("qstat", "-x", "-f", "7.pbs", "8.pbs")
    assert TORQUE.list_jobs(jobs).command == ("qstat", "-f", "7.pbs", "8.pbs")
    assert [one.command for one in PRO.cancel(jobs)] == [("qdel", "7.pbs", "8.pbs")]
    assert list(PRO.look_up(jobs)) == []
    assert PRO.read_look_up(said()) == {}
    assert PRO.submit("script", Path("/x y")) == Invocation(
        ("qsub", "-j", "oe", "-o", "/dev/null", "/x y")
    )
    assert (PRO.name, TORQUE.name) == ("PBS Pro", "Torque")
    assert PRO.kinship != TORQUE.kinship
    assert len(PRO.job_name("lamina.htex.block-0", "12345678")) <= 15


def test_the_script_opens_its_own_output() -> None:
    job = BatchJob(
        name="name",
        nodes=1,
        launched="the command",
        worker_init="the first",
        stdout=Path("/a b:c"),
        stderr=Path("/err"),
        exit_code=Path("/x.ec"),
    )
    lines = PRO.script(job).splitlines()
    assert lines[1:3] == ["#PBS -S /bin/bash", "#PBS -N name"]
    assert lines[-4] == "exec >'/a b:c' 2>/err"
    assert lines[-2:] == ["the first", "the command"]


def test_options_become_directives() -> None:
    assert pbs_directives(account="a", queue="q", walltime=60, resources="select=1") == (
        "#PBS -l select=1",
        "#PBS -l walltime=00:01:00",
        "#PBS -q q",
        "#PBS -A a",
    )
    assert pbs_directives(account=None, queue=None, walltime=None, resources="x") == ("#PBS -l x",)


WRAPPED = """Job Id:\t10
\tJob_Name = lamina.b4ba9149
\tJob_Owner = root@localhost
\tjob_state = R
\tqueue = debug
\texec_host = n2/1
\tResource_List.walltime = 00:01:00

Job Id:\t11
\tJob_Name = lamina.b4ba914a
\tjob_state = C
\texec_host = n2/1

Job Id:\t12
\tJob_Name = lamina.b4ba914b
\tjob_state = C

"""


def test_the_wrappers_for_slurm_are_understood() -> None:
    found = TORQUE.read_list(said(WRAPPED))
    assert isinstance(found, dict)
    assert {job: one.status.state for job, one in found.items()} == {
        "10": JobState.RUNNING,
        "12": JobState.CANCELLED,  # it has never run; of the end of 11 its script must tell
    }
    assert found[JobId("10")].name == "lamina.b4ba9149"
    ended = WRAPPED.partition("\n\n")[2].partition("\n\n")[0]
    assert TORQUE.read_list(said(ended)) == {}
    assert TORQUE.read_list(said(status=153)) == {}
    assert TORQUE.read_list(said(status=1)) == NoAnswer("qstat: exit status 1")
