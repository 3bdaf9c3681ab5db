"""What is read from /proc, of real processes."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from lamina.htex_worker_pool.memory import Gauge

MIB = 2**20
MUCH = 2**60  # bytes

# A process that does what the lines it reads say, and answers each.
PROGRAM = """
import os, signal, subprocess, sys
kept = []
for line in sys.stdin:
    word, _, size = line.strip().partition(" ")
    if word == "take":
        kept.append(bytearray(b"x") * int(size))
    elif word == "fork" and os.fork() == 0:
        signal.pause()
    elif word == "below":
        code = f"kept = bytearray(b'x') * {size}; print(flush=True); input()"
        child = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        child.stdout.readline()
    print(flush=True)
"""


class _Process:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self.does("nothing")

    def does(self, line: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "\n"

    def end(self) -> None:
        if self._process.poll() is None:
            os.killpg(self.pid, 9)
            self._process.communicate()


@pytest.fixture
def process() -> Iterator[_Process]:
    process = _Process()
    yield process
    process.end()


def _about(used: int, expected: int) -> bool:
    return expected * 0.9 - 4 * MIB < used < expected * 1.1 + 4 * MIB


@pytest.mark.parametrize("limit", [0, MUCH], ids=["with care", "roughly"])
def test_what_it_took_since_the_reset_is_seen(process: _Process, limit: int) -> None:
    process.does(f"take {50 * MIB}")
    gauge = Gauge(process.pid)
    gauge.reset()
    assert _about(gauge.used(limit), 0)
    process.does(f"take {40 * MIB}")
    assert _about(gauge.used(limit), 40 * MIB)


def test_what_its_children_use_counts(process: _Process) -> None:
    gauge = Gauge(process.pid)
    gauge.reset()
    process.does(f"below {60 * MIB}")
    assert gauge.used(0) > 55 * MIB


def test_what_is_shared_with_its_children_counts_once_where_it_matters(process: _Process) -> None:
    gauge = Gauge(process.pid)
    gauge.reset()
    process.does(f"take {60 * MIB}")
    process.does("fork")
    process.does("fork")
    assert gauge.used(MUCH) > 150 * MIB
    assert _about(gauge.used(70 * MIB), 60 * MIB)


def test_a_process_that_is_gone_uses_nothing(process: _Process) -> None:
    gauge = Gauge(process.pid)
    process.end()
    assert gauge.used(0) == 0
    gauge.reset()
    assert gauge.used(0) == 0
