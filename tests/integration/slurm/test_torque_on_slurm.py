"""TorqueProvider with real commands of that name: SchedMD's wrappers around the real Slurm."""

import os
from pathlib import Path

import pytest

from lamina.conformance import PROVIDER
from lamina.executors import Site
from lamina.executors_htex import HighThroughputExecutor
from lamina.launchers import SimpleLauncher
from lamina.providers import JobState, SubmitRejected
from lamina.providers_batch import TorqueProvider
from tests.integration.batch import environment, reaches, request, run, until
from tests.integration.slurm.bodies import host_after
from tests.integration.slurm.cluster import queue
from tests.kits import as_tests

pytestmark = pytest.mark.service

ENDED = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED, JobState.GONE)


def provider(**options: object) -> TorqueProvider:
    given = {"status_polling_interval": 1, "launcher": SimpleLauncher(), **options}
    return TorqueProvider(**given)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def commands(cluster: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # the wrappers heed no -o in a script, and write where we are
    folder = environment("pbs.sh")["TESTBED_PBS_BIN"]
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


TestTorque = as_tests(PROVIDER, provider)


@pytest.mark.parametrize("code, state", [(0, JobState.COMPLETED), (4, JobState.FAILED)])
def test_an_end_that_qstat_does_not_tell_is_told_by_the_script(
    tmp_path: Path, code: int, state: JobState
) -> None:
    mine = provider()
    status = reaches(mine, job := mine.submit(request(tmp_path, f"exit {code}")), *ENDED)
    assert (status.state, status.exit_code) == (state, code), job


def test_a_refusal_says_what_was_said(tmp_path: Path) -> None:
    with pytest.raises(SubmitRejected, match="Invalid partition name"):
        provider(queue="nowhere").submit(request(tmp_path, "true"))


def test_options_reach_the_job(tmp_path: Path) -> None:
    mine = provider(queue="debug", cores_per_node=2, walltime="00:07:00")
    job = mine.submit(request(tmp_path, "sleep 60"))
    reaches(mine, job, JobState.RUNNING)
    facts = dict(word.partition("=")[::2] for word in run("scontrol", "show", "job", job).split())
    assert (facts["TimeLimit"], facts["Partition"]) == ("00:07:00", "debug")
    mine.cancel([job])
    assert reaches(mine, job, *ENDED).reason == "it was cancelled by this program"


def test_tasks_run_and_no_job_is_left(tmp_path: Path) -> None:
    executor = HighThroughputExecutor("htex", provider())
    executor.start(Site(run_dir=tmp_path))
    try:
        assert executor.submit(host_after, 0.0).result(timeout=30) in {"n1", "n2"}
    finally:
        executor.close(timeout=10.0)
    until(lambda: not queue())
