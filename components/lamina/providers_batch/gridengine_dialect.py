"""The dialect of Grid Engine: qsub, qstat, qacct, qdel.

A job that has ended is simply no longer in ``qstat``; how it ended stands in the accounting
file, which ``qacct`` reads and to which it is written some seconds later.
"""

import math
import re
from collections.abc import Collection, Hashable, Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

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
from lamina.providers_batch.scripts import clock, directive, opening_output, short_name, written
from lamina.vocabulary import JobId, exit_in_words

__all__ = ["GridEngineDialect", "grid_engine_directives"]

LONGEST_NAME = 64  # characters
SIGNALLED = 128  # exit statuses above this are a shell's word for a signal
_ID = re.compile(r"(\d+)(\.\S+)?")
_ASKED = re.compile(r"\b(h_rt|h_cpu|h_vmem|s_vmem)=([\w.:]+)")
_SLACK = 5.0  # seconds by which a job may end before its time and still have reached it
# What qsub says when the master could not be asked; after a time-out it may have the job.
_NOT_NOW = ("commlib error", "unable to contact qmaster", "can't resolve", "unable to send")
_PERHAPS = ("timeout", "got no response", "got max. unheard")
# What is said where a limit on the number of jobs is reached.
_LATER = ("jobs are allowed",)
_HEARD = ("does not exist", "has registered the job", "has deleted job", "already in del")

# The numbers that qacct gives in its line `failed`, where they are an end and not a failure.
_LIMIT = (37,)  # a limit of time or memory was enforced
_BY_SIGNAL = 100  # the job was killed
_AGAIN = (24, 25, 99)  # it migrates or is rescheduled: there will be another record
_HOST_LOST = (19, 22)  # the host did not tell how it ended


def grid_engine_directives(*, queue: str | None, walltime: float | None) -> tuple[str, ...]:
    """The ``#$`` lines of a provider's options; times in seconds."""
    lines = []
    if queue is not None:
        lines.append(f"#$ -q {directive(queue)}")
    if walltime is not None:
        lines.append(f"#$ -l h_rt={clock(walltime)}")
    return tuple(lines)


@attrs.frozen(kw_only=True)
class GridEngineDialect:
    """Grid Engine, and those that come from it."""

    directives: tuple[str, ...] = ()
    scheduler_options: str = ""

    @property
    def name(self) -> str:
        """What messages call it."""
        return "Grid Engine"

    @property
    def kinship(self) -> Hashable:
        """One query for all."""
        return None

    def job_name(self, wanted: str, token: str) -> str:
        """A name begins with a letter, and holds no slash, colon, at sign or star."""
        return short_name(wanted, token, LONGEST_NAME)

    def script(self, job: BatchJob) -> str:
        """The submit script of a block.

        It opens its own output: in a path Grid Engine would replace words and split at a colon.
        """
        lines = (
            "#$ -S /bin/bash",
            f"#$ -N {job.name}",
            "#$ -cwd",
            "#$ -o /dev/null",
            "#$ -j y",
            *self.directives,
        )
        return written(lines, self.scheduler_options, opening_output(job))

    def submit(self, script: str, path: Path) -> Invocation:
        """The script is read from stdin, so it need not exist where qsub runs."""
        return Invocation(("qsub", "-terse"), script)

    def read_submit(self, done: Completed) -> SubmitAnswer:
        """The id, perhaps behind warnings."""
        said = done.stderr.strip() or done.stdout.strip()
        if done.status != 0:
            return turned_down(said, not_now=_NOT_NOW, perhaps=_PERHAPS, later=_LATER)
        match = _ID.fullmatch(done.stdout.strip().rpartition("\n")[2].strip())
        if match is None:
            return NoAnswer(f"qsub has printed no job id: {done.stdout.strip()!r}", True)
        return Accepted(JobId(match[1]))

    def list_jobs(self, jobs: Collection[JobId]) -> Invocation:
        """The jobs of this user; in XML names are whole, and no jobs are not no answer."""
        return Invocation(("qstat", "-xml"))

    def read_list(self, done: Completed) -> Listing | NoAnswer:
        """The elements ``job_list``."""
        if done.status != 0:
            said = done.stderr.strip() or done.stdout.strip()
            return NoAnswer(said or f"qstat: {exit_in_words(done.status)}")
        try:
            root = ElementTree.fromstring(done.stdout)
        except ElementTree.ParseError as error:
            return NoAnswer(f"qstat has printed what is no XML: {error}")
        found: Listing = {}
        for element in root.iter("job_list"):
            number = element.findtext("JB_job_number", "").strip()
            state = element.findtext("state", "").strip()
            if not number or not state:
                return NoAnswer("qstat has printed a job without a number or a state")
            status = _status(number, state)
            name = element.findtext("JB_name", "").strip()
            found[JobId(number)] = Sighting(status, name, status.state.terminal)
        return found

    def look_up(self, jobs: Sequence[JobId]) -> Sequence[Invocation]:
        """One command for each job.

        Of several numbers qacct reads one only, and a pattern of names would have it print all
        jobs of such a name that the site has ever run.
        """
        return [Invocation(("qacct", "-j", job)) for job in jobs]

    def read_look_up(self, done: Completed) -> Listing | NoAnswer | NotKept:
        """Records of lines ``key value``; the last one of a job counts."""
        if done.status != 0:
            said = done.stderr.strip() or done.stdout.strip()
            if "not found" in said:
                return {}
            if "No such file" in said or "no jobs running since startup" in said:
                return NotKept(said)
            return NoAnswer(said or f"qacct: {exit_in_words(done.status)}")
        found: Listing = {}
        for record in _records(done.stdout):
            if not {"jobnumber", "failed", "exit_status"} <= record.keys():
                return NoAnswer("qacct has printed a record that lacks the end of the job")
            found[JobId(record["jobnumber"])] = Sighting(_ended(record), record.get("jobname", ""))
        return found

    def cancel(self, jobs: Sequence[JobId]) -> Sequence[Invocation]:
        """One command."""
        return [Invocation(("qdel", ",".join(jobs)))]

    def read_cancel(self, done: Completed) -> NoAnswer | None:
        """Jobs that nobody knows have ended; those are told on stdout or stderr."""
        said = f"{done.stdout}{done.stderr}".strip()
        if done.status == 0 or says_only(said, _HEARD):
            return None
        return NoAnswer(said or f"qdel: {exit_in_words(done.status)}")


