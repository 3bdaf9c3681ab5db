"""Which executor gets a task."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from lamina.vocabulary import Resources

__all__ = ["Candidate", "Router"]


class Candidate(NamedTuple):
    """An executor that the task may go to, and how busy it is."""

    label: str
    outstanding: int
    slots: int
    """Tasks it could run at once now; 0 while no worker has come."""
    resources: frozenset[str]
    """The fields of Resources that it honours."""


class Router(Protocol):
    """**Protocol:** chooses an executor for a task that is ready to run.

    Asked once per attempt, and only where there is a choice: with two candidates or more.
    Calls never overlap, so a router may keep state.
    """

    def choose(
        self, task: str, resources: Resources | None, candidates: Sequence[Candidate]
    ) -> str:
        """The label of one of the candidates. Anything else fails the task."""
        ...
