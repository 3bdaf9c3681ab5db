"""The dialect of HTCondor: condor_submit, condor_q, condor_history, condor_rm.

A job that has ended leaves the queue for the history. One that is held stays until somebody
releases or removes it.
"""

import json
import re
from collections.abc import Collection, Hashable, Sequence
from pathlib import Path
from typing import Any

import attrs

from lamina.channels import Completed
from lamina.providers import JobState, JobStatus
from lamina.providers_batch.answers import (
    Accepted,
    Invocation,
    Listing,
    NoAnswer,
    NotKept,
    Sighting,
    SubmitAnswer,
    says_only,
    turned_down,
)
from lamina.providers_batch.dialect import BatchJob
from lamina.providers_batch.scripts import short_name, written
from lamina.vocabulary import JobId, exit_in_words

__all__ = ["CondorDialect"]

LONGEST_NAME = 64  # characters
MIB = 2**20
_ANSWER = re.compile(r"(\d+)\.\d+ - \d+\.\d+")
_ATTRIBUTES = (
    "-attributes",
    "ClusterId,JobStatus,HoldReason,ExitCode,ExitBySignal,ExitSignal,JobBatchName,RemoveReason",
)
_NOT_NOW = ("Failed to connect", "Can't find address", "Failed to fetch ads", "SECMAN")
# What is said where a limit on the number of jobs is reached.
_LATER = ("would exceed MAX_JOBS",)
_GONE = ("Couldn't find/remove all jobs", "not found", "already been removed")

STATES = {
    1: (JobState.PENDING, "it waits for its turn"),
    2: (JobState.RUNNING, ""),
    3: (JobState.CANCELLED, "it was removed, and not by this program"),
    5: (JobState.HELD, "it is held"),
    6: (JobState.COMPLETING, "its output is being brought back"),
    7: (JobState.SUSPENDED, "it is suspended"),
}
REMOVED, ENDED = 3, 4


