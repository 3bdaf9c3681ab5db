"""The dialect of Slurm: sbatch, squeue, sacct, scancel.

``squeue`` is asked for all jobs of the user at once, those that have ended too: it knows them
for a while (``MinJobAge``). ``sacct`` is the second source, where there is accounting.
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
    NotKept,
    Sighting,
    SubmitAnswer,
    says_only,
    turned_down,
)
from lamina.providers_batch.dialect import BatchJob
from lamina.providers_batch.scripts import clock, directive, short_name, written
from lamina.vocabulary import JobId, exit_in_words

__all__ = ["SlurmDialect", "slurm_directives"]

LONGEST_NAME = 128  # characters; longer ones are cut by squeue in places
MIB = 2**20
_FIELDS = 4  # in a line of squeue or sacct
_ID = re.compile(r"\d+")
_CLUSTER = "CLUSTER: "

# A program that runs in a job of its own hands these down, and they would contradict the script.
_INHERITED = (
    "SLURM_CPUS_PER_TASK",
    "SLURM_MEM_PER_CPU",
    "SLURM_MEM_PER_GPU",
    "SLURM_MEM_PER_NODE",
    "SLURM_TRES_PER_TASK",
)
_UNSET = ("env", *(f"--unset={name}" for name in _INHERITED))

STATES = {
    "BOOT_FAIL": JobState.NODE_FAIL,
    "CANCELLED": JobState.CANCELLED,
    "COMPLETED": JobState.COMPLETED,
    "COMPLETING": JobState.COMPLETING,
    "CONFIGURING": JobState.PENDING,
    "DEADLINE": JobState.TIMEOUT,
    "FAILED": JobState.FAILED,
    "NODE_FAIL": JobState.NODE_FAIL,
    "OUT_OF_MEMORY": JobState.OUT_OF_MEMORY,
    "PENDING": JobState.PENDING,
    "PREEMPTED": JobState.PREEMPTED,
    "REQUEUED": JobState.PENDING,
    "REQUEUE_FED": JobState.PENDING,
    "REQUEUE_HOLD": JobState.HELD,
    "RESIZING": JobState.RUNNING,
    "RESV_DEL_HOLD": JobState.HELD,
    "REVOKED": JobState.CANCELLED,
    "RUNNING": JobState.RUNNING,
    "SIGNALING": JobState.COMPLETING,
    "SPECIAL_EXIT": JobState.HELD,
    "STAGE_OUT": JobState.COMPLETING,
    "STOPPED": JobState.SUSPENDED,
    "SUSPENDED": JobState.SUSPENDED,
    "TIMEOUT": JobState.TIMEOUT,
}
LETTERS = {
    "BF": "BOOT_FAIL", "CA": "CANCELLED", "CD": "COMPLETED", "CF": "CONFIGURING",
    "CG": "COMPLETING", "DL": "DEADLINE", "F": "FAILED", "NF": "NODE_FAIL",
    "OOM": "OUT_OF_MEMORY", "PD": "PENDING", "PR": "PREEMPTED", "R": "RUNNING",
    "RD": "RESV_DEL_HOLD", "RF": "REQUEUE_FED", "RH": "REQUEUE_HOLD", "RQ": "REQUEUED",
    "RS": "RESIZING", "RV": "REVOKED", "S": "SUSPENDED", "SE": "SPECIAL_EXIT",
    "SI": "SIGNALING", "SO": "STAGE_OUT", "ST": "STOPPED", "TO": "TIMEOUT",
}  # fmt: skip

ENDS = {
    "BOOT_FAIL": "a node of it did not boot",
    "CANCELLED": "it was cancelled, and not by this program",
    "DEADLINE": "it reached its deadline",
    "FAILED": "its script failed",
    "NODE_FAIL": "a node of it failed",
    "OUT_OF_MEMORY": "it used more memory than it had asked for",
    "PREEMPTED": "it was preempted by another job",
    "REVOKED": "another cluster of the federation has started it",
    "TIMEOUT": "it reached its walltime",
}
REASONS = {
    "BadConstraints": "no node has what it asks for",
    "BeginTime": "it may not start yet",
    "Dependency": "it waits for another job",
    "DependencyNeverSatisfied": "it waits for a job that will never end as it should",
    "JobHeldAdmin": "it is held by an administrator",
    "JobHeldUser": "it is held by its owner",
    "Licenses": "it waits for a licence",
    "NodeDown": "a node that it needs is down",
    "PartitionDown": "its partition starts no jobs",
    "PartitionNodeLimit": "it asks for more nodes than its partition allows",
    "PartitionTimeLimit": "it asks for a longer walltime than its partition allows",
    "Priority": "other jobs come first",
    "ReqNodeNotAvail": "a node that it needs is not available",
    "Reservation": "it waits for its reservation",
    "Resources": "it waits for nodes",
    "launch failed requeued held": "it could not be started, and is held",
}
_HELD = ("JobHeld", "job_requeued_in_held", "launch_failed_requeued_held", "launch failed")

# What sbatch says when the controller could not be asked; after some of it, it may have the job.
_NOT_NOW = (
    "Unable to contact slurm controller",
    "slurm backup controller in standby",
    "Slurm temporarily unable to accept job",
    "Resource temporarily unavailable",
    "Connection refused",
    "can't be reached now",
    "Munge",
)
_PERHAPS = ("Socket timed out", "Zero Bytes were transmitted")
_GONE = ("Invalid job id", "already completing")
# What is said where a limit on the number of jobs is reached.
_LATER = ("SubmitJobLimit", "SubmitJobsLimit", "MaxSubmitJob")


def slurm_directives(
    *,
    partition: str | None,
    account: str | None,
    qos: str | None,
    constraint: str | None,
    clusters: str | None,
    gres: str | None,
    exclusive: bool,
    walltime: float | None,
    cores_per_node: int | None,
    mem_per_node: int | None,
    gpus_per_node: int | str | None,
) -> tuple[str, ...]:
    """The ``#SBATCH`` lines of a provider's options; memory in bytes, times in seconds."""
    options: dict[str, object] = {
        "time": None if walltime is None else clock(walltime),
        "partition": partition,
        "account": account,
        "qos": qos,
        "constraint": constraint,
        "clusters": clusters,
        "gres": gres,
        "cpus-per-task": cores_per_node,
        "mem": None if mem_per_node is None else f"{-(-mem_per_node // MIB)}M",
        "gpus-per-node": gpus_per_node,
    }
    lines = [
        f"#SBATCH --{name}={directive(value)}"
        for name, value in options.items()
        if value is not None
    ]
    return (*lines, "#SBATCH --exclusive") if exclusive else tuple(lines)


