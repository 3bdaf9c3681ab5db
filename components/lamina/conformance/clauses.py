"""What a kit is made of: clauses, each with an id, that a plug-in keeps or breaks.

A clause is a function of one fresh plug-in. It states one sentence of the Protocol in its
docstring and raises when the plug-in does otherwise. Nothing here knows how tests are run.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from lamina.vocabulary import ConfigError

__all__ = [
    "Clause",
    "ClauseBroken",
    "Kit",
    "KitReport",
    "Verdict",
    "check",
    "clause",
    "expect",
    "run",
]


class ClauseBroken(AssertionError):
    """A plug-in does not do what its Protocol promises."""

    def __init__(self, clause: str, says: str, found: str = "") -> None:
        super().__init__(clause, says, found)
        self.clause, self.says, self.found = clause, says, found

    def __str__(self) -> str:
        found = f"; found: {self.found}" if self.found else ""
        return f"{self.clause or 'a clause'} is broken: {self.says}{found}"


class _Unexpected(AssertionError):
    """An expectation inside a clause did not hold."""


class Clause(NamedTuple):
    """One promise of a Protocol, and the code that tries it."""

    id: str
    since: int
    """The version of the Protocol that first made it."""
    says: str
    attempt: Callable[[Any], None]


class Kit(NamedTuple):
    """All clauses of one Protocol, in the order in which they are tried."""

    name: str
    protocol: str
    version: int
    clauses: Sequence[Clause]


class Verdict(NamedTuple):
    """How one clause went: ``broken`` is None when it was kept."""

    clause: str
    broken: ClauseBroken | None


class KitReport(NamedTuple):
    """How all clauses of a kit went."""

    kit: str
    verdicts: Sequence[Verdict]

    @property
    def kept(self) -> bool:
        """Whether every clause was kept."""
        return not self.broken

    @property
    def broken(self) -> Sequence[ClauseBroken]:
        """Those that were not."""
        return [verdict.broken for verdict in self.verdicts if verdict.broken is not None]

    def __str__(self) -> str:
        lines = [f"{self.kit}: {len(self.verdicts)} clauses, {len(self.broken)} broken"]
        return "\n".join([*lines, *(f"  {one}" for one in self.broken)])


def clause(id: str, *, since: int = 1) -> Callable[[Callable[[Any], None]], Clause]:  # noqa: A002
    """Make a clause of a function whose docstring says what is promised.

    Raises:
        ConfigError: It has no docstring.
    """

    def made(function: Callable[[Any], None]) -> Clause:
        says = (function.__doc__ or "").strip().partition("\n")[0]
        if not says:
            msg = f"clause {id} has no docstring; say in one sentence what is promised"
            raise ConfigError(msg)
        return Clause(id, since, says, function)

    return made


def expect(condition: object, *, else_say: str = "") -> None:
    """State within a clause what must hold; ``else_say`` tells what was found instead."""
    if not condition:
        raise _Unexpected(else_say)


def check(one: Clause, factory: Callable[[], Any]) -> None:
    """Try one clause on a fresh plug-in.

    Raises:
        ClauseBroken: The plug-in does not keep it, or raised what it must not.
    """
    try:
        one.attempt(factory())
    except ClauseBroken:
        raise
    except _Unexpected as error:
        raise ClauseBroken(one.id, one.says, str(error)) from None
    except Exception as error:  # whatever a plug-in does wrong is a broken clause
        found = f"it raised {type(error).__name__}: {error}"
        raise ClauseBroken(one.id, one.says, found) from error


def run(kit: Kit, factory: Callable[[], Any]) -> KitReport:
    """Try every clause, each on a fresh plug-in, and tell how they went."""
    verdicts = []
    for one in kit.clauses:
        try:
            check(one, factory)
        except ClauseBroken as error:
            verdicts.append(Verdict(one.id, error))
        else:
            verdicts.append(Verdict(one.id, None))
    return KitReport(kit.name, verdicts)
