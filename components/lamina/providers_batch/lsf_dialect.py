"""The dialect of LSF: bsub, bjobs, bkill.

``bjobs -a`` shows jobs that have ended for a while (``CLEAN_PERIOD``, an hour by default).
"""

import re
from collections.abc import Collection, Hashable, Sequence
from pathlib import Path

import attrs

from lamina.channels import Completed
from lamina.providers import JobState, JobStatus
from lamina.providers_batch.answers import (
    Accepted,
    Invocation,
    Listing,
    NoAnswer,
    Sighting,
    SubmitAnswer,
    says_only,
    turned_down,
)
from lamina.providers_batch.dialect import BatchJob
from lamina.providers_batch.scripts import directive, opening_output, short_name, written
from lamina.vocabulary import JobId, exit_in_words

__all__ = ["LsfDialect", "lsf_directives"]

LONGEST_NAME = 64  # characters
_ANSWER = re.compile(r"Job <(\d+)> is submitted")
_NONE = ("No job found", "No unfinished job found", "No matching job found", "is not found")
_GONE = (*_NONE, "already finished")
_NOT_NOW = (
    "LSF is down",
    "Cannot connect to LSF",
    "Failed in an LSF library call",
    "Please wait",
    "mbatchd is not",
)
# What is said where a limit on the number of jobs is reached.
_LATER = ("ending job threshold",)
_FORMAT = 'jobid stat exit_code exit_reason job_name delimiter="|"'
_FIELDS = 5

STATES = {
    "PEND": (JobState.PENDING, "it waits for its turn"),
    "PROV": (JobState.PENDING, "its host is being started"),
    "PSUSP": (JobState.HELD, "it was suspended while it waited"),
    "RUN": (JobState.RUNNING, ""),
    "SSUSP": (JobState.SUSPENDED, "LSF has suspended it"),
    "UNKWN": (JobState.UNKNOWN, "LSF has lost contact with its host"),
    "USUSP": (JobState.SUSPENDED, "a user has suspended it"),
    "WAIT": (JobState.PENDING, "it is part of a chunk and waits"),
}
KILLED = {
    "TERM_ADMIN": JobState.CANCELLED,
    "TERM_FORCE_ADMIN": JobState.CANCELLED,
    "TERM_FORCE_OWNER": JobState.CANCELLED,
    "TERM_MEMLIMIT": JobState.OUT_OF_MEMORY,
    "TERM_OWNER": JobState.CANCELLED,
    "TERM_PREEMPT": JobState.PREEMPTED,
    "TERM_REMOVE_HUNG_JOB": JobState.NODE_FAIL,
    "TERM_REQUEUE_OWNER": JobState.PENDING,
    "TERM_RUNLIMIT": JobState.TIMEOUT,
}


def lsf_directives(
    *, project: str | None, queue: str | None, walltime: float | None, resources: str
) -> tuple[str, ...]:
    """The ``#BSUB`` lines of a provider's options; times in seconds."""
    lines = [f"#BSUB {resources}"]
    if walltime is not None:
        minutes = -int(-walltime // 60)
        lines.append(f"#BSUB -W {minutes // 60:02d}:{minutes % 60:02d}")
    if queue is not None:
        lines.append(f"#BSUB -q {directive(queue)}")
    if project is not None:
        lines.append(f"#BSUB -P {directive(project)}")
    return tuple(lines)


@attrs.frozen(kw_only=True)
class LsfDialect:
    """LSF."""

    directives: tuple[str, ...] = ()
    scheduler_options: str = ""

    @property
    def name(self) -> str:
        """What messages call it."""
        return "LSF"

    @property
    def kinship(self) -> Hashable:
        """One query for all."""
        return None

    def job_name(self, wanted: str, token: str) -> str:
        """A name without brackets, which would make an array of it."""
        return short_name(wanted, token, LONGEST_NAME)

    def script(self, job: BatchJob) -> str:
        """The submit script of a block.

        It opens its own output: in a path LSF would replace words.
        """
        lines = (
            "#BSUB -L /bin/bash",
            f"#BSUB -J {job.name}",
            "#BSUB -o /dev/null",
            *self.directives,
        )
        return written(lines, self.scheduler_options, opening_output(job))

    def submit(self, script: str, path: Path) -> Invocation:
        """Bsub reads directives from stdin only."""
        return Invocation(("bsub",), script)

    def read_submit(self, done: Completed) -> SubmitAnswer:
        """The answer ``Job <id> is submitted to queue <name>``."""
        said = done.stderr.strip() or done.stdout.strip()
        if done.status != 0:
            return turned_down(said, not_now=_NOT_NOW, later=_LATER)
        match = _ANSWER.search(done.stdout)
        if match is None:
            return NoAnswer(f"bsub has printed no job id: {done.stdout.strip()!r}", True)
        return Accepted(JobId(match[1]))

    def list_jobs(self, jobs: Collection[JobId]) -> Invocation:
        """All jobs of this user."""
        return Invocation(("bjobs", "-a", "-noheader", "-o", _FORMAT))

    def read_list(self, done: Completed) -> Listing | NoAnswer:
        """Lines of id, state, exit code, reason and name; a dash where there is nothing."""
        said = done.stderr.strip()
        if any(words in said for words in _NONE) and not done.stdout.strip():
            return {}
        if done.status != 0 or (said and not done.stdout.strip()):
            return NoAnswer(said or f"bjobs: {exit_in_words(done.status)}")
        found: Listing = {}
        for line in done.stdout.splitlines():
            parts = [part.strip() for part in line.split("|", _FIELDS - 1)]
            if len(parts) != _FIELDS or not parts[0].isdigit():
                return NoAnswer(f"bjobs has printed a line that makes no sense: {line!r}")
            number, state, code, reason, name = parts
            found[JobId(number)] = Sighting(_status(state, code, reason), name)
        return found

    def look_up(self, jobs: Sequence[JobId]) -> Sequence[Invocation]:
        """There is no second source that is cheap."""
        return ()

    def read_look_up(self, done: Completed) -> Listing:
        """Nobody asks."""
        return {}

    def cancel(self, jobs: Sequence[JobId]) -> Sequence[Invocation]:
        """One command."""
        return [Invocation(("bkill", *jobs))]

    def read_cancel(self, done: Completed) -> NoAnswer | None:
        """Jobs that have ended, or that nobody knows, are no failure."""
        said = done.stderr.strip()
        if done.status == 0 or says_only(said, _GONE):
            return None
        return NoAnswer(said or f"bkill: {exit_in_words(done.status)}")


def _status(state: str, code: str, reason: str) -> JobStatus:
    if state in STATES:
        known, why = STATES[state]
        return JobStatus(state=known, reason=why)
    if state == "DONE":
        return JobStatus(state=JobState.COMPLETED, reason=exit_in_words(0), exit_code=0)
    number = int(code) if code.isdigit() else None
    if state == "ZOMBI":
        reason = "it was killed while its host could not be reached"
        return JobStatus(state=JobState.NODE_FAIL, reason=reason)
    if state != "EXIT":
        return JobStatus(state=JobState.UNKNOWN, reason=f"LSF says {state!r}")
    word = reason.partition(":")[0].strip()
    if word in KILLED:
        return JobStatus(state=KILLED[word], reason=f"LSF says {reason!r}")
    how = "it failed" if number is None else exit_in_words(number)
    return JobStatus(state=JobState.FAILED, reason=how, exit_code=number)