@attrs.frozen(kw_only=True)
class CondorDialect:
    """HTCondor. A job is called by its cluster; there is one process in each."""

    scheduler_options: str = ""
    project: str = ""
    requirements: str = ""
    transfer_input_files: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    cores_per_slot: int | None = None
    mem_per_slot: int | None = None
    """Bytes."""
    walltime: float | None = None
    """Seconds."""

    @property
    def name(self) -> str:
        """What messages call it."""
        return "HTCondor"

    @property
    def kinship(self) -> Hashable:
        """One query for all."""
        return None

    def job_name(self, wanted: str, token: str) -> str:
        """Any name goes."""
        return short_name(wanted, token, LONGEST_NAME)

    def script(self, job: BatchJob) -> str:
        """The description of the job, as comments of the script that it runs."""
        lines = [f"#CONDOR {line}" for line in self._description(job)]
        speaks = "true" if job.nodes == 1 else '[ "${_CONDOR_PROCNO:-0}" = 0 ]'
        return written(lines, "", job, exports=self.environment, speaks=speaks)

    def submit(self, script: str, path: Path) -> Invocation:
        """The description is read from stdin; the script must exist where condor_submit runs."""
        lines = [line.removeprefix("#CONDOR ") for line in script.splitlines()[1:]]
        described = lines[: lines.index("queue") + 1]
        text = "\n".join([f"executable = {path}", *described, ""])
        return Invocation(("condor_submit", "-terse"), text)

    def read_submit(self, done: Completed) -> SubmitAnswer:
        """The first and the last job of the submission, as ``7.0 - 7.0``."""
        said = done.stderr.strip() or done.stdout.strip()
        if done.status != 0:
            return turned_down(said, not_now=_NOT_NOW, later=_LATER)
        match = _ANSWER.search(done.stdout)
        if match is None:
            return NoAnswer(f"condor_submit has printed no job id: {done.stdout.strip()!r}", True)
        return Accepted(JobId(match[1]))

    def list_jobs(self, jobs: Collection[JobId]) -> Invocation:
        """All jobs of this user."""
        return Invocation(("condor_q", "-json", *_ATTRIBUTES))

    def read_list(self, done: Completed) -> Listing | NoAnswer:
        """A list in JSON; nothing at all where there are no jobs."""
        if done.status != 0 or any(words in done.stderr for words in _NOT_NOW):
            said = done.stderr.strip() or done.stdout.strip()
            return NoAnswer(said or f"condor_q: {exit_in_words(done.status)}")
        return _read(done.stdout, "condor_q")

    def look_up(self, jobs: Sequence[JobId]) -> Sequence[Invocation]:
        """One question to the history; it ends when all of them are found."""
        limit = ("-limit", str(len(jobs)))
        return [Invocation(("condor_history", "-json", *_ATTRIBUTES, *limit, *jobs))]

    def read_look_up(self, done: Completed) -> Listing | NoAnswer | NotKept:
        """As from the queue."""
        if done.status != 0:
            said = done.stderr.strip() or f"condor_history: {exit_in_words(done.status)}"
            return NotKept(said) if "No such file" in said else NoAnswer(said)
        return _read(done.stdout, "condor_history")

    def cancel(self, jobs: Sequence[JobId]) -> Sequence[Invocation]:
        """One command."""
        return [Invocation(("condor_rm", *jobs))]

    def read_cancel(self, done: Completed) -> NoAnswer | None:
        """Jobs that have ended, or that nobody knows, are no failure."""
        said = f"{done.stderr}\n{done.stdout}".strip()
        if done.status == 0 or says_only(said, (*_GONE, "have been marked for removal")):
            return None
        return NoAnswer(said or f"condor_rm: {exit_in_words(done.status)}")

    def _description(self, job: BatchJob) -> list[str]:
        each = ".$(NODE)" if job.nodes > 1 else ""
        lines = [
            f"universe = {'parallel' if job.nodes > 1 else 'vanilla'}",
            f"output = {job.stdout}{each}",
            f"error = {job.stderr}{each}",
            f"batch_name = {job.name}",
            "notification = never",
            "getenv = true",
        ]
        if job.nodes > 1:
            lines.append(f"machine_count = {job.nodes}")
            # By itself the job would end with the first of them.
            lines.append('+ParallelShutdownPolicy = "WAIT_FOR_ALL"')
        if self.cores_per_slot is not None:
            lines.append(f"request_cpus = {self.cores_per_slot}")
        if self.mem_per_slot is not None:
            lines.append(f"request_memory = {-(-self.mem_per_slot // MIB)}")
        if self.walltime is not None:
            limit = -int(-self.walltime // 1)
            lines.append(
                f"periodic_remove = JobStatus == 2 && time() - JobCurrentStartDate > {limit}"
            )
        if self.requirements:
            lines.append(f"requirements = {self.requirements}")
        if self.project:
            lines.append(f'+projectname = "{self.project}"')
        if self.transfer_input_files:
            lines.append(f"transfer_input_files = {', '.join(self.transfer_input_files)}")
        lines += [line for line in self.scheduler_options.splitlines() if line.strip()]
        return [*lines, "queue"]


def _read(text: str, program: str) -> Listing | NoAnswer:
    if not text.strip():
        return {}
    found: Listing = {}
    try:
        for job in json.loads(text):
            status = _status(job)
            found[JobId(str(int(job["ClusterId"])))] = Sighting(
                status, str(job.get("JobBatchName", ""))
            )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return NoAnswer(f"{program} has printed what makes no sense: {error}")
    return found


def _status(job: dict[str, Any]) -> JobStatus:
    state = job["JobStatus"]
    if state == ENDED:
        if job.get("ExitBySignal"):
            code = -int(job.get("ExitSignal", 0))
        elif "ExitCode" in job:
            code = int(job["ExitCode"])
        else:
            return JobStatus(state=JobState.FAILED, reason="nobody knows how it ended")
        ended = JobState.COMPLETED if code == 0 else JobState.FAILED
        return JobStatus(state=ended, reason=exit_in_words(code), exit_code=code)
    if state not in STATES:
        return JobStatus(state=JobState.UNKNOWN, reason=f"HTCondor says {state!r}")
    if state == REMOVED and "PeriodicRemove" in str(job.get("RemoveReason", "")):
        return JobStatus(state=JobState.TIMEOUT, reason="it reached its walltime")
    known, reason = STATES[state]
    said = job.get("HoldReason") if known is JobState.HELD else None
    return JobStatus(state=known, reason=f"{reason}: {said}" if said else reason)
