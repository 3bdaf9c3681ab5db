"""The dialect of Flux: flux batch, flux jobs, flux cancel.

``flux jobs -a`` shows jobs that have ended, too, until the instance purges them.
"""

import re
import shlex
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
from lamina.providers_batch.scripts import opening_output, short_name, written
from lamina.vocabulary import JobId, exit_in_words

__all__ = ["FluxDialect", "flux_directives"]

LONGEST_NAME = 64  # characters; Flux has no limit, people who read lists have
MOST_JOBS = 10_000  # in one answer; without it, Flux shows a thousand
# Job ids are written in base 58 after an f, which Flux shows with a hook where the locale has it.
_HOOKED = "ƒ"
_ID = re.compile(r"f[1-9A-HJ-NP-Za-km-z]+")
_FORMAT = "{id.f58}|{status}|{urgency}|{returncode}|{exception.type}|{name}"
_FIELDS = 6
_NOT_NOW = (
    "nable to connect to Flux",
    "Connection refused",
    "Connection reset",
    "Connection timed out",
    "Function not implemented",  # while the instance starts or stops
    "Host is unreachable",
)
_GONE = ("unknown job id", "inactive", "No such file or directory")
_HELD = "0"  # the urgency of a job that is not to run

STATES = {
    "CLEANUP": (JobState.COMPLETING, "it is ending"),
    "DEPEND": (JobState.PENDING, "it waits for another job"),
    "NEW": (JobState.PENDING, "it has just been submitted"),
    "PENDING": (JobState.PENDING, "it waits for its turn"),
    "PRIORITY": (JobState.PENDING, "it waits for its priority"),
    "RUN": (JobState.RUNNING, ""),
    "RUNNING": (JobState.RUNNING, ""),
    "SCHED": (JobState.PENDING, "it waits for its turn"),
}
ENDS = {
    "CANCELED": (JobState.CANCELLED, "it was cancelled"),
    "TIMEOUT": (JobState.TIMEOUT, "it reached its walltime"),
}


def flux_directives(
    *,
    nodes: int,
    cores: int | None,
    gpus: int | None,
    exclusive: bool,
    walltime: float | None,
    queue: str | None,
) -> tuple[str, ...]:
    """The ``# flux:`` lines of a provider's options: one slot on each node; times in seconds."""
    lines = [f"# flux: --nodes={nodes} --nslots={nodes}"]
    if cores is not None:
        lines.append(f"# flux: --cores-per-slot={cores}")
    if gpus is not None:
        lines.append(f"# flux: --gpus-per-slot={gpus}")
    if exclusive:
        lines.append("# flux: --exclusive")
    if walltime is not None:
        lines.append(f"# flux: --time-limit={walltime:g}s")
    if queue is not None:
        lines.append(f"# flux: --queue={shlex.quote(queue)}")
    return tuple(lines)


@attrs.frozen(kw_only=True)
class FluxDialect:
    """Flux."""

    directives: tuple[str, ...] = ()
    scheduler_options: str = ""

    @property
    def name(self) -> str:
        """What messages call it."""
        return "Flux"

    @property
    def kinship(self) -> Hashable:
        """One query for all."""
        return None

    def job_name(self, wanted: str, token: str) -> str:
        """A short name."""
        return short_name(wanted, token, LONGEST_NAME)

    def script(self, job: BatchJob) -> str:
        """The submit script of a block.

        It opens its own output: in a path, Flux would replace what is in double braces.
        """
        lines = (
            *self.directives,
            f"# flux: --job-name={job.name}",
            "# flux: --output=/dev/null --error=/dev/null",
        )
        return written(lines, self.scheduler_options, opening_output(job))

    def submit(self, script: str, path: Path) -> Invocation:
        """The script is a file; Flux keeps a copy."""
        return Invocation(("flux", "batch", str(path)))

    def read_submit(self, done: Completed) -> SubmitAnswer:
        """The answer is the job's id on a line of its own."""
        said = done.stderr.strip() or done.stdout.strip()
        if done.status != 0:
            return turned_down(said, not_now=_NOT_NOW)
        lines = done.stdout.split()
        job = _plain(lines[-1]) if lines else ""
        if not _ID.fullmatch(job):
            return NoAnswer(f"flux batch has printed no job id: {done.stdout.strip()!r}", True)
        return Accepted(JobId(job))

    def list_jobs(self, jobs: Collection[JobId]) -> Invocation:
        """All jobs of this user."""
        words = ("flux", "jobs", "-a", "-n", "-c", str(MOST_JOBS), "-o", _FORMAT)
        return Invocation(words)

    def read_list(self, done: Completed) -> Listing | NoAnswer:
        """Lines of id, status, urgency, return code, exception and name."""
        if done.status != 0:
            return NoAnswer(done.stderr.strip() or f"flux jobs: {exit_in_words(done.status)}")
        found: Listing = {}
        for line in done.stdout.splitlines():
            parts = [part.strip() for part in line.split("|", _FIELDS - 1)]
            job = _plain(parts[0])
            if len(parts) != _FIELDS or not _ID.fullmatch(job):
                return NoAnswer(f"flux jobs has printed a line that makes no sense: {line!r}")
            _, status, urgency, code, exception, name = parts
            found[JobId(job)] = Sighting(_status(status, urgency, code, exception), name)
        return found

    def look_up(self, jobs: Sequence[JobId]) -> Sequence[Invocation]:
        """There is no second source."""
        return ()

    def read_look_up(self, done: Completed) -> Listing:
        """Nobody asks."""
        return {}

    def cancel(self, jobs: Sequence[JobId]) -> Sequence[Invocation]:
        """One command."""
        return [Invocation(("flux", "cancel", *jobs))]

    def read_cancel(self, done: Completed) -> NoAnswer | None:
        """Jobs that have ended, or that nobody knows, are no failure."""
        said = done.stderr.strip()
        silent = any(words in said for words in _NOT_NOW)
        if done.status == 0 or (says_only(said, _GONE) and not silent):
            return None
        return NoAnswer(said or f"flux cancel: {exit_in_words(done.status)}")


def _plain(job: str) -> str:
    return "f" + job[1:] if job.startswith(_HOOKED) else job


def _status(word: str, urgency: str, code: str, exception: str) -> JobStatus:
    if word in STATES:
        state, reason = STATES[word]
        if state is JobState.PENDING and urgency == _HELD:
            return JobStatus(state=JobState.HELD, reason="its urgency is 0: somebody holds it")
        return JobStatus(state=state, reason=reason)
    if word == "COMPLETED":
        return JobStatus(state=JobState.COMPLETED, reason=exit_in_words(0), exit_code=0)
    if word in ENDS:
        state, reason = ENDS[word]
        return JobStatus(state=state, reason=reason)
    if word != "FAILED":
        return JobStatus(state=JobState.UNKNOWN, reason=f"Flux says {word!r}")
    number = int(code) if code.lstrip("-").isdecimal() else None
    how = "it failed" if number is None else exit_in_words(number)
    if exception:
        how += f" (exception {exception})"
    return JobStatus(state=JobState.FAILED, reason=how, exit_code=number)
