import os
import threading
import time
from pathlib import Path

import pytest

from lamina.providers import JobState, JobStatus, LocalProvider
from lamina.providers.local_job import start


def test_the_end_is_told_although_somebody_else_waited(tmp_path: Path) -> None:
    script = tmp_path / "x.sh"
    script.write_text(f"trap 'echo 4 > {tmp_path}/x.ec' EXIT; exit 4\n")
    job = start(script, stdout=tmp_path / "out", stderr=tmp_path / "err")
    os.waitpid(job.pid, 0)  # as a program that waits for all its children does
    status = job.look()
    assert status == JobStatus(state=JobState.FAILED, reason="exit status 4", exit_code=4)


def test_an_end_that_nobody_can_tell_is_a_failure(tmp_path: Path) -> None:
    script = tmp_path / "x.sh"
    script.write_text("exit 0\n")
    job = start(script, stdout=tmp_path / "out", stderr=tmp_path / "err")
    os.waitpid(job.pid, 0)
    assert job.look().state is JobState.FAILED
    assert job.look().exit_code is None


def test_the_block_has_a_session_and_no_input(tmp_path: Path) -> None:
    script = tmp_path / "x.sh"
    script.write_text("cat; cut -d' ' -f6 /proc/$$/stat\n")
    job = start(script, stdout=tmp_path / "out", stderr=tmp_path / "err")
    end = time.monotonic() + 20
    tick = threading.Event()
    while not job.look().state.terminal:
        tick.wait(0.005)
        if time.monotonic() > end:
            pytest.fail("the script did not end")
    assert (tmp_path / "out").read_text().strip() == str(job.pid)
    assert LocalProvider().poll([job.name])[job.name].state is JobState.GONE