def _status(number: str, state: str) -> JobStatus:
    """A state is a set of letters."""
    if "E" in state:
        reason = f"Grid Engine could not start it; qstat -explain E -j {number} says why"
        return JobStatus(state=JobState.FAILED, reason=reason)
    if "d" in state:
        return JobStatus(state=JobState.COMPLETING, reason="it is being deleted")
    if set(state) & set("sSTNP"):
        return JobStatus(state=JobState.SUSPENDED, reason="it is suspended")
    if "r" in state:
        again = "it has been started again" if "R" in state else ""
        return JobStatus(state=JobState.RUNNING, reason=again)
    if "t" in state:
        # It has left the queue, and may run long before Grid Engine hears so of its host.
        return JobStatus(state=JobState.RUNNING, reason="it has been given to its host")
    if "h" in state:
        return JobStatus(state=JobState.HELD, reason="it is held")
    if set(state) & set("qwR"):
        again = "it waits to be started again" if "R" in state else "it waits for its turn"
        return JobStatus(state=JobState.PENDING, reason=again)
    return JobStatus(state=JobState.UNKNOWN, reason=f"Grid Engine says {state!r}")


def _records(text: str) -> Iterator[dict[str, str]]:
    record: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("====="):
            if record:
                yield record
            record = {}
            continue
        key, _, value = line.partition(" ")
        if key:
            record[key] = value.strip()
    if record:
        yield record


def _ended(record: dict[str, str]) -> JobStatus:
    failed, _, words = (part.strip() for part in record["failed"].partition(":"))
    number = int(failed) if failed.isdigit() else -1
    status = record["exit_status"].split()[:1]
    code = int(status[0]) if status and status[0].isdigit() else None
    if number == 0 and code == 0 and _left_no_trace(record):
        reason = "it was deleted by force, and nobody has seen it end"
        return JobStatus(state=JobState.CANCELLED, reason=reason)
    if number == 0 and code is not None:
        state = JobState.COMPLETED if code == 0 else JobState.FAILED
        return JobStatus(state=state, reason=exit_in_words(code), exit_code=code)
    if number in _AGAIN:
        return JobStatus(state=JobState.PENDING, reason=f"Grid Engine says {words!r}")
    if code is not None and code > SIGNALLED:
        code = SIGNALLED - code
    said = f"Grid Engine says {words!r}" if words else f"Grid Engine calls it failed {failed}"
    if number in _LIMIT:
        return JobStatus(state=_of_limit(record), reason=f"it reached a limit: {said}")
    if number == _BY_SIGNAL:
        how = "" if code is None else f": {exit_in_words(code)}"
        return JobStatus(
            state=JobState.CANCELLED,
            reason=f"it was killed, and not by this program{how}",
            exit_code=code,
        )
    state = JobState.NODE_FAIL if number in _HOST_LOST else JobState.FAILED
    # Its exit status of 0 means that nobody knows.
    return JobStatus(state=state, reason=said, exit_code=code or None)


def _left_no_trace(record: dict[str, str]) -> bool:
    """Whether it is said to have run without any use of the machine, which no process does.

    So looks a job that was taken from the list while its host was away (``qdel -f``).
    """
    used = [record.get(name, "?") for name in ("ru_minflt", "ru_maxrss", "ru_utime", "ru_stime")]
    return all(re.fullmatch(r"0(\.0*)?[a-zA-Z]?", one) for one in used)


def _of_limit(record: dict[str, str]) -> JobState:
    """Which limit was enforced: Grid Engine has one word for time and for memory.

    Where the job had a limit of memory and ended before its time, it was that.
    """
    asked = dict(_ASKED.findall(record.get("category", "")))
    wall = re.match(r"[\d.]+", record.get("ru_wallclock", ""))
    if not {"h_vmem", "s_vmem"} & asked.keys():
        return JobState.TIMEOUT
    limit = _seconds_of(asked["h_rt"]) if "h_rt" in asked else math.inf
    if wall is not None and float(wall[0]) < limit - _SLACK and "h_cpu" not in asked:
        return JobState.OUT_OF_MEMORY
    return JobState.TIMEOUT


def _seconds_of(text: str) -> float:
    """A limit of time, in seconds or as ``h:m:s``."""
    total = 0.0
    for part in text.split(":"):
        total = 60 * total + (float(part) if part.isdigit() else 0.0)
    return total
