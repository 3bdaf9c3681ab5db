"""What is known of each job, and when a job that cannot be seen is believed to be gone.

A batch system's list is one witness. A job that it shows stands where it shows it. One that it
no longer shows may have ended, or the list may be wrong: schedulers forget jobs, fail over, and
answer from stale caches. So absence counts only if the list was asked for after the job was
submitted, and then a second witness is heard: the exit status that the script left, the
accounting, or this program's own order to end the job. If there is none, the job is UNKNOWN
until ``missing_after`` seconds of unbroken absence have passed; only then it is GONE. A script
that was told to end by a signal does not know why; its word counts if nobody has a better one.

An end never changes afterwards, with one exception made beforehand: a job shown as preempted or
as lost with its node may be about to be queued again, so that end must be seen twice.
"""

from collections.abc import Collection, Iterable, Mapping

import attrs

from lamina.providers import JobState, JobStatus
from lamina.providers_batch.answers import Sighting
from lamina.vocabulary import JobId, exit_in_words

__all__ = ["Ledger"]

_KEPT = 1000  # jobs that have ended and are not asked about; the oldest are forgotten first
_SIGNALLED = 128  # exit statuses above this are a shell's word for a signal
_MAY_COME_BACK = frozenset({JobState.PREEMPTED, JobState.NODE_FAIL})

_FORGOTTEN = JobStatus(
    state=JobState.GONE, reason="it ended so long ago that nobody knows any more how"
)


@attrs.define
class _Entry:
    name: str
    exit_code: str
    submitted: float | None
    """When this program submitted it; None for a job that it has only been asked about."""
    status: JobStatus
    absent_since: float | None = None
    doubtful: JobState | None = None
    signalled: int | None = None
    """The exit status of a script that was told to end."""
    cancelled: bool = False


@attrs.define
class Ledger:
    """The jobs of one batch system. Times are seconds on one monotonic clock."""

    _entries: dict[JobId, _Entry] = attrs.field(factory=dict, init=False)
    _ended: dict[JobId, None] = attrs.field(factory=dict, init=False)

    def submitted(self, job: JobId, name: str, exit_code: str, now: float) -> None:
        """The batch system has taken a job; its script leaves its exit status at this path."""
        pending = JobStatus(state=JobState.PENDING, reason="it has been submitted")
        self._ended.pop(job, None)
        self._entries[job] = _Entry(name, exit_code, now, pending)

    def asked_about(self, jobs: Iterable[JobId]) -> bool:
        """Somebody wants to know of these; True if some of them were not known.

        Of those that have ended, only so many are kept that nobody asks about any more.
        """
        wanted = dict.fromkeys(jobs)
        idle = [job for job in self._ended if job not in wanted]
        for job in idle[: max(0, len(idle) - _KEPT)]:
            del self._ended[job], self._entries[job]
        unknown = [job for job in wanted if job not in self._entries]
        for job in unknown:
            status = JobStatus(state=JobState.UNKNOWN, reason="nobody has asked about it before")
            self._entries[job] = _Entry("", "", None, status)
        return bool(unknown)

    def cancelling(self, jobs: Iterable[JobId]) -> None:
        """This program has ordered these to end."""
        for job in jobs:
            if job in self._entries:
                self._entries[job].cancelled = True

    @property
    def open(self) -> list[JobId]:
        """The jobs that have not ended, as far as is known."""
        return [job for job in self._entries if job not in self._ended]

    def listed(self, began: float, seen: Mapping[JobId, Sighting]) -> None:
        """The queue was asked at this moment and has answered."""
        for job in self.open:
            entry = self._entries[job]
            if job in seen:
                self._see(job, entry, seen[job].status)
            elif entry.absent_since is None and (entry.submitted or 0.0) <= began:
                entry.absent_since = began

    def absent(self) -> list[JobId]:
        """The jobs of which the queue knows no more, and nobody else has told."""
        return [job for job in self.open if self._entries[job].absent_since is not None]

    def looked_up(self, found: Mapping[JobId, Sighting]) -> None:
        """A second source has told of jobs that are absent; only an end is heard from it."""
        for job, sighting in found.items():
            entry = self._entries.get(job)
            if entry is None or job in self._ended or not sighting.status.state.terminal:
                continue
            self._end(job, entry, sighting.status)

    def wants_exit_code(self, also: Collection[JobId]) -> dict[str, JobId]:
        """Where to look for exit statuses: of absent jobs, and of those whose end lacks one."""
        jobs = self.absent()
        jobs += [job for job in also if job in self._ended and self._lacks_exit_code(job)]
        return {self._entries[job].exit_code: job for job in jobs if self._entries[job].exit_code}

    def exit_code(self, job: JobId, code: int) -> None:
        """The script's own word."""
        entry = self._entries.get(job)
        if entry is None:
            return
        if job in self._ended:
            if self._lacks_exit_code(job):
                reason = f"{entry.status.reason}: {exit_in_words(code)}"
                entry.status = attrs.evolve(entry.status, exit_code=code, reason=reason)
            return
        if code > _SIGNALLED:
            entry.signalled = code
        else:
            self._end(job, entry, _by_script(code))

    def judge(self, now: float, missing_after: float) -> None:
        """Make up one's mind about absent jobs that no second source has told of."""
        for job in self.absent():
            entry = self._entries[job]
            assert entry.absent_since is not None
            gone = now - entry.absent_since
            if entry.cancelled:
                self._end(job, entry, JobStatus(state=JobState.CANCELLED))
            elif entry.signalled is not None:
                self._end(job, entry, _by_script(entry.signalled))
            elif entry.submitted is None:
                reason = "the batch system does not know it, and this program did not submit it"
                self._end(job, entry, JobStatus(state=JobState.GONE, reason=reason))
            elif gone >= missing_after:
                reason = f"it has been missing from the queue for {gone:.0f} s and left no trace"
                self._end(job, entry, JobStatus(state=JobState.GONE, reason=reason))
            else:
                reason = f"it has been missing from the queue for {gone:.0f} s"
                entry.status = JobStatus(state=JobState.UNKNOWN, reason=reason)

    def status(self, job: JobId) -> JobStatus:
        """Where the job stands."""
        entry = self._entries.get(job)
        return _FORGOTTEN if entry is None else entry.status

    def has_ended(self, job: JobId) -> bool:
        """Whether its end is known."""
        return job in self._ended

    def _see(self, job: JobId, entry: _Entry, status: JobStatus) -> None:
        entry.absent_since = entry.signalled = None
        if status.state in _MAY_COME_BACK and entry.doubtful is not status.state:
            entry.doubtful = status.state
            reason = f"{status.reason}; it may be queued again"
            entry.status = JobStatus(state=JobState.COMPLETING, reason=reason)
            return
        entry.doubtful = None
        if status.state.terminal:
            self._end(job, entry, status)
        else:
            entry.status = status

    def _end(self, job: JobId, entry: _Entry, status: JobStatus) -> None:
        if status.state is JobState.CANCELLED and entry.cancelled:
            status = attrs.evolve(status, reason="it was cancelled by this program")
        entry.status = status
        entry.absent_since = None
        self._ended[job] = None

    def _lacks_exit_code(self, job: JobId) -> bool:
        status = self._entries[job].status
        return status.state is JobState.FAILED and status.exit_code is None


def _by_script(code: int) -> JobStatus:
    state = JobState.COMPLETED if code == 0 else JobState.FAILED
    reason = f"{exit_in_words(code)}, as its script has left it"
    return JobStatus(state=state, reason=reason, exit_code=code)
