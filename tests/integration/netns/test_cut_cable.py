"""A manager on another host, as far as the network is concerned, and the cable between is cut."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.netns.program import HOSTS, THRESHOLD, WORK

pytestmark = [pytest.mark.service, pytest.mark.apart, pytest.mark.timeout(180)]

BEYOND = 2.0  # seconds after the threshold within which a silent node is given up
NOISE = 4.0  # seconds more that a machine with other work may take
PATIENCE = 120.0  # seconds


@pytest.fixture
def two_hosts() -> Iterator[None]:
    subprocess.run([HOSTS, "up"], check=True)
    yield
    subprocess.run([HOSTS, "down"], check=True)


def run(folder: Path, cut: float) -> tuple[dict[str, Any], list[str]]:
    program = Path(__file__).with_name("program.py")
    command = [str(HOSTS), "exec", "program", sys.executable, str(program), str(folder), str(cut)]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=PATIENCE, cwd=HOSTS.parents[2]
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said, (folder / "marks").read_text(encoding="utf-8").splitlines()


@pytest.mark.usefixtures("two_hosts")
def test_a_cut_shorter_than_the_threshold_changes_nothing(tmp_path: Path) -> None:
    said, marks = run(tmp_path, THRESHOLD / 4)
    assert {name: told.get("value") for name, told in said["tasks"].items()} == {
        name: name for name in ("running", "waiting 0", "waiting 1", "waiting 2")
    }
    assert len(marks) == len(set(marks)) == 12  # each began once and ended
    took = said["tasks"]["running"]["after"]
    print(f"cable cut for {THRESHOLD / 4} s: {took:.2f} s for a task of {WORK} s")


@pytest.mark.usefixtures("two_hosts")
def test_a_cut_longer_than_the_threshold_loses_what_ran_and_nothing_else(tmp_path: Path) -> None:
    said, marks = run(tmp_path, 3 * THRESHOLD)
    running = said["tasks"].pop("running")
    assert running["error"] == "NodeLost"
    assert running["started"] in ("yes", "unknown")
    assert "silent" in running["text"]
    assert running["after"] <= THRESHOLD + BEYOND + NOISE
    print(
        f"cable cut: the task was given up after {running['after']:.2f} s "
        f"(bound {THRESHOLD + BEYOND} s)"
    )
    assert {name: told.get("value", told) for name, told in said["tasks"].items()} == {
        name: name for name in ("waiting 0", "waiting 1", "waiting 2")
    }
    assert "running begins" in marks
    assert "running ends" not in marks  # the manager gave itself up, and its worker with it
    assert len(marks) == len(set(marks))
    assert said["after"] == "after"