@attrs.frozen(kw_only=True)
class SlurmDialect:
    """Slurm. Jobs of another cluster are called ``id;cluster``, as sbatch calls them."""

    clusters: str | None = None
    directives: tuple[str, ...] = ()
    scheduler_options: str = ""
    exports: tuple[tuple[str, object], ...] = ()
    regex_job_id: str | None = None
    """How to find the job's id, the group ``id``, in what a site's own sbatch prints."""

    @property
    def name(self) -> str:
        """What messages call it."""
        return "Slurm" if self.clusters is None else f"Slurm ({self.clusters})"

    @property
    def kinship(self) -> Hashable:
        """One query is for one choice of clusters."""
        return self.clusters

    def job_name(self, wanted: str, token: str) -> str:
        """Any name goes; spaces and the like only make it hard to read."""
        return short_name(wanted, token, LONGEST_NAME)

    def script(self, job: BatchJob) -> str:
        """The submit script of a block."""
        lines = (
            f"#SBATCH --job-name={directive(job.name)}",
            f"#SBATCH --output={_no_pattern(job.stdout)}",
            f"#SBATCH --error={_no_pattern(job.stderr)}",
            f"#SBATCH --nodes={job.nodes}",
            "#SBATCH --ntasks-per-node=1",
            *self.directives,
        )
        return written(lines, self.scheduler_options, job, exports=self.exports)

    def submit(self, script: str, path: Path) -> Invocation:
        """The script is read from stdin, so it need not exist where sbatch runs."""
        parsable = () if self.regex_job_id else ("--parsable",)
        return Invocation((*_UNSET, "sbatch", *parsable), script)

    def read_submit(self, done: Completed) -> SubmitAnswer:
        """``id``, or ``id;cluster``."""
        said = done.stderr.strip() or done.stdout.strip()
        if done.status != 0:
            return turned_down(said, not_now=_NOT_NOW, perhaps=_PERHAPS, later=_LATER)
        if self.regex_job_id:
            match = re.search(self.regex_job_id, done.stdout)
            found = match["id"].strip() if match else ""
        else:
            # A site's own sbatch may greet first.
            found = done.stdout.strip().rpartition("\n")[2].strip()
        if not _ID.match(found):
            return NoAnswer(f"sbatch has printed no job id: {done.stdout.strip()!r}", True)
        return Accepted(JobId(found))

    def list_jobs(self, jobs: Collection[JobId]) -> Invocation:
        """All jobs of this user, however many: one question costs the controller the same."""
        fields = "--format=%i|%T|%r|%j"
        command = ("squeue", "--me", "--noheader", "--states=all", fields)
        return Invocation(command if self.clusters is None else (*command, self._clusters))

    def read_list(self, done: Completed) -> Listing | NoAnswer:
        """Lines of id, state, reason and name; in a federation under the name of the cluster."""
        if done.status != 0:
            said = done.stderr.strip() or done.stdout.strip()
            return NoAnswer(said or f"squeue: {exit_in_words(done.status)}")
        found: Listing = {}
        cluster = ""
        for line in done.stdout.splitlines():
            if line.startswith(_CLUSTER):
                cluster = line.removeprefix(_CLUSTER).strip()
                continue
            if not line.strip():
                continue
            parts = line.split("|", _FIELDS - 1)
            if len(parts) != _FIELDS or not _ID.match(parts[0]):
                return NoAnswer(f"squeue has printed a line that makes no sense: {line!r}")
            number, state, reason, name = parts
            found.update(self._as_called(number, cluster, Sighting(_status(state, reason), name)))
        return found

    def look_up(self, jobs: Sequence[JobId]) -> Sequence[Invocation]:
        """One question to the accounting."""
        numbers = ",".join(sorted({job.partition(";")[0] for job in jobs}))
        fields = "--format=JobID,State,ExitCode,Cluster"
        command = ("sacct", "-X", "-P", "-n", fields, "-j", numbers)
        return [Invocation(command if self.clusters is None else (*command, self._clusters))]

    def read_look_up(self, done: Completed) -> Listing | NoAnswer | NotKept:
        """Lines of id, state, exit code and cluster."""
        if done.status != 0:
            said = done.stderr.strip() or f"sacct: {exit_in_words(done.status)}"
            return NotKept(said) if "accounting storage is disabled" in said else NoAnswer(said)
        found: Listing = {}
        for line in done.stdout.splitlines():
            parts = line.split("|")
            if len(parts) != _FIELDS or not _ID.match(parts[0]):
                return NoAnswer(f"sacct has printed a line that makes no sense: {line!r}")
            number, state, code, cluster = parts
            sighting = Sighting(_status(state, "", _exit_code(code)))
            found.update(self._as_called(number, cluster, sighting))
        return found

    def cancel(self, jobs: Sequence[JobId]) -> Sequence[Invocation]:
        """One command for each cluster."""
        by_cluster: dict[str, list[str]] = {}
        for job in jobs:
            number, _, cluster = job.partition(";")
            by_cluster.setdefault(cluster, []).append(number)
        return [
            Invocation(("scancel", *((f"--clusters={cluster}",) if cluster else ()), *numbers))
            for cluster, numbers in by_cluster.items()
        ]

    def read_cancel(self, done: Completed) -> NoAnswer | None:
        """Jobs that have ended, or that nobody knows, are no failure."""
        said = done.stderr.strip()
        if done.status == 0 or says_only(said, _GONE):
            return None
        return NoAnswer(said or f"scancel: {exit_in_words(done.status)}")

    @property
    def _clusters(self) -> str:
        return f"--clusters={self.clusters}"

    def _as_called(self, number: str, cluster: str, sighting: Sighting) -> Listing:
        """A job under the names by which sbatch may have called it."""
        if self.clusters is None:
            return {JobId(number): sighting}
        if cluster:
            return {JobId(f"{number};{cluster}"): sighting}
        # With a single cluster squeue names none.
        return {JobId(number): sighting, JobId(f"{number};{self.clusters}"): sighting}


