"""The host of examples/host, and how it ends when it is told to."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

HOST = Path(__file__).parents[2] / "examples" / "host"
WAIT = 20.0  # seconds
THREADS = '[[executors]]\nuse = "threads"\n'
# Sends the signal to itself at the nth line that its main thread runs after the first output, or
# when it waits before it has come there.
AT_A_LINE = """
import os, runpy, signal, sys, threading, time

class Out:
    left = 0
    def write(self, text):
        return real.write(text)
    def flush(self):
        real.flush()
        sys.stdout = real
        threading.Thread(target=signal_when_it_waits, daemon=True).start()
        self.left = number

def trace(frame, event, _):
    if event == "line" and out.left > 0:
        out.left -= 1
        if out.left == 0:
            os.kill(os.getpid(), signal.SIGTERM)
    return trace

def signal_when_it_waits():
    left = None
    while left != out.left:
        left = out.left
        time.sleep(0.5)
    if left > 0:
        os.kill(os.getpid(), signal.SIGTERM)

number, real = int(sys.argv.pop(1)), sys.stdout
out = sys.stdout = Out()
sys.settrace(trace)
runpy.run_module("acme_endpoint", run_name="__main__", alter_sys=True)
"""


@contextmanager
def host(place: Path, config: str, *arguments: str) -> Iterator[tuple[Any, dict[str, str]]]:
    """A host that runs, and what it says first."""
    (place / "endpoint.toml").write_text(config, encoding="utf-8")
    with (
        (place / "host.err").open("w") as errors,
        subprocess.Popen(
            [sys.executable, *arguments, "endpoint.toml"],
            cwd=place,
            env={**os.environ, "PYTHONPATH": str(HOST / "src")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            first = process.stdout.readline()
            assert first, (place / "host.err").read_text()
            yield process, json.loads(first)
        finally:
            process.kill()


def ask(facts: dict[str, str], path: str, body: object = None) -> Any:
    request = urllib.request.Request(
        f"{facts['url']}/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {facts['token']}"},
    )
    with urllib.request.urlopen(request, timeout=WAIT) as answer:
        return json.loads(answer.read())


@pytest.mark.parametrize("line", [1, 4, 8, 12])
def test_it_ends_whenever_the_signal_comes(tmp_path: Path, line: int) -> None:
    with host(tmp_path, THREADS, "-c", AT_A_LINE, str(line)) as (process, _):
        assert process.wait(WAIT) == 0, (tmp_path / "host.err").read_text()


def test_it_waits_for_no_task_whose_result_nobody_can_ask_for(tmp_path: Path) -> None:
    config = (HOST / "endpoint.toml").read_text(encoding="utf-8")
    with host(tmp_path, config, "-m", "acme_endpoint") as (process, facts):
        source = "import time\ndef nap():\n    time.sleep(600)"
        function = ask(facts, "functions", {"name": "nap", "source": source})["function"]
        ask(facts, f"functions/{function}/calls", {"arguments": []})
        end = time.monotonic() + WAIT
        while "task.state.running" not in ask(facts, "status")["seen"]:
            assert time.monotonic() < end
            threading.Event().wait(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT) == 0, (tmp_path / "host.err").read_text()
