"""HighThroughputExecutor as a standard pool: what CPython's tests cannot ask of it.

They look into private attributes for processes, or at the stdout of workers.
"""

import gc
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

from lamina.executors_htex import HighThroughputExecutor
from lamina.vocabulary import SerializationError

ROOT = Path(__file__).parents[3]
WAIT = 30  # seconds


def below_us() -> set[int]:
    """All processes below this one."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            facts = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just gone
        if facts[0] != "Z":
            children.setdefault(int(facts[1]), []).append(int(stat.parent.name))
    found: set[int] = set()
    open_ = [os.getpid()]
    while open_:
        for child in children.get(open_.pop(), []):
            found.add(child)
            open_.append(child)
    return found


def eventually(condition: Callable[[], object]) -> bool:
    deadline = time.monotonic() + WAIT
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def wait_for(path: str) -> str:
    """Run until a file is there."""
    while not os.path.exists(path):
        time.sleep(0.01)
    return path


def test_shutdown_leaves_no_process() -> None:
    before = below_us()
    with HighThroughputExecutor(max_workers_per_node=2) as pool:
        assert list(pool.map(abs, range(-5, 0))) == [5, 4, 3, 2, 1]
        assert below_us() > before
    assert eventually(lambda: below_us() <= before)


def test_an_executor_that_was_dropped_leaves_no_process() -> None:
    before = below_us()
    pool = HighThroughputExecutor(max_workers_per_node=1)
    results = pool.map(abs, range(-5, 0))
    del pool
    gc.collect()
    assert list(results) == [5, 4, 3, 2, 1]
    del results
    gc.collect()
    assert eventually(lambda: below_us() <= before)


def test_shutdown_can_cancel_what_waits_and_lets_what_runs_end(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    pool = HighThroughputExecutor(max_workers_per_node=1)
    futures = [pool.submit(wait_for, str(gate)) for _ in range(5)]
    assert eventually(futures[0].running)
    pool.shutdown(wait=False, cancel_futures=True)
    assert [future.cancelled() for future in futures] == [False, True, True, True, True]
    gate.touch()
    assert futures[0].result(WAIT) == str(gate)
    with pytest.raises(CancelledError):
        futures[1].result(WAIT)
    with pytest.raises(RuntimeError, match="shut down"):
        pool.submit(abs, -1)


class LeavesWhenRead:
    """Ends whoever unpickles it, if it can."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[int]]:
        return sys.exit, (3,)


def test_a_result_that_cannot_be_read_costs_only_its_own_task() -> None:
    with HighThroughputExecutor(max_workers_per_node=1) as pool:
        error = pool.submit(LeavesWhenRead).exception(WAIT)
        assert isinstance(error, SerializationError)
        assert isinstance(error.__cause__, SystemExit)
        assert pool.submit(abs, -1).result(WAIT) == 1


@pytest.mark.parametrize("at_the_end", ["", "pool.shutdown(wait=False)"])
def test_the_program_does_not_end_before_its_calls(tmp_path: Path, at_the_end: str) -> None:
    program = f"""
        import time
        from pathlib import Path
        from lamina.executors_htex import HighThroughputExecutor

        def late(path):
            time.sleep(0.5)
            Path(path).write_text("written")

        pool = HighThroughputExecutor(max_workers_per_node=1)
        pool.submit(late, {str(tmp_path / "said")!r})
        {at_the_end}
    """
    path = os.pathsep.join([str(ROOT / "components"), str(ROOT / "bases"), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "said").read_text() == "written"
