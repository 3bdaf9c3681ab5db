"""Tests on the real Grid Engine that ``make testbed-up`` starts; what they leave is deleted."""

import os
from collections.abc import Iterator

import pytest

from tests.integration.batch import environment, operate, run, until


def queue() -> list[str]:
    """The ids of all jobs that have not ended."""
    return [line.split()[0] for line in run("qstat", "-u", "*").splitlines()[2:]]


@pytest.fixture(autouse=True)
def gridengine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty queue before and after."""
    monkeypatch.setenv("PATH", os.environ["PATH"])  # what `shim` adds is taken back
    variables = environment("gridengine.sh")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    _empty()
    yield
    monkeypatch.undo()
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    operate("gridengine.sh", "start-master")
    operate("gridengine.sh", "start-exec")
    _empty()


def _empty() -> None:
    if left := queue():
        run("qdel", "-f", ",".join(left))
    until(lambda: not queue())