def _status(state: str, reason: str, exit_code: int | None = None) -> JobStatus:
    """Words and letters are both understood; a state may have more words behind it."""
    word = state.split(" ", 1)[0].rstrip("+")
    word = LETTERS.get(word, word)
    known = STATES.get(word)
    if known is None:
        return JobStatus(state=JobState.UNKNOWN, reason=f"Slurm says {state!r}")
    if known is JobState.COMPLETED:
        return JobStatus(state=known, reason=exit_in_words(0), exit_code=0)
    if known.terminal:
        # An exit status of 0 does not tell how a job ended that did not end by itself.
        code = exit_code or None
        how = "" if code is None else f": {exit_in_words(code)}"
        return JobStatus(state=known, reason=f"{ENDS[word]}{how}", exit_code=code)
    if known is JobState.PENDING and reason.startswith(_HELD):
        known = JobState.HELD
    why = "" if reason in ("", "None", "(null)") else REASONS.get(reason, f"Slurm says {reason!r}")
    return JobStatus(state=known, reason=why)


def _exit_code(text: str) -> int | None:
    """``status:signal``, as one number; signals are negative."""
    status, _, number = text.partition(":")
    if not status.isdigit():
        return None
    return -int(number) if number.isdigit() and int(number) else int(status)


def _no_pattern(path: Path) -> str:
    """A path in which Slurm replaces nothing."""
    return directive(str(path).replace("%", "%%"))
