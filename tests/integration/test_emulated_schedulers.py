"""Providers of batch systems that are not to be had, on emulators of their commands."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lamina.conformance import PROVIDER
from lamina.executors import Site
from lamina.executors_htex import HighThroughputExecutor
from lamina.launchers import SimpleLauncher, SingleNodeLauncher
from lamina.providers import JobState, Provider, ProviderUnavailable, SubmitRejected
from lamina.providers_batch import (
    CondorProvider,
    FluxProvider,
    LSFProvider,
    PBSProProvider,
    TorqueProvider,
)
from lamina.vocabulary import JobId
from tests.fakes.batch_emulator import install, order
from tests.integration.batch import contents, reaches, request, until
from tests.integration.slurm.bodies import host_after
from tests.kits import as_tests

Make = Callable[..., Provider]
SYSTEMS: dict[str, Make] = {
    "pbspro": PBSProProvider,
    "torque": TorqueProvider,
    "lsf": LSFProvider,
    "condor": CondorProvider,
    "flux": FluxProvider,
}
# The emulator of Flux takes no such orders: it neither holds, suspends nor queues again.
all_but_flux = pytest.mark.parametrize("system", sorted(SYSTEMS.keys() - {"flux"}), indirect=True)
ENDED = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED, JobState.GONE)


def made(system: str, **options: Any) -> Provider:
    given = {"status_polling_interval": 1, "launcher": SimpleLauncher(), **options}
    return SYSTEMS[system](**given)


class _Emulated:
    system = ""

    @pytest.fixture(autouse=True)
    def commands(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        yield from emulated(self.system, tmp_path, monkeypatch)


def emulated(system: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = place / "bin"
    folder.mkdir()
    install(folder, system)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    yield folder
    for path in folder.glob("*.sh"):
        path.with_suffix(".cancel").touch()
    until(lambda: all('"state": "F"' in path.read_text() for path in folder.glob("*.json")))


class TestPBSPro(_Emulated, as_tests(PROVIDER, lambda: made("pbspro"))):  # type: ignore[misc]
    system = "pbspro"


class TestTorque(_Emulated, as_tests(PROVIDER, lambda: made("torque"))):  # type: ignore[misc]
    system = "torque"


class TestLSF(_Emulated, as_tests(PROVIDER, lambda: made("lsf"))):  # type: ignore[misc]
    system = "lsf"


class TestCondor(_Emulated, as_tests(PROVIDER, lambda: made("condor"))):  # type: ignore[misc]
    system = "condor"


class TestFlux(_Emulated, as_tests(PROVIDER, lambda: made("flux"))):  # type: ignore[misc]
    system = "flux"


@pytest.fixture(params=SYSTEMS)
def system(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    for _ in emulated(request.param, tmp_path, monkeypatch):
        yield request.param


def test_a_job_that_the_queue_has_forgotten_is_found_elsewhere(system: str, tmp_path: Path) -> None:
    mine = made(system)
    (tmp_path / "bin" / "forget").touch()
    job = mine.submit(request(tmp_path, "exit 5"))
    status = reaches(mine, job, *ENDED)
    assert (status.state, status.exit_code) == (JobState.FAILED, 5)


def test_a_server_that_is_away_loses_no_job(system: str, tmp_path: Path) -> None:
    mine = made(system)
    job = mine.submit(request(tmp_path, f"until [ -e {tmp_path}/go ]; do sleep 0.05; done"))
    reaches(mine, job, JobState.RUNNING)
    (tmp_path / "bin" / "down").touch()

    def silent() -> bool:
        try:
            mine.poll([job])
        except ProviderUnavailable:
            return True
        return False

    until(silent)
    for attempt in (
        lambda: mine.submit(request(tmp_path, "true")),
        lambda: mine.cancel([JobId("1")]),
    ):
        with pytest.raises(ProviderUnavailable):
            attempt()
    (tmp_path / "bin" / "down").unlink()
    until(lambda: not silent())
    reaches(mine, job, JobState.RUNNING, JobState.CANCELLED)


def test_odd_paths_are_written_to_as_they_are(system: str, tmp_path: Path) -> None:
    place = tmp_path / 'a "b" %J $HOME'
    place.mkdir()
    mine = made(system)
    job = mine.submit(request(place, "echo out; echo err >&2"))
    assert reaches(mine, job, *ENDED).state is JobState.COMPLETED
    assert (place / "block-0.out").read_text() == "out\n"
    assert (place / "block-0.err").read_text() == "err\n"


def test_a_job_at_its_walltime_is_no_failure(system: str, tmp_path: Path) -> None:
    (tmp_path / "bin" / "quick").touch()
    mine = made(system, walltime=60)
    job = mine.submit(request(tmp_path, "sleep 100"))
    status = reaches(mine, job, JobState.TIMEOUT, *ENDED)
    assert status.state is JobState.TIMEOUT
    assert "it reached its walltime" in status.reason or "TERM_RUNLIMIT" in status.reason


@all_but_flux
def test_a_job_that_waits_is_pending_and_may_be_held_and_cancelled(
    system: str, tmp_path: Path
) -> None:
    bin_ = tmp_path / "bin"
    (bin_ / "full").touch()
    mine = made(system)
    job, other = (mine.submit(request(tmp_path, "true", name)) for name in ("one", "two"))
    until(lambda: mine.poll([job])[job].reason != "it has been submitted")
    assert reaches(mine, job, JobState.PENDING).reason
    order(bin_, job, "hold")
    assert (
        "held" in (held := reaches(mine, job, JobState.HELD)).reason or "suspended" in held.reason
    )
    mine.cancel([other])
    assert reaches(mine, other, *ENDED).state is JobState.CANCELLED
    (bin_ / "full").unlink()
    order(bin_, job, "release")
    assert reaches(mine, job, *ENDED).state is JobState.COMPLETED


@all_but_flux
def test_a_job_may_be_suspended_and_goes_on(system: str, tmp_path: Path) -> None:
    mine = made(system)
    job = mine.submit(request(tmp_path, f"until [ -e {tmp_path}/go ]; do sleep 0.05; done"))
    reaches(mine, job, JobState.RUNNING)
    order(tmp_path / "bin", job, "suspend")
    assert "suspended" in reaches(mine, job, JobState.SUSPENDED).reason
    order(tmp_path / "bin", job, "resume")
    reaches(mine, job, JobState.RUNNING)
    (tmp_path / "go").touch()
    assert reaches(mine, job, *ENDED).state is JobState.COMPLETED


@all_but_flux
def test_a_job_that_is_queued_again_has_not_ended(system: str, tmp_path: Path) -> None:
    mine, bin_ = made(system), tmp_path / "bin"
    command = f"echo run >> {tmp_path}/runs; until [ -e {tmp_path}/go ]; do sleep 0.05; done"
    job = mine.submit(request(tmp_path, command))
    reaches(mine, job, JobState.RUNNING)
    until((tmp_path / "runs").exists)
    (bin_ / "full").touch()
    order(bin_, job, "requeue")
    # What it left when it was told to end is not its end.
    reaches(mine, job, JobState.PENDING)
    (bin_ / "full").unlink()
    until(lambda: contents(tmp_path / "runs") == "run\nrun\n")
    reaches(mine, job, JobState.RUNNING)
    (tmp_path / "go").touch()
    assert reaches(mine, job, *ENDED).state is JobState.COMPLETED


@all_but_flux
def test_a_job_that_used_too_much_memory_is_told_so(system: str, tmp_path: Path) -> None:
    mine = made(system)
    job = mine.submit(request(tmp_path, "sleep 100"))
    reaches(mine, job, JobState.RUNNING)
    order(tmp_path / "bin", job, "memory")
    status = reaches(mine, job, JobState.HELD, JobState.OUT_OF_MEMORY, *ENDED)
    # HTCondor does not end such a job, but holds it.
    wanted = JobState.HELD if system == "condor" else JobState.OUT_OF_MEMORY
    assert status.state is wanted
    assert "mem" in status.reason.lower()


@pytest.mark.parametrize("system", ["lsf"], indirect=True)
def test_a_job_that_was_killed_for_another_says_so(system: str, tmp_path: Path) -> None:
    mine = made(system)
    job = mine.submit(request(tmp_path, "sleep 100"))
    reaches(mine, job, JobState.RUNNING)
    order(tmp_path / "bin", job, "preempt")
    status = reaches(mine, job, JobState.PREEMPTED, *ENDED)
    assert status.state is JobState.PREEMPTED
    assert "TERM_PREEMPT" in status.reason


@pytest.mark.parametrize("system", ["condor"], indirect=True)
def test_each_node_of_a_block_has_one_manager(system: str, tmp_path: Path) -> None:
    provider = made(system, nodes_per_block=2, launcher=SingleNodeLauncher())
    executor = HighThroughputExecutor("htex", provider, max_workers_per_node=1)
    executor.start(Site(run_dir=tmp_path))
    try:
        until(lambda: len(executor.connected_managers()) == 2)
        assert [f.result(30) for f in [executor.submit(host_after, 0.01) for _ in range(20)]]
        names = {path.name for path in (tmp_path / "htex" / "blocks").glob("*.stderr*")}
        assert names == {"block-0.stderr.0", "block-0.stderr.1"}
    finally:
        executor.close(10.0)


@pytest.mark.parametrize("system", ["pbspro", "torque", "lsf", "flux"], indirect=True)
def test_a_refusal_says_what_the_system_said(system: str, tmp_path: Path) -> None:
    mine = made(system, queue="nowhere")
    with pytest.raises(SubmitRejected, match="queue"):
        mine.submit(request(tmp_path, "true"))


def test_tasks_run_in_blocks_of_it(system: str, tmp_path: Path) -> None:
    executor = HighThroughputExecutor("htex", made(system), max_workers_per_node=2)
    executor.start(Site(run_dir=tmp_path))
    try:
        assert [f.result(30) for f in [executor.submit(host_after, 0.01) for _ in range(20)]]
    finally:
        executor.close(10.0)
