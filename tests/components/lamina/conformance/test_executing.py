from collections.abc import Callable, Collection, Sequence
from typing import Any

import attrs

from lamina.conformance import EXECUTOR
from lamina.executors import (
    AlreadyStartedError,
    Load,
    News,
    NotStartedError,
    Outcome,
    Report,
    Site,
    TaskRequest,
    ThreadPoolExecutor,
)
from lamina.vocabulary import AttemptId, Cause, Failure
from tests.kits import assert_each_clause_can_fail


def lies(about: Callable[[Outcome], Outcome]) -> Callable[[], Any]:
    """An executor whose outcomes are not what happened."""

    class Liar(ThreadPoolExecutor):
        def launch(self, tasks: Sequence[TaskRequest], report: Report) -> None:
            def changed(news: Sequence[News]) -> None:
                report([about(one) if isinstance(one, Outcome) else one for one in news])

            super().launch(tasks, changed)

    return Liar


def blames(cause: Cause) -> Callable[[Outcome], Outcome]:
    def changed(outcome: Outcome) -> Outcome:
        failure: Failure | None = outcome.failure
        return outcome._replace(failure=attrs.evolve(failure, cause=cause) if failure else None)

    return changed


class Swallows(ThreadPoolExecutor):
    def launch(self, tasks: Sequence[TaskRequest], report: Report) -> None:
        try:
            super().launch(tasks, report)
        except NotStartedError:
            pass

    def start(self, site: Site) -> None:
        try:
            super().start(site)
        except AlreadyStartedError:
            pass


class CopiesItself(ThreadPoolExecutor):
    def __copy__(self) -> "CopiesItself":
        return self


class StartsOnce(ThreadPoolExecutor):
    started = False

    def start(self, site: Site) -> None:
        if self.started:
            raise AlreadyStartedError(self.label)
        self.started = True
        super().start(site)


class ForgetsOnClose(ThreadPoolExecutor):
    def close(self, timeout: float | None = None) -> None:
        if timeout is None:
            super().close()


class KnowsNoStrangers(ThreadPoolExecutor):
    def cancel(self, attempts: Collection[AttemptId]) -> None:
        raise KeyError("never heard of it")


class AlwaysIdle(ThreadPoolExecutor):
    def load(self) -> Load:
        return Load(0, 2)


def test_each_clause_can_fail() -> None:
    assert_each_clause_can_fail(
        EXECUTOR,
        {
            "executor.launch.value": lies(lambda one: one._replace(value=0)),
            "executor.launch.exception": lies(blames(Cause.WORKER_LOST)),
            "executor.launch.system_exit": lies(lambda one: one._replace(failure=None)),
            "executor.launch.not_started": Swallows,
            "executor.start.twice": Swallows,
            "executor.copy": CopiesItself,
            "executor.restart": StartsOnce,
            "executor.close.resolves": ForgetsOnClose,
            "executor.cancel": lies(blames(Cause.CLOSED)),
            "executor.cancel.stranger": KnowsNoStrangers,
            "executor.load": AlwaysIdle,
        },
    )
