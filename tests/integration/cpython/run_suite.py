"""Runs CPython's executor tests with one of our executors in the place of the library's.

A program of its own, for an interpreter that has CPython's test package: prints one line of
JSON for each test, with its outcome, its seconds, and what went wrong.
"""

import gc
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
import unittest
from types import FrameType
from typing import Any

import stand_ins
import test.test_concurrent_futures as suite

LIMIT = 20.0  # seconds for one test; the longest one that passes takes six
LIMIT_AGAIN = 5.0  # seconds from then on, for whatever it does at its end


class TookTooLong(BaseException):
    """A test has not ended within its limit."""


class HtexMixin(suite.ExecutorMixin):
    """What CPython's tests need to know of an executor."""

    executor_type = stand_ins.Htex

    def get_context(self) -> Any:
        return multiprocessing.get_context("spawn")


FOR_PROCESSES = (
    suite.InitializerMixin,
    suite.FailingInitializerMixin,
    suite.ProcessPoolShutdownTest,
    suite.WaitTests,
    suite.AsCompletedTests,
    suite.ProcessPoolExecutorTest,
    suite.ExecutorDeadlockTest,
)
FOR_THREADS = (
    suite.ThreadPoolInitializerTest,
    suite.ThreadPoolFailingInitializerTest,
    suite.ThreadPoolShutdownTest,
    suite.ThreadPoolWaitTests,
    suite.ThreadPoolAsCompletedTest,
    suite.ThreadPoolExecutorTest,
)


def classes() -> list[type[unittest.TestCase]]:
    if os.environ["LAMINA_STAND_IN"] == "threads":
        suite.ThreadPoolMixin.executor_type = stand_ins.Threads
        return list(FOR_THREADS)
    # The loss of a process has another name with us, and so has a call that cannot be pickled.
    suite.BrokenProcessPool = stand_ins.WorkerLost
    suite.PicklingError = stand_ins.SerializationError
    return [
        type(mixin.__name__, (mixin, HtexMixin, suite.BaseTestCase), {}) for mixin in FOR_PROCESSES
    ]


their_cleanup = suite.threading_helper.threading_cleanup
their_reaping = suite.support.reap_children
theirs = suite.assert_python_ok


def reap_children() -> None:
    """Theirs, once blocks that are being cancelled have ended: who cancels them reaps them."""
    for thread in threading.enumerate():
        if thread.name == "lamina-cancel":
            thread.join(LIMIT_AGAIN)
    their_reaping()


def threading_cleanup(*known: object) -> None:
    """Theirs, but threads that have ended are collected first.

    It keeps the last thread that it finds, and then waits for seconds until that is gone.
    """
    gc.collect()
    their_cleanup(*known)


def assert_python_ok(*args: str, **env: str) -> Any:
    """Theirs, but the program that is run begins with our executors in place as well."""
    *options, program = args
    return theirs(*options, f"import stand_ins\n{program}", **{**os.environ, **env})


class Result(unittest.TestResult):
    """Prints what became of each test."""

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self.outcome, self.why, self.began = "passed", "", time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, LIMIT, LIMIT_AGAIN)

    def stopTest(self, test: unittest.TestCase) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        super().stopTest(test)
        _, name, method = test.id().rsplit(".", 2)
        took = round(time.monotonic() - self.began, 2)
        said = {"name": f"{name}.{method}", "outcome": self.outcome, "took": took, "why": self.why}
        print(json.dumps(said), file=sys.__stdout__, flush=True)

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        self._failed(test, err)

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        self._failed(test, err)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        self.outcome, self.why = "skipped", reason

    def _failed(self, test: unittest.TestCase, err: Any) -> None:
        self.outcome = "failed"
        self.why += self._exc_info_to_string(err, test)


def too_long(number: int, frame: FrameType | None) -> None:
    raise TookTooLong


def main(only: list[str]) -> None:
    suite.assert_python_ok = assert_python_ok
    suite.threading_helper.threading_cleanup = threading_cleanup
    suite.support.reap_children = reap_children
    suite.support.verbose = False  # it would print beside our lines
    signal.signal(signal.SIGALRM, too_long)
    result = Result()
    for one in classes():
        for test in unittest.defaultTestLoader.loadTestsFromTestCase(one):
            if not only or any(part in test.id() for part in only):
                try:
                    test.run(result)
                except TookTooLong:
                    result.outcome, result.why = "failed", "it took too long"
                    result.stopTest(test)
    sys.stdout.flush()
    os._exit(0)  # whatever a failed test has left behind must not be waited for


if __name__ == "__main__":
    main(sys.argv[1:])
