"""The dialects of PBS Pro (and OpenPBS) and of Torque: qsub, qstat, qdel.

Both print a job with ``qstat -f`` as lines ``key = value``. PBS Pro keeps jobs that have ended
in its history (``-x``), Torque for a while (``keep_completed``); neither has another record.
"""

import re
from collections.abc import Collection, Hashable, Iterator, Sequence
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
from lamina.providers_batch.scripts import clock, directive, opening_output, short_name, written
from lamina.vocabulary import ConfigError, JobId, exit_in_words, read_seconds

__all__ = ["PbsDialect", "pbs_directives"]

LONGEST_NAME = 15  # characters; newer PBS takes more, Torque does not
BY_SIGNAL = 256  # exit statuses above this are a signal
KILLED_FOR_TIME = (-29, -11)  # PBS Pro's, Torque's
KILLED_FOR_MEMORY = (-27, -10)
_ID = re.compile(r"\d+(\[\])?\S*")
UNKNOWN_JOB = 153  # exit status of qstat: 15001, of which a status keeps the last eight bits
_HEADING = "Job Id:"
_BY_TABS = re.compile(r"^Job Id:.*\n\t", re.MULTILINE)  # so write the wrappers for Slurm
_GONE = ("Unknown Job Id", "Job has finished", "invalid state for job", "Request invalid for state")
_NOT_NOW = (
    "cannot connect to server",
    "Connection refused",
    "No Permission to connect",
    "Unable to contact",
)
# What is said where a limit on the number of jobs is reached.
_LATER = ("Maximum number of jobs already in", "would exceed")
_PERHAPS = ("Connection timed out", "End of File", "Premature end of message")

STATES = {
    "B": (JobState.RUNNING, "it has begun"),
    "E": (JobState.COMPLETING, "it is ending"),
    "H": (JobState.HELD, "it is held"),
    "Q": (JobState.PENDING, "it waits for its turn"),
    "R": (JobState.RUNNING, ""),
    "S": (JobState.SUSPENDED, "it is suspended"),
    "T": (JobState.PENDING, "it is on its way to its nodes"),
    "U": (JobState.SUSPENDED, "the user of its node is there"),
    "W": (JobState.PENDING, "it may not start yet"),
}
ENDED = ("C", "F", "X")


def pbs_directives(
    *, account: str | None, queue: str | None, walltime: float | None, resources: str
) -> tuple[str, ...]:
    """The ``#PBS`` lines of a provider's options; times in seconds."""
    lines = [f"#PBS -l {resources}"]
    if walltime is not None:
        lines.append(f"#PBS -l walltime={clock(walltime)}")
    if queue is not None:
        lines.append(f"#PBS -q {directive(queue)}")
    if account is not None:
        lines.append(f"#PBS -A {directive(account)}")
    return tuple(lines)


