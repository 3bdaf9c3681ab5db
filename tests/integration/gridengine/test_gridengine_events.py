"""What happens to jobs of a real Grid Engine, and what the provider says of it."""

from pathlib import Path

import pytest

from lamina.launchers import SimpleLauncher
from lamina.providers import JobState, ProviderUnavailable, SubmitRejected
from lamina.providers_batch import GridEngineProvider
from lamina.vocabulary import JobId
from tests.integration.batch import contents, operate, reaches, request, run, shim, until
from tests.integration.gridengine.conftest import queue

pytestmark = [pytest.mark.service, pytest.mark.apart]

ENDED = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED, JobState.GONE)


def provider(**options: object) -> GridEngineProvider:
    given = {"status_polling_interval": 1, "launcher": SimpleLauncher()}
    return GridEngineProvider(**{**given, **options})  # type: ignore[arg-type]


def test_a_job_deleted_by_others_is_told_from_one_that_we_cancel(tmp_path: Path) -> None:
    mine = provider()
    jobs = [mine.submit(request(tmp_path, "sleep 60", f"b{n}")) for n in range(2)]
    for job in jobs:
        reaches(mine, job, JobState.RUNNING)
    run("qdel", jobs[0])
    mine.cancel([jobs[1]])
    by_others = reaches(mine, jobs[0], *ENDED)
    by_us = reaches(mine, jobs[1], *ENDED)
    assert by_others.state is by_us.state is JobState.CANCELLED
    assert by_others.reason == "it was killed, and not by this program: killed by SIGKILL"
    assert by_us.reason == "it was cancelled by this program"


@pytest.mark.parametrize("code, state", [(0, JobState.COMPLETED), (5, JobState.FAILED)])
def test_an_end_is_found_in_the_accounting(tmp_path: Path, code: int, state: JobState) -> None:
    shim(tmp_path / "bin", "grep", "exit 2")  # no exit status of a script is to be seen
    mine = provider()
    job = mine.submit(request(tmp_path, f"exit {code}"))
    status = reaches(mine, job, *ENDED)
    assert (status.state, status.exit_code) == (state, code)
    assert status.reason == f"exit status {code}"


def test_a_job_at_its_walltime_is_no_failure(tmp_path: Path) -> None:
    mine = provider(walltime=3)
    job = mine.submit(request(tmp_path, "sleep 100"))
    status = reaches(mine, job, JobState.TIMEOUT, *ENDED)
    assert status.state is JobState.TIMEOUT
    assert "it reached a limit" in status.reason


def test_a_job_that_cannot_be_started_has_failed_and_is_removed(tmp_path: Path) -> None:
    mine = provider(scheduler_options="#$ -wd /nowhere")
    job = mine.submit(request(tmp_path, "true"))
    status = reaches(mine, job, *ENDED)
    assert status.state is JobState.FAILED
    assert f"qstat -explain E -j {job}" in status.reason
    until(lambda: job not in queue())


def test_jobs_that_do_not_start_say_why(tmp_path: Path) -> None:
    held, waits = provider(scheduler_options="#$ -h"), provider(scheduler_options="#$ -pe smp 9")
    one = held.submit(request(tmp_path, "true", "held"))
    two = waits.submit(request(tmp_path, "true", "waits"))
    assert reaches(held, one, JobState.HELD).reason == "it is held"
    status = until(lambda: (s := waits.poll([two])[two]).reason.startswith("it waits") and s)
    assert status.state is JobState.PENDING


def test_a_refusal_says_what_grid_engine_said(tmp_path: Path) -> None:
    with pytest.raises(SubmitRejected, match=r"(?s)qsub refused .*unknown queue"):
        provider(queue="nowhere").submit(request(tmp_path, "true"))
    with pytest.raises(SubmitRejected, match=r"(?s)qsub refused .*does not exist"):
        provider(scheduler_options="#$ -pe nothing 2").submit(request(tmp_path, "true"))


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_master_that_is_away_loses_no_job(tmp_path: Path) -> None:
    mine = provider()
    job = mine.submit(request(tmp_path, f"until [ -e {tmp_path}/go ]; do sleep 0.1; done"))
    reaches(mine, job, JobState.RUNNING)
    operate("gridengine.sh", "crash-master")

    def silent() -> bool:
        try:
            return mine.poll([job])[job].state is not JobState.RUNNING
        except ProviderUnavailable as error:
            return "commlib" in str(error) or "contact" in str(error)

    until(silent)
    with pytest.raises(ProviderUnavailable):
        mine.submit(request(tmp_path, "true", "meanwhile"))
    with pytest.raises(ProviderUnavailable):
        mine.cancel([JobId("1")])
    operate("gridengine.sh", "start-master")

    def back() -> bool:
        try:
            return mine.poll([job])[job].state is JobState.RUNNING
        except ProviderUnavailable:
            return False

    until(back, 60)
    (tmp_path / "go").touch()
    assert reaches(mine, job, *ENDED, seconds=60).state is JobState.COMPLETED


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_job_is_started_again_after_its_host_was_lost(tmp_path: Path) -> None:
    mine = provider(scheduler_options="#$ -r y")
    job = mine.submit(request(tmp_path, f"echo $RESTARTED >> {tmp_path}/runs; sleep 60"))
    reaches(mine, job, JobState.RUNNING)
    until(lambda: (tmp_path / "runs").exists())
    operate("gridengine.sh", "crash-exec")
    status = reaches(mine, job, JobState.PENDING, *ENDED, seconds=90)
    assert status.state is JobState.PENDING
    operate("gridengine.sh", "start-exec")
    until(lambda: contents(tmp_path / "runs") == "0\n1\n", 60)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_job_that_an_operator_deletes_by_force_is_not_called_a_success(tmp_path: Path) -> None:
    mine = provider()
    job = mine.submit(request(tmp_path, "sleep 60"))
    reaches(mine, job, JobState.RUNNING)
    operate("gridengine.sh", "crash-exec")
    run("qdel", "-f", job)
    status = reaches(mine, job, *ENDED)
    assert status.state is JobState.CANCELLED
    assert status.reason == "it was deleted by force, and nobody has seen it end"


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_job_that_was_lost_with_its_host_is_told_so_when_that_is_back(tmp_path: Path) -> None:
    mine = provider(scheduler_options="#$ -r n")
    job = mine.submit(request(tmp_path, "sleep 60"))
    reaches(mine, job, JobState.RUNNING)
    operate("gridengine.sh", "crash-exec")
    operate("gridengine.sh", "start-exec")
    status = reaches(mine, job, *ENDED, JobState.NODE_FAIL)
    assert status.state is JobState.NODE_FAIL
    assert status.reason == "Grid Engine says 'before writing exit_status'"


def test_odd_paths_are_written_to_as_they_are(tmp_path: Path) -> None:
    place = tmp_path / 'a "b" $HOME host:x'
    place.mkdir()
    mine = provider()
    job = mine.submit(request(place, "echo out; echo err >&2; exit 4"))
    assert reaches(mine, job, *ENDED).exit_code == 4
    assert (place / "block-0.out").read_text() == "out\n"
    assert "err" in (place / "block-0.err").read_text()


def test_several_nodes_are_a_parallel_environment(tmp_path: Path) -> None:
    mine = provider(nodes_per_block=2, scheduler_options="#$ -pe mpi 2", worker_init="A=1")
    job = mine.submit(request(tmp_path, "echo $NSLOTS $A"))
    assert reaches(mine, job, *ENDED).state is JobState.COMPLETED
    assert (tmp_path / "block-0.out").read_text() == "2 1\n"
