"""What happens to jobs of a real Slurm, and what the provider says of it."""

import os
from pathlib import Path

import pytest

from lamina.launchers import SimpleLauncher
from lamina.processes import alive
from lamina.providers import JobState, ProviderUnavailable, SubmitRejected
from lamina.providers_batch import SlurmProvider
from lamina.vocabulary import JobId
from tests.integration.batch import contents, reaches, request, run, shim, until
from tests.integration.slurm.cluster import queue, slurm

pytestmark = pytest.mark.service

ENDED = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED, JobState.GONE)


def provider(**options: object) -> SlurmProvider:
    given = {"exclusive": False, "status_polling_interval": 1, "launcher": SimpleLauncher()}
    return SlurmProvider(**{**given, **options})  # type: ignore[arg-type]


def test_a_job_cancelled_by_others_is_told_from_one_that_we_cancel(tmp_path: Path) -> None:
    mine = provider()
    jobs = [mine.submit(request(tmp_path, "sleep 60", f"b{n}")) for n in range(2)]
    for job in jobs:
        reaches(mine, job, JobState.RUNNING)
    run("scancel", jobs[0])
    mine.cancel([jobs[1]])
    by_others = reaches(mine, jobs[0], JobState.CANCELLED)
    by_us = reaches(mine, jobs[1], JobState.CANCELLED)
    assert by_others.reason == "it was cancelled, and not by this program"
    assert by_us.reason == "it was cancelled by this program"


def test_a_refusal_says_what_slurm_said(tmp_path: Path) -> None:
    with pytest.raises(SubmitRejected, match=r"(?s)sbatch refused .*Invalid partition name"):
        provider(partition="nowhere").submit(request(tmp_path, "true"))


def test_jobs_that_cannot_start_say_why(tmp_path: Path) -> None:
    closed, held = provider(partition="closed"), provider(scheduler_options="#SBATCH --hold")
    one = closed.submit(request(tmp_path, "true", "closed"))
    two = held.submit(request(tmp_path, "true", "held"))
    assert reaches(closed, one, JobState.PENDING).reason
    status = until(
        lambda: (s := closed.poll([one])[one]).reason != "it has been submitted" and s  # type: ignore[func-returns-value]
    )
    assert status.reason == "its partition starts no jobs"
    assert reaches(held, two, JobState.HELD).reason == "it is held by its owner"


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_job_at_its_walltime_is_no_failure(tmp_path: Path) -> None:
    mine = provider()
    job = mine.submit(request(tmp_path, "sleep 100"))
    reaches(mine, job, JobState.RUNNING)
    run("scontrol", "update", f"JobId={job}", "EndTime=now+1")
    status = reaches(mine, job, JobState.TIMEOUT, seconds=90)
    assert status.reason == "it reached its walltime"


def test_a_preempted_job_that_is_cancelled_has_ended(tmp_path: Path) -> None:
    mine = provider(partition="scavenge", exclusive=True, nodes_per_block=2)
    job = mine.submit(request(tmp_path, "sleep 100"))
    reaches(mine, job, JobState.RUNNING)
    other = provider(partition="high", exclusive=True, nodes_per_block=2)
    other.submit(request(tmp_path, "sleep 1", "other"))
    status = reaches(mine, job, *ENDED, JobState.PREEMPTED)
    assert (status.state, status.reason) == (
        JobState.PREEMPTED,
        "it was preempted by another job",
    )


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_preempted_job_that_is_requeued_goes_on(tmp_path: Path) -> None:
    mine = provider(
        exclusive=True, nodes_per_block=2, scheduler_options="#SBATCH --requeue --open-mode=append"
    )
    job = mine.submit(request(tmp_path, "echo ${SLURM_RESTART_COUNT:-0}; sleep 60"))
    reaches(mine, job, JobState.RUNNING)
    until(lambda: contents(tmp_path / "block-0.out") == "0\n")
    other = provider(partition="high", exclusive=True, nodes_per_block=2)
    other.submit(request(tmp_path, "sleep 1", "other"))
    reaches(mine, job, JobState.PENDING)
    reaches(mine, job, JobState.RUNNING, seconds=60)
    until(lambda: contents(tmp_path / "block-0.out") == "0\n1\n")