@attrs.frozen(kw_only=True)
class PbsDialect:
    """PBS Pro with ``history``, Torque without."""

    history: bool
    directives: tuple[str, ...] = ()
    scheduler_options: str = ""

    @property
    def name(self) -> str:
        """What messages call it."""
        return "PBS Pro" if self.history else "Torque"

    @property
    def kinship(self) -> Hashable:
        """One query for all."""
        return self.history

    def job_name(self, wanted: str, token: str) -> str:
        """A short name that begins with a letter."""
        return short_name(wanted, token, LONGEST_NAME)

    def script(self, job: BatchJob) -> str:
        """The submit script of a block.

        It opens its own output: PBS would bring it only at the end, and split a path at a colon.
        """
        lines = (
            "#PBS -S /bin/bash",
            f"#PBS -N {job.name}",
            "#PBS -m n",
            *self.directives,
        )
        there = 'cd "${PBS_O_WORKDIR:-.}"'
        return written(lines, self.scheduler_options, opening_output(job, there))

    def submit(self, script: str, path: Path) -> Invocation:
        """The script is named: qsub reads it from stdin too, but its wrappers for Slurm do not.

        Nor do these heed where the script says that its output should go.
        """
        return Invocation(("qsub", "-j", "oe", "-o", "/dev/null", str(path)))

    def read_submit(self, done: Completed) -> SubmitAnswer:
        """The id, with the name of the server."""
        said = done.stderr.strip() or done.stdout.strip()
        if done.status != 0:
            return turned_down(said, not_now=_NOT_NOW, perhaps=_PERHAPS, later=_LATER)
        found = done.stdout.strip().rpartition("\n")[2].strip()
        if not _ID.fullmatch(found):
            return NoAnswer(f"qsub has printed no job id: {done.stdout.strip()!r}", True)
        return Accepted(JobId(found))

    def list_jobs(self, jobs: Collection[JobId]) -> Invocation | None:
        """These jobs only: without ids qstat would print those of everybody."""
        if not jobs:
            return None
        history = ("-x",) if self.history else ()
        return Invocation(("qstat", *history, "-f", *jobs))

    def read_list(self, done: Completed) -> Listing | NoAnswer:
        """Jobs that are not known are told on stderr, beside those that are.

        A job that has run, and of whose end nothing is told, is left out: its script knows.
        """
        said = done.stderr.strip()
        unknown = not said and done.status == UNKNOWN_JOB
        if done.status != 0 and not unknown and not says_only(said, _GONE):
            return NoAnswer(said or f"qstat: {exit_in_words(done.status)}")
        found: Listing = {}
        silent = False
        for job, facts in _jobs(done.stdout):
            if "job_state" not in facts:
                return NoAnswer(f"qstat has printed job {job} without a state")
            if facts["job_state"] in ENDED and "exec_host" in facts and "exit_status" not in facts:
                silent = True
                continue
            found[job] = Sighting(_status(facts), facts.get("job_name", ""))
        if not found and done.status == 0 and not silent:
            return NoAnswer(f"qstat has printed no job: {done.stdout.strip()!r}")
        return found

    def look_up(self, jobs: Sequence[JobId]) -> Sequence[Invocation]:
        """There is no second source."""
        return ()

    def read_look_up(self, done: Completed) -> Listing:
        """Nobody asks."""
        return {}

    def cancel(self, jobs: Sequence[JobId]) -> Sequence[Invocation]:
        """One command."""
        return [Invocation(("qdel", *jobs))]

    def read_cancel(self, done: Completed) -> NoAnswer | None:
        """Jobs that have ended, or that nobody knows, are no failure."""
        said = f"{done.stderr}\n{done.stdout}".strip()
        # Torque's wrappers for Slurm say nothing of such jobs, and something of all else.
        silent = not said and not self.history and done.status > 0
        if done.status == 0 or silent or says_only(said, _GONE):
            return None
        return NoAnswer(said or f"qdel: {exit_in_words(done.status)}")


def _jobs(text: str) -> Iterator[tuple[JobId, dict[str, str]]]:
    """Each job and its facts, under lower-case names; a value may go on behind a tab."""
    job, key = None, ""
    facts: dict[str, str] = {}
    tabs = _BY_TABS.search(text) is not None
    for line in text.splitlines():
        if line.startswith(_HEADING):
            if job is not None:
                yield job, facts
            job, key, facts = JobId(line.removeprefix(_HEADING).strip()), "", {}
        elif line.startswith("\t") and key and not tabs:
            facts[key] += line.strip()
        elif " = " in line:
            key, _, value = line.strip().partition(" = ")
            key = key.lower()
            facts[key] = value
    if job is not None:
        yield job, facts


def _status(facts: dict[str, str]) -> JobStatus:
    state, comment = facts["job_state"].strip(), facts.get("comment", "").strip()
    if state in STATES:
        known, reason = STATES[state]
        waits = known in (JobState.PENDING, JobState.HELD)
        return JobStatus(state=known, reason=comment if waits and comment else reason)
    if state not in ENDED:
        return JobStatus(state=JobState.UNKNOWN, reason=f"qstat says {state!r}")
    try:
        code = int(facts.get("exit_status", ""))
    except ValueError:  # it has never run
        reason = comment or "it was deleted before it ran"
        return JobStatus(state=JobState.CANCELLED, reason=reason)
    if code == 0:
        return JobStatus(state=JobState.COMPLETED, reason=exit_in_words(0), exit_code=0)
    if code in KILLED_FOR_TIME or (code > BY_SIGNAL and _out_of_time(facts)):
        return JobStatus(state=JobState.TIMEOUT, reason="it reached its walltime")
    if code in KILLED_FOR_MEMORY:
        reason = "it used more memory than it had asked for"
        return JobStatus(state=JobState.OUT_OF_MEMORY, reason=reason)
    if code > BY_SIGNAL:
        reason = f"it was {exit_in_words(BY_SIGNAL - code)}, and not by this program"
        return JobStatus(state=JobState.CANCELLED, reason=reason, exit_code=BY_SIGNAL - code)
    if code < 0:
        reason = f"PBS could not run it (exit status {code})"
        return JobStatus(
            state=JobState.FAILED, reason=f"{reason}: {comment}" if comment else reason
        )
    return JobStatus(state=JobState.FAILED, reason=exit_in_words(code), exit_code=code)


def _out_of_time(facts: dict[str, str]) -> bool:
    try:
        used = read_seconds(facts["resources_used.walltime"])
        return used >= read_seconds(facts["resource_list.walltime"])
    except (KeyError, ConfigError):
        return False
