"""Starting trials and listening to what they say, whatever becomes of them."""

import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from peers import interpreter
from subjects import ALONE

HERE = Path(__file__).resolve().parent
ENDING = 20.0  # seconds that a system may take to end once it has said everything
LAST_WORDS = 300  # characters of standard error


class Order(NamedTuple):
    """What one trial is to measure."""

    subject: str
    peer: str
    figures: list[str]
    seconds: float
    tasks: int
    patience: float
    """Seconds after which the trial is ended."""


def run_trial(order: Order) -> Iterator[dict[str, Any]]:
    """Run one trial and give what it says as it comes; an early end is an error of its own."""
    python = interpreter(order.peer)
    missing = list(order.figures) if order.subject == ALONE else ["start", *order.figures]
    said: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as words:
        process = subprocess.Popen(
            [str(python), str(HERE / "trial.py"), _letter(order)],
            stdout=subprocess.PIPE,
            stderr=words,
            text=True,
            env=_environment(python),
            start_new_session=True,
        )
        threading.Thread(target=_listen, args=(process.stdout, said), daemon=True).start()
        until = time.monotonic() + order.patience
        late = ""
        try:
            while (line := said.get(timeout=max(0.0, until - time.monotonic()))) is not None:
                answer = json.loads(line)
                missing.remove(answer["figure"])
                yield answer
            process.wait(timeout=ENDING)
        except (queue.Empty, subprocess.TimeoutExpired):
            late = f"it was stopped after {order.patience:g} s; "
        finally:
            _end(process)
        if missing:
            words.seek(0)
            why = " ".join(words.read()[-LAST_WORDS:].split()) or "it said nothing"
            error = f"{late}status {process.returncode}: {why}"
            yield {"figure": ", ".join(missing), "error": error}


def _letter(order: Order) -> str:
    """The order as the trial reads it, with the moment from which its start counts."""
    fields = {
        "subject": order.subject,
        "figures": order.figures,
        "seconds": order.seconds,
        "tasks": order.tasks,
        "born": time.monotonic(),
    }
    return json.dumps(fields)


def _environment(python: Path) -> dict[str, str]:
    """Workers find the functions; programs of the system's own are found beside its Python."""
    return {
        **os.environ,
        "PATH": f"{python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONPATH": str(HERE),
        "RAY_USAGE_STATS_ENABLED": "0",
    }


def _listen(stream: IO[str], said: "queue.SimpleQueue[str | None]") -> None:
    with stream:
        for line in stream:
            said.put(line)
    said.put(None)


def _end(process: "subprocess.Popen[str]") -> None:
    """End the trial, and whatever it has left behind in its session."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
