"""Tests on the real Slurm that ``make testbed-up`` starts; whatever they leave is cancelled."""

import os
from collections.abc import Iterator

import pytest

from tests.integration.batch import environment, run, until
from tests.integration.slurm.cluster import queue, slurm


@pytest.fixture(scope="session")
def slurm_environment() -> dict[str, str]:
    return environment("slurm.sh")


@pytest.fixture(autouse=True)
def cluster(
    slurm_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """Two idle nodes before and after."""
    monkeypatch.setenv("PATH", os.environ["PATH"])  # what `shim` adds is taken back
    for name, value in slurm_environment.items():
        monkeypatch.setenv(name, value)
    _empty()
    yield slurm_environment
    monkeypatch.undo()
    for name, value in slurm_environment.items():
        monkeypatch.setenv(name, value)
    slurm("start-ctld")
    for node in ("n1", "n2"):
        slurm("start-node", node)
        slurm("resume-node", node)
    _empty()


def _empty() -> None:
    if queue():
        run("scancel", "--user=root")
    until(lambda: not queue())
    until(lambda: set(run("sinfo", "-h", "-p", "debug", "-N", "-o", "%T").split()) == {"idle"})
