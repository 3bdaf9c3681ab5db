"""What really happened to every attempt, and what must never be said or done about it."""

from typing import TYPE_CHECKING, Any

from lamina.htex_core import RAISED, UNDONE, UNSENT, VALUE, Deliver, Ended, Ran
from tests.simulation.clockwork import Process, Violation

if TYPE_CHECKING:
    from tests.simulation.workers import Worker

SMALL = 2.0  # cores that every node has
FIRST = 10**9  # attempts are numbered from here, so that they are found wherever they are left


class Attempt:
    """One attempt and its fate, decided when it is submitted."""

    __slots__ = (
        "cancelled",
        "claimed_by",
        "digest",
        "fate",
        "granted",
        "had_by",
        "manager",
        "number",
        "options",
        "produced",
        "resolved",
        "said",
        "takes",
    )

    def __init__(
        self, number: int, digest: bytes | None, options: dict[str, Any] | None, fate: str,
        takes: float,
    ) -> None:  # fmt: skip
        self.number, self.digest, self.options = number, digest, options
        self.fate, self.takes = fate, takes
        self.cancelled = False
        self.granted = False
        self.had_by: Process | None = None
        """The manager that has it."""
        self.manager: Process | None = None
        """The last one that had it."""
        self.claimed_by: Worker | None = None
        self.produced: list[Any] | None = None
        """Code and buffers, as the worker sent them."""
        self.resolved: str | None = None
        self.said = False
        """Whether its manager has said that it runs."""

    @property
    def wire(self) -> list[Any]:
        return [self.number, self.digest, [b"call of %d" % self.number], self.options]


