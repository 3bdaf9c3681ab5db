"""What is asked of a batch system, and what its answers come to."""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from lamina.providers import JobStatus
from lamina.vocabulary import JobId

__all__ = [
    "Accepted",
    "Deferred",
    "Invocation",
    "Listing",
    "NoAnswer",
    "NotKept",
    "Refused",
    "Sighting",
    "SubmitAnswer",
    "says_only",
    "turned_down",
]


class Invocation(NamedTuple):
    """A command to run where the batch system is, and what it reads."""

    command: tuple[str, ...]
    stdin: str = ""

    @property
    def program(self) -> str:
        """What messages call the command: its first word, but not an ``env`` before it."""
        words = iter(self.command)
        return next((word for word in words if word != "env" and not word.startswith("--")), "")


class Accepted(NamedTuple):
    """The batch system took the job and gave it this name."""

    job: JobId


class Refused(NamedTuple):
    """It said no, and would say it again."""

    said: str


class Deferred(NamedTuple):
    """It takes no job now, because of a limit on how many there may be; it may later."""

    said: str


class NoAnswer(NamedTuple):
    """It gave no answer, or one that makes no sense."""

    why: str
    perhaps_taken: bool = False
    """Whether a submission may have been taken nevertheless."""


class NotKept(NamedTuple):
    """It keeps no record of jobs that have ended; there is no sense in asking again soon."""

    why: str


class Sighting(NamedTuple):
    """A job as one answer shows it. The name is empty where the answer does not tell it."""

    status: JobStatus
    name: str = ""
    lingers: bool = False
    """Whether it has ended and stays in the queue until somebody removes it."""


SubmitAnswer: TypeAlias = Accepted | Refused | Deferred | NoAnswer
Listing: TypeAlias = dict[JobId, Sighting]
"""The jobs of one answer. What is not in it was not there."""


def turned_down(
    said: str,
    *,
    not_now: Sequence[str] = (),
    perhaps: Sequence[str] = (),
    later: Sequence[str] = (),
) -> Refused | Deferred | NoAnswer:
    """What a submission that failed with these words comes to.

    Some words tell that the batch system could not be asked, after those of ``perhaps`` it may
    have the job all the same; and ``later`` are those of one that may be taken later.
    """
    unclear = any(words in said for words in perhaps)
    if unclear or any(words in said for words in not_now):
        return NoAnswer(said, unclear)
    return Deferred(said) if any(words in said for words in later) else Refused(said)


def says_only(said: str, words: Sequence[str]) -> bool:
    """Whether something is said, and each line of it has some of these words."""
    lines = [line for line in said.splitlines() if line.strip()]
    return bool(lines) and all(any(one in line for one in words) for line in lines)
