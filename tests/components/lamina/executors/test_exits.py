import os
import subprocess
import sys
import textwrap
from pathlib import Path

from lamina.executors.exits import interpreter_ends

ROOT = Path(__file__).parents[4]
DEADLINE = 30  # seconds

PREAMBLE = """
import os, sys, threading, time
from lamina.executors import ThreadPoolExecutor

def slowly(text):
    time.sleep(0.2)
    print(text, flush=True)
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT / "components"), str(ROOT / "bases"), *sys.path])
    return subprocess.run(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(program)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


def test_the_interpreter_does_not_end_before_the_calls_that_were_taken():
    done = run("""
        pool = ThreadPoolExecutor(max_threads=1)
        pool.submit(slowly, "first")
        pool.submit(slowly, "second")
    """)
    assert (done.returncode, done.stdout, done.stderr) == (0, "first\nsecond\n", "")


def test_shutdown_without_waiting_does_not_drop_calls_at_the_end():
    done = run("""
        pool = ThreadPoolExecutor()
        pool.submit(slowly, "done")
        pool.shutdown(wait=False)
    """)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_calls_that_come_too_late_are_refused():
    done = run("""
        import atexit
        used, unused = ThreadPoolExecutor(), ThreadPoolExecutor()
        used.submit(abs, -1).result()

        @atexit.register
        def late():
            for pool in (used, unused):
                try:
                    pool.submit(abs, -1)
                except RuntimeError as error:
                    print(error)
    """)
    said = "cannot schedule new futures: the interpreter ends\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, said * 2, "")


def test_a_forked_process_does_not_wait_for_calls_of_its_parent():
    done = run("""
        import multiprocessing
        gate = threading.Event()
        pool = ThreadPoolExecutor(max_threads=1)
        held = pool.submit(gate.wait)
        child = multiprocessing.get_context("fork").Process(target=print, args=("child",))
        child.start()
        child.join()
        gate.set()
        print("parent", child.exitcode, held.result())
    """)
    assert (done.returncode, done.stdout) == (0, "child\nparent 0 True\n")


def test_in_this_process_there_is_time():
    assert not interpreter_ends()
