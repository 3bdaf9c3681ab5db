"""How one kind of batch system is spoken to: the questions, and the reading of the answers."""

from collections.abc import Collection, Hashable, Sequence
from pathlib import Path
from typing import Protocol

import attrs

from lamina.channels import Completed
from lamina.providers_batch.answers import (
    Invocation,
    Listing,
    NoAnswer,
    NotKept,
    SubmitAnswer,
)
from lamina.vocabulary import JobId

__all__ = ["BatchJob", "Dialect"]


@attrs.frozen(kw_only=True)
class BatchJob:
    """One block as its submit script needs it."""

    name: str
    nodes: int
    launched: str
    """The block's command, wrapped by the launcher; for bash."""
    worker_init: str
    stdout: Path
    stderr: Path
    exit_code: Path
    """Where the script leaves its exit status."""


class Dialect(Protocol):
    """**Protocol:** one kind of command-line scheduler, as pure questions and answers.

    It runs nothing and remembers nothing: the same arguments give the same result.
    """

    @property
    def name(self) -> str:
        """What messages call the batch system."""
        ...

    @property
    def kinship(self) -> Hashable:
        """Dialects that are equal in this share one status query."""
        ...

    def job_name(self, wanted: str, token: str) -> str:
        """A name that the batch system accepts and that holds the token, which is unique."""
        ...

    def script(self, job: BatchJob) -> str:
        """The submit script of a block."""
        ...

    def submit(self, script: str, path: Path) -> Invocation:
        """The command that submits this script, which also lies at ``path`` where it is run."""
        ...

    def read_submit(self, done: Completed) -> SubmitAnswer:
        """What came of a submission."""
        ...

    def list_jobs(self, jobs: Collection[JobId]) -> Invocation | None:
        """The one query for all jobs of this user, at least these; asked each interval.

        None where there are none of these, and the others cannot be asked about.
        """
        ...

    def read_list(self, done: Completed) -> Listing | NoAnswer:
        """The jobs that the queue knows."""
        ...

    def look_up(self, jobs: Sequence[JobId]) -> Sequence[Invocation]:
        """Questions to a second source about jobs that left the queue; none if there is none."""
        ...

    def read_look_up(self, done: Completed) -> Listing | NoAnswer | NotKept:
        """What the second source knows."""
        ...

    def cancel(self, jobs: Sequence[JobId]) -> Sequence[Invocation]:
        """The commands that end these jobs."""
        ...

    def read_cancel(self, done: Completed) -> NoAnswer | None:
        """None where it was heard; jobs that have ended already are no failure."""
        ...