def test_a_job_on_a_node_that_goes_down_is_lost_with_it(tmp_path: Path) -> None:
    mine = provider(scheduler_options="#SBATCH --no-requeue")
    job = mine.submit(request(tmp_path, "sleep 100"))
    reaches(mine, job, JobState.RUNNING)
    node = run("squeue", "-h", "-j", job, "-o", "%N").strip()
    slurm("down-node", node)
    status = reaches(mine, job, *ENDED, JobState.NODE_FAIL)
    assert (status.state, status.reason) == (JobState.NODE_FAIL, "a node of it failed")


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_controller_that_is_away_loses_no_job(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mine = provider()
    job = mine.submit(request(tmp_path, f"until [ -e {tmp_path}/go ]; do sleep 0.1; done"))
    reaches(mine, job, JobState.RUNNING)
    slurm("crash-ctld")
    caplog.set_level("INFO")

    def silent() -> bool:
        try:
            return mine.poll([job])[job].state is not JobState.RUNNING
        except ProviderUnavailable as error:
            return "Unable to contact" in str(error)

    until(silent)
    for _ in range(20):
        with pytest.raises(ProviderUnavailable):
            mine.poll([job])
    with pytest.raises(ProviderUnavailable):
        mine.submit(request(tmp_path, "true", "meanwhile"))
    with pytest.raises(ProviderUnavailable):
        mine.cancel([JobId("1")])
    slurm("start-ctld")

    def back() -> bool:
        try:
            return mine.poll([job])[job].state is JobState.RUNNING
        except ProviderUnavailable:
            return False

    until(back, 60)
    (tmp_path / "go").touch()
    assert reaches(mine, job, *ENDED).state is JobState.COMPLETED
    said = [line.getMessage() for line in caplog.records if "Slurm" in line.getMessage()]
    assert len([line for line in said if "no usable answer" in line]) == 1
    assert len([line for line in said if "answers again" in line]) == 1


@pytest.mark.parametrize("accounting", [True, False])
@pytest.mark.parametrize("code, state", [(0, JobState.COMPLETED), (5, JobState.FAILED)])
def test_a_job_that_squeue_has_forgotten_is_found_elsewhere(
    tmp_path: Path,
    cluster: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    accounting: bool,
    code: int,
    state: JobState,
) -> None:
    if not accounting:
        monkeypatch.setenv("SLURM_CONF", cluster["TESTBED_SLURM_NO_ACCOUNTING"])
    else:
        shim(tmp_path / "bin", "grep", "exit 2")  # no exit status of a script is to be seen
    # As it is long after a job's end: the queue shows only what has not ended.
    shim(tmp_path / "bin", "squeue", 'exec /usr/bin/squeue "${@/--states=all/--states=PD,R,CG}"')
    mine = provider()
    job = mine.submit(request(tmp_path, f"exit {code}"))
    status = reaches(mine, job, *ENDED)
    assert (status.state, status.exit_code) == (state, code)
    assert ("as its script has left it" in status.reason) == (not accounting)


def test_a_job_that_left_no_trace_is_gone_only_after_a_while(
    tmp_path: Path, cluster: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CONF", cluster["TESTBED_SLURM_NO_ACCOUNTING"])
    mine = provider(missing_after=4)
    job = mine.submit(request(tmp_path, "sleep 100"))
    reaches(mine, job, JobState.RUNNING)
    shim(tmp_path / "bin", "squeue", "exit 0")
    status = reaches(mine, job, JobState.UNKNOWN, *ENDED)
    assert status.state is JobState.UNKNOWN
    (tmp_path / "bin" / "squeue").unlink()
    reaches(mine, job, JobState.RUNNING)
    shim(tmp_path / "bin", "squeue", "exit 0")
    status = reaches(mine, job, *ENDED)
    assert status.state is JobState.GONE
    assert "missing from the queue" in status.reason


@pytest.mark.parametrize("answer", ["echo lost in thought", "exit 1", "sleep 100"])
def test_a_status_command_that_answers_nonsense_changes_nothing(
    tmp_path: Path, answer: str
) -> None:
    mine = provider(cmd_timeout=3)
    job = mine.submit(request(tmp_path, "sleep 100"))
    reaches(mine, job, JobState.RUNNING)
    shim(tmp_path / "bin", "squeue", f"echo $$ > {tmp_path}/pid\n{answer}")

    def silent() -> bool:
        try:
            return mine.poll([job])[job].state is not JobState.RUNNING
        except ProviderUnavailable:
            return True

    until(silent)
    assert not alive(int((tmp_path / "pid").read_text()))
    (tmp_path / "bin" / "squeue").unlink()

    def back() -> bool:
        try:
            return mine.poll([job])[job].state is JobState.RUNNING
        except ProviderUnavailable:
            return False

    until(back)


def test_providers_share_one_query(tmp_path: Path) -> None:
    shim(tmp_path / "bin", "squeue", f'echo >> {tmp_path}/asked; exec /usr/bin/squeue "$@"')
    providers = [provider(status_polling_interval=60) for _ in range(3)]
    jobs = [
        one.submit(request(tmp_path, "sleep 100", f"b{number}"))
        for number, one in enumerate(providers)
    ]
    for one, job in zip(providers, jobs, strict=True):
        for _ in range(5):
            assert not one.poll([job])[job].state.terminal
    # Once, or never where the answer to an earlier test's question is young enough.
    asked = tmp_path / "asked"
    assert not asked.exists() or asked.read_text() == "\n"


def test_a_job_whose_submission_got_no_answer_is_not_left_behind(tmp_path: Path) -> None:
    shim(tmp_path / "bin", "sbatch", '/usr/bin/sbatch "$@" >/dev/null; sleep 100')
    mine = provider(cmd_timeout=3)
    with pytest.raises(ProviderUnavailable, match="still running"):
        mine.submit(request(tmp_path, "sleep 100"))
    [lost] = queue()
    (tmp_path / "bin" / "sbatch").unlink()
    job = mine.submit(request(tmp_path, "sleep 100", "next"))

    def cancelled() -> bool:
        mine.poll([job])
        return lost not in queue()

    until(cancelled)
    assert job in queue()


def test_odd_paths_are_written_to_as_they_are(tmp_path: Path) -> None:
    place = tmp_path / 'a "b" %j $HOME'
    place.mkdir()
    mine = provider()
    job = mine.submit(request(place, "echo out; echo err >&2; exit 4"))
    assert reaches(mine, job, *ENDED).exit_code == 4
    until(lambda: "err" in contents(place / "block-0.err"))
    assert (place / "block-0.out").read_text() == "out\n"


def test_options_reach_the_job(tmp_path: Path) -> None:
    mine = provider(
        partition="debug",
        account="testbed",
        qos="normal",
        cores_per_node=2,
        mem_per_node="1 GiB",
        gpus_per_node=1,
        walltime="00:07:00",
        nodes_per_block=2,
        worker_init="export GREETING=hello",
        clusters="testbed",
    )
    job = mine.submit(request(tmp_path, 'echo "$GREETING $LAMINA_CORES_PER_NODE"; sleep 60'))
    assert job.endswith(";testbed")
    reaches(mine, job, JobState.RUNNING)
    number = job.partition(";")[0]
    facts = dict(
        word.partition("=")[::2] for word in run("scontrol", "show", "job", number).split()
    )
    assert facts["Account"] == "testbed"
    assert facts["TimeLimit"] == "00:07:00"
    assert facts["NumNodes"] == "2"
    assert facts["CPUs/Task"] == "2"
    assert facts["MinMemoryNode"] == "1G"
    assert facts["TresPerNode"] == "gres:gpu:1"
    output = tmp_path / "block-0.out"
    until(lambda: contents(output) == "hello 2\n")
    mine.cancel([job])
    assert reaches(mine, job, *ENDED).state is JobState.CANCELLED


def test_a_site_whose_sbatch_prints_something_else_is_understood(tmp_path: Path) -> None:
    mine = provider(regex_job_id=r"batch job (?P<id>\S+)")
    job = mine.submit(request(tmp_path, "true"))
    assert reaches(mine, job, *ENDED).state is JobState.COMPLETED


def test_variables_of_a_job_around_the_program_do_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "100")
    monkeypatch.setenv("SLURM_MEM_PER_CPU", "100")
    mine = provider()
    job = mine.submit(request(tmp_path, "srun true"))
    status = reaches(mine, job, *ENDED)
    assert status.state is JobState.COMPLETED, (tmp_path / "block-0.err").read_text()
    assert os.environ["SLURM_MEM_PER_CPU"] == "100"
