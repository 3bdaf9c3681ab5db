"""An executor that a test drives by hand."""

from collections.abc import Collection, Sequence
from typing import Any

from lamina.executors import (
    AlreadyStartedError,
    Call,
    Capabilities,
    Load,
    Outcome,
    Report,
    Site,
    Started,
    TaskRequest,
)
from lamina.vocabulary import AttemptId, Cause, ClosedError, Failure, HasStarted

__all__ = ["HandExecutor"]


class HandExecutor:
    """Takes attempts and does nothing until the test says so; on ``close`` it fails the rest."""

    def __init__(self, label: str = "hand", slots: int = 1) -> None:
        self.label, self.slots = label, slots
        self.held: dict[AttemptId, tuple[TaskRequest, Report]] = {}
        self.launched: list[TaskRequest] = []
        self.cancelled: list[AttemptId] = []
        self.starts = 0
        self.running = False
        self.refuses: Exception | None = None

    def __copy__(self) -> "HandExecutor":
        return HandExecutor(self.label, self.slots)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            stops_running_tasks=True, own_processes=False, resources=frozenset({"cores"})
        )

    def start(self, site: Site) -> None:
        if self.running:
            raise AlreadyStartedError(self.label)
        self.running = True
        self.starts += 1

    def launch(self, tasks: Sequence[TaskRequest], report: Report) -> None:
        if self.refuses is not None:
            raise self.refuses
        for task in tasks:
            self.launched.append(task)
            self.held[task.attempt] = (task, report)

    def cancel(self, attempts: Collection[AttemptId]) -> None:
        self.cancelled.extend(attempts)

    def load(self) -> Load:
        return Load(len(self.held), self.slots)

    def close(self, timeout: float | None = None) -> None:
        self.running = False
        for attempt in list(self.held):
            error = ClosedError("the executor was closed")
            self.fail(error, Cause.CLOSED, HasStarted.UNKNOWN, attempt=attempt)

    def _oldest(self, attempt: AttemptId | None) -> AttemptId:
        return next(iter(self.held)) if attempt is None else attempt

    def begin(self, attempt: AttemptId | None = None) -> None:
        """Say that the oldest attempt runs."""
        chosen = self._oldest(attempt)
        self.held[chosen][1]([Started(chosen, 0.0)])

    def run(self, attempt: AttemptId | None = None) -> None:
        """Run the oldest attempt here and now, and report its result."""
        chosen = self._oldest(attempt)
        task, report = self.held.pop(chosen)
        call = task.call
        assert isinstance(call, Call)
        try:
            outcome = Outcome(chosen, call.function(*call.args, **call.kwargs))
        except Exception as error:
            failure = Failure(cause=Cause.APPLICATION, error=error, started=HasStarted.YES)
            outcome = Outcome(chosen, failure=failure)
        report([outcome])

    def run_all(self) -> None:
        """Run what is there, and what comes of it."""
        while self.held:
            self.run()

    def succeed(self, value: Any) -> None:
        """Report a value for the oldest attempt without running it."""
        chosen = self._oldest(None)
        self.held.pop(chosen)[1]([Outcome(chosen, value)])

    def fail(
        self,
        error: BaseException,
        cause: Cause = Cause.WORKER_LOST,
        started: HasStarted = HasStarted.YES,
        attempt: AttemptId | None = None,
    ) -> None:
        """Report a failure of the oldest attempt."""
        chosen = self._oldest(attempt)
        _, report = self.held.pop(chosen)
        report([Outcome(chosen, failure=Failure(cause=cause, error=error, started=started))])
