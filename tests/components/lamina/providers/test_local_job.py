import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lamina.processes import alive, descendants, kill_session, kill_tree
from lamina.processes.facts import stats
from lamina.providers import JobState, JobStatus, LocalProvider
from lamina.providers.local_job import start


def test_the_end_is_told_although_somebody_else_waited(tmp_path: Path) -> None:
    script = tmp_path / "x.sh"
    script.write_text(f"trap 'echo 4 > {tmp_path}/x.ec' EXIT; sleep 100 & exit 4\n")
    job = start(script, stdout=tmp_path / "out", stderr=tmp_path / "err")
    os.waitpid(job.pid, 0)  # as a program that waits for all its children does
    status = job.look()
    assert status == JobStatus(state=JobState.FAILED, reason="exit status 4", exit_code=4)
    assert of_session(job.pid) == []  # neither what it has left running, nor who watches


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


PROGRAM = """
import os, sys, time
from pathlib import Path
from lamina.providers.local_job import start

place = Path(sys.argv[1])
job = start(place / "x.sh", stdout=place / "out", stderr=place / "err")
if len(sys.argv) > 2 and os.fork() == 0:
    os.close(1)
    time.sleep(100)
print(job.pid, flush=True)
time.sleep(100)
"""


def until(what: Callable[[], object]) -> None:
    end, tick = time.monotonic() + 20, threading.Event()
    while not what():
        tick.wait(0.01)
        assert time.monotonic() < end, "waited in vain"


def of_session(leader: int) -> list[int]:
    return [one.pid for one in stats() if one.session == leader]


@pytest.mark.parametrize("forks", [False, True])
def test_nothing_is_left_of_a_script_whose_program_was_killed(tmp_path: Path, forks: bool) -> None:
    """Whatever it is at: here it ignores SIGTERM, and has a child in a session of its own."""
    (tmp_path / "x.sh").write_text(
        f"trap '' TERM\nsetsid bash -c 'echo $$ > {tmp_path}/away; sleep 100' &\nsleep 100\nwait\n"
    )
    more = ["fork"] if forks else []
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path), *more], stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        leader = int(program.stdout.readline())
        try:
            until(lambda: (tmp_path / "away").exists() and (tmp_path / "away").read_text())
            away = int((tmp_path / "away").read_text())
            until(lambda: len(of_session(leader)) >= 3)  # the script, its sleep, and who watches
            forked = [pid for pid in descendants(program.pid) if pid not in of_session(leader)]
            program.kill()
            until(lambda: not of_session(leader) and not alive(away))
        finally:
            kill_tree([leader, *descendants(program.pid)])
            kill_tree(pid for pid in forked if pid != away)


def test_what_a_script_has_left_behind_ends_with_the_program_as_well(tmp_path: Path) -> None:
    (tmp_path / "x.sh").write_text("sleep 100 &\nexit 0\n")
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        leader = int(program.stdout.readline())
        try:
            until(lambda: not alive(leader))
            assert of_session(leader)
            program.kill()
            until(lambda: not of_session(leader))
        finally:
            kill_session(leader)
            program.kill()


def test_who_watches_ends_with_the_script_and_is_not_waited_for_by_it(tmp_path: Path) -> None:
    script = tmp_path / "x.sh"
    script.write_text("sleep 0.01 &\nwait\nexit 3\n")
    job = start(script, stdout=tmp_path / "out", stderr=tmp_path / "err")
    until(lambda: job.look().state.terminal)
    assert job.look().exit_code == 3
    assert of_session(job.pid) == []


def test_what_has_left_the_session_is_killed_however_late_the_end_is_seen(tmp_path: Path) -> None:
    script, away = tmp_path / "x.sh", tmp_path / "away"
    script.write_text(
        f"setsid bash -c \"trap '' TERM; echo \\$\\$ > {away}; sleep 100; sleep 100\" &\nwait\n"
    )
    job = start(script, stdout=tmp_path / "out", stderr=tmp_path / "err")
    until(lambda: away.exists() and away.read_text())
    stubborn = int(away.read_text())
    try:
        job.cancel()
        until(lambda: time.monotonic() > job._kill_at - 0.1)
        with job._lock:  # whoever looks now has its turn when the time is over
            until(lambda: time.monotonic() > job._kill_at)
        until(lambda: not alive(stubborn))
        until(lambda: job.look().state is JobState.CANCELLED)
    finally:
        kill_session(stubborn)
