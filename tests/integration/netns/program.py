"""A program on one host whose workers are on another, between which the cable is cut.

usage: program.py RUN_DIR SECONDS    how long the cable is cut

Prints one JSON object: what became of each task, and how long after the cut.
"""

import json
import subprocess
import sys
import time
from concurrent.futures import Future, wait
from functools import partial
from pathlib import Path
from typing import Any

from lamina.executors import Site
from lamina.executors_htex import HighThroughputExecutor
from lamina.launchers import WrappedLauncher
from lamina.providers import LocalProvider
from lamina.vocabulary import TaskError

HOSTS = Path(__file__).parents[3] / "development" / "testbed" / "hosts.sh"
# With pids of its own too, so that nobody here can see whether the manager lives.
ELSEWHERE = "ip netns exec lamina-node unshare --pid --fork --kill-child --mount-proc"
PERIOD, THRESHOLD = 0.5, 2.0  # seconds, of heartbeats
WORK = 4.0  # seconds, of the task during which the cable is cut
FIRST = 0.2  # seconds; of tasks that take so long none waits on the other host
PATIENCE = 40.0  # seconds


def note(where: str, name: str, seconds: float) -> str:
    """Leave a mark at the beginning and one at the end."""
    with open(where, "a", encoding="utf-8") as marks:
        marks.write(f"{name} begins\n")
        marks.flush()
        time.sleep(seconds)
        marks.write(f"{name} ends\n")
    return name


def hosts(what: str) -> None:
    subprocess.run([HOSTS, what], check=True)


def told(future: Future[Any]) -> dict[str, Any]:
    error = future.exception(0)
    if error is None:
        return {"value": future.result(0)}
    started = error.started.value if isinstance(error, TaskError) else None
    return {"error": type(error).__name__, "started": started, "text": str(error)}


def _note_end(ended: dict[str, float], name: str, cut: float, _: Future[Any]) -> None:
    ended[name] = time.monotonic() - cut


def main(run_dir: Path, seconds: float) -> None:
    marks = str(run_dir / "marks")
    executor = HighThroughputExecutor(
        provider=LocalProvider(launcher=WrappedLauncher(ELSEWHERE)),
        address="10.231.79.1",
        max_workers_per_node=1,
        heartbeat_period=PERIOD,
        heartbeat_threshold=THRESHOLD,
    )
    executor.start(Site(run_dir=run_dir))
    try:
        assert executor.submit(note, marks, "first", FIRST).result(PATIENCE) == "first"
        ended: dict[str, float] = {}
        futures = {"running": executor.submit(note, marks, "running", WORK)}
        while "running begins" not in Path(marks).read_text(encoding="utf-8"):
            time.sleep(0.01)
        for number in range(3):
            name = f"waiting {number}"
            futures[name] = executor.submit(note, marks, name, 0)
        hosts("cut")
        cut = time.monotonic()
        for name, future in futures.items():
            future.add_done_callback(partial(_note_end, ended, name, cut))
        time.sleep(seconds)
        hosts("heal")
        assert not wait(futures.values(), PATIENCE).not_done
        after = executor.submit(note, marks, "after", 0).result(PATIENCE)
        tasks = {name: {**told(future), "after": ended[name]} for name, future in futures.items()}
        print(json.dumps({"tasks": tasks, "after": after}))
    finally:
        executor.close(timeout=10)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