class Truth:
    """All attempts of one world."""

    def __init__(self) -> None:
        self.attempts: dict[int, Attempt] = {}
        self.alive: dict[int, Attempt] = {}
        self.outcomes: dict[str, int] = {}
        self.starts = 0
        self.said_too_early = 0

    def new(self, **facts: Any) -> Attempt:
        attempt = Attempt(FIRST + len(self.attempts), **facts)
        self.attempts[attempt.number] = self.alive[attempt.number] = attempt
        return attempt

    # On the way down.

    def granted(self, number: int) -> None:
        """The client has sent it to the interchange."""
        attempt = self._of(number)
        if attempt.resolved is not None:
            raise Violation(f"{number} was granted after it was resolved as {attempt.resolved}")
        if attempt.claimed_by is not None:
            raise Violation(f"{number} was granted again although it has started")
        if attempt.had_by is not None and attempt.had_by.alive:
            raise Violation(f"{number} was granted again while {attempt.had_by.name} has it")
        attempt.granted = True

    def arrived(self, number: int, manager: Process) -> None:
        """A manager has it."""
        attempt = self._of(number)
        if attempt.had_by is not None and attempt.had_by.alive:
            raise Violation(
                f"{number} was given to {manager.name} while {attempt.had_by.name} has it"
            )
        attempt.had_by = attempt.manager = manager

    def given_back(self, number: int, manager: Process) -> None:
        """A manager says that it has it no more and did not start it."""
        attempt = self._of(number)
        if attempt.had_by is not manager:
            raise Violation(f"{manager.name} gave back {number}, which it does not have")
        if attempt.claimed_by is not None:
            raise Violation(f"{manager.name} gave back {number}, which had started")
        attempt.had_by = None

    def given(self, number: int, manager: Process) -> None:
        """A manager has given it to a worker."""
        attempt = self._of(number)
        if attempt.had_by is not manager:
            raise Violation(f"{manager.name} gave out {number}, which it does not have")
        if attempt.claimed_by is not None:
            raise Violation(f"{manager.name} gave out {number} again although it has started")

    def finished(self, outcomes: list[Any], manager: Process) -> None:
        """A manager says how these ended, for the first time or again."""
        for outcome in outcomes:
            attempt = self._of(outcome[0])
            if attempt.claimed_by is None and not self._refused(attempt, outcome):
                raise Violation(f"{manager.name} says how {outcome[0]} ended, which never started")
            attempt.had_by = None

    def drained(self, manager: Process) -> None:
        """A manager leaves and says that nothing goes with it."""
        for attempt in self.alive.values():
            if attempt.had_by is manager:
                raise Violation(f"{manager.name} is drained, and has {attempt.number}")
            worker = attempt.claimed_by
            if worker is not None and worker.manager is manager:
                raise Violation(f"{manager.name} is drained, and {attempt.number} is unresolved")

    def _refused(self, attempt: Attempt, outcome: list[Any]) -> bool:
        """Whether a manager has refused what it can never bind."""
        facts = outcome[5] or {}
        wanted = (attempt.options or {}).get("resources", {}).get("cores", 0.0)
        return facts.get("cause") == "resources" and wanted > SMALL

    def claimed(self, number: int, worker: "Worker") -> None:
        """A worker has taken a claim for it: from here on it has started."""
        attempt = self._of(number)
        if attempt.claimed_by is not None:
            raise Violation(f"{number} starts twice: {attempt.claimed_by.name}, {worker.name}")
        if attempt.resolved is not None and attempt.resolved.endswith(":no"):
            raise Violation(f"{number} starts although it was resolved as {attempt.resolved}")
        attempt.claimed_by = worker
        self.starts += 1

    def produced(self, number: int, code: int, buffers: list[bytes]) -> None:
        """A worker has sent an outcome."""
        self._of(number).produced = [code, buffers]

    # On the way up.

    def delivered(self, effect: Deliver) -> None:
        for number, code, buffers, _, _, facts in effect.outcomes:
            attempt = self._of(number)
            if code in (VALUE, RAISED, UNSENT):
                if attempt.produced != [code, buffers]:
                    raise Violation(f"{number} was delivered as what no worker has produced")
                self._resolve(attempt, "told")
                continue
            if code != UNDONE:
                raise Violation(f"{number} has the unknown code {code}")
            if attempt.produced is not None:
                raise Violation(f"{number} was produced, and then undone: {facts}")
            if not self._refused(attempt, [number, code, [], 0, 0, facts]):
                self._explained(attempt, facts["cause"])
            self._resolve(attempt, facts["cause"], facts["started"])

    def ended(self, effect: Ended) -> None:
        for number in effect.attempts:
            attempt = self._of(number)
            if effect.cause == "cancelled" and not attempt.cancelled:
                raise Violation(f"{number} ended as cancelled, and nobody had cancelled it")
            if effect.cause == "node_lost" and not attempt.granted:
                raise Violation(f"{number} ended as node lost, and had never left the client")
            self._resolve(attempt, effect.cause, effect.started)

    def ran(self, effect: Ran) -> None:
        for number, _ in effect.marks:
            attempt = self._of(number)
            attempt.said = True
            if attempt.claimed_by is None:
                # Its worker was stopped between being given it and claiming it: a known limit.
                if attempt.manager is None or not attempt.manager.host.gapped:
                    raise Violation(f"{number} is said to have started, and has not")
                self.said_too_early += 1

    def _explained(self, attempt: Attempt, cause: str) -> None:
        worker = attempt.claimed_by
        if worker is None or worker.alive:
            raise Violation(f"{attempt.number} is said to have died with a worker, and did not")
        if cause == "cancelled" and not attempt.cancelled:
            raise Violation(f"{attempt.number} was cancelled, and nobody had asked for it")
        if cause == "out_of_memory" and attempt.fate != "gluts":
            raise Violation(f"{attempt.number} is said to have used too much memory, and has not")
        if cause == "task_walltime" and not (attempt.options and "walltime" in attempt.options):
            raise Violation(f"{attempt.number} exceeded a walltime that it does not have")

    def _resolve(self, attempt: Attempt, how: str, started: str = "yes") -> None:
        if attempt.resolved is not None:
            raise Violation(f"{attempt.number} is resolved twice: {attempt.resolved}, {how}")
        has = attempt.claimed_by is not None
        if (started == "yes" and not has and not attempt.said) or (started == "no" and has):
            raise Violation(f"{attempt.number} ended as {how}, started={started}: that is untrue")
        attempt.resolved = f"{how}:{started}"
        del self.alive[attempt.number]
        self.outcomes[attempt.resolved] = self.outcomes.get(attempt.resolved, 0) + 1

    def _of(self, number: int) -> Attempt:
        attempt = self.attempts.get(number)
        if attempt is None:
            raise Violation(f"{number} is no attempt of ours")
        return attempt
