"""Providers of batch systems that are not to be had, on emulators of their commands."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lamina.conformance import PROVIDER
from lamina.executors import Site
from lamina.executors_htex import HighThroughputExecutor
from lamina.launchers import SimpleLauncher
from lamina.providers import JobState, Provider, ProviderUnavailable, SubmitRejected
from lamina.providers_batch import (
    CondorProvider,
    FluxProvider,
    LSFProvider,
    PBSProProvider,
    TorqueProvider,
)
from lamina.vocabulary import JobId
from tests.fakes.batch_emulator import install
from tests.integration.batch import reaches, request, until
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


@pytest.mark.parametrize("system", ["pbspro", "torque", "flux"], indirect=True)
def test_a_job_at_its_walltime_is_no_failure(system: str, tmp_path: Path) -> None:
    mine = made(system, walltime=1)
    job = mine.submit(request(tmp_path, "sleep 100"))
    status = reaches(mine, job, JobState.TIMEOUT, *ENDED)
    assert (status.state, status.reason) == (JobState.TIMEOUT, "it reached its walltime")


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
