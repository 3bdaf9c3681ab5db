"""The one place in a program from which a batch system is spoken to, however many providers ask.

Providers whose dialects are kin and whose channels are equal share a desk, and with it each
status query: whoever comes first asks, and the others read what it has found.
"""

import logging
import random
import threading
import time
import weakref
from collections.abc import Collection, Hashable, Iterator, Sequence

from lamina.channels import Channel, ChannelError, CommandLost, CommandTimeout, Completed
from lamina.providers import JobStatus, ProviderUnavailable, SubmitDeferred, SubmitRejected
from lamina.providers_batch.answers import (
    Accepted,
    Deferred,
    Invocation,
    Listing,
    NoAnswer,
    NotKept,
    Refused,
)
from lamina.providers_batch.dialect import Dialect
from lamina.providers_batch.health import Health
from lamina.providers_batch.ledger import Ledger
from lamina.vocabulary import JobId

__all__ = ["Desk", "desk_of"]

_log = logging.getLogger(__name__)

_EARLY = 0.9  # of an interval; whoever asks a little early must not wait for another whole one
_AT_ONCE = 100  # jobs in one cancel command, so that it ends within its time
_LOOK_UPS = 25  # jobs about which the second source is asked in one query
_NOT_KEPT_PAUSE = 600.0  # seconds until a missing second source is tried again
_UNCLEAR_FOR = 900.0  # seconds for which a submission without an answer may still show up

_desks: "weakref.WeakValueDictionary[Hashable, Desk]" = weakref.WeakValueDictionary()
_opening = threading.Lock()


def desk_of(dialect: Dialect, channel: Channel) -> "Desk":
    """The desk for this batch system, which all who ask for it share while anybody holds it."""
    key: Hashable = (type(dialect), dialect.kinship, channel)
    try:
        hash(key)
    except TypeError:  # a channel that cannot be compared is shared with nobody but itself
        key = (type(dialect), dialect.kinship, id(channel))
    with _opening:
        desk = _desks.get(key)
        if desk is None:
            desk = _desks[key] = Desk(dialect, channel)
        return desk


class Desk:
    """What this program knows of one batch system. Any thread may call."""

    def __init__(self, dialect: Dialect, channel: Channel) -> None:
        self._dialect, self._channel = dialect, channel
        self._ledger = Ledger()
        self._health = Health()
        self._accounting = Health()
        self._asking = threading.Lock()  # held while a status query runs
        self._following = threading.Lock()  # held while what follows from one is done
        self._state = threading.Lock()  # held for as long as it takes to look something up
        self._asked_at: float | None = None
        self._no_second_source_before = 0.0
        self._looked_up = 0
        self._unclear: dict[str, float] = {}
        self._still_to_cancel: set[JobId] = set()

    @property
    def silent_because(self) -> str:
        """Why the batch system is silent; empty while it answers."""
        return self._health.why

    def submit(
        self,
        dialect: Dialect,
        block: str,
        name: str,
        invocation: Invocation,
        exit_code: str,
        timeout: float,
    ) -> JobId:
        """Submit one job. The dialect that asks also reads the answer: kin may differ in that.

        Raises:
            SubmitRejected: The batch system said no.
            SubmitDeferred: It said: not now.
            ProviderUnavailable: It gave no answer. If it has taken the job all the same, the
                job is cancelled as soon as a query shows it.
        """
        command = invocation.program
        try:
            done = self._run(invocation, timeout)
        except ChannelError as error:
            if isinstance(error, CommandTimeout | CommandLost):
                self._note_unclear(name)
            raise ProviderUnavailable(command, str(error)) from error
        answer = dialect.read_submit(done)
        if isinstance(answer, Refused):
            raise SubmitRejected(block, command, done.status, answer.said)
        if isinstance(answer, Deferred):
            raise SubmitDeferred(block, command, answer.said)
        if isinstance(answer, NoAnswer):
            if answer.perhaps_taken:
                self._note_unclear(name)
            raise ProviderUnavailable(command, answer.why)
        assert isinstance(answer, Accepted)
        with self._state:
            self._ledger.submitted(answer.job, name, exit_code, time.monotonic())
        return answer.job

    def poll(
        self, jobs: Collection[JobId], *, interval: float, missing_after: float, timeout: float
    ) -> dict[JobId, JobStatus]:
        """Say where jobs stand, as of at most ``interval`` seconds ago.

        Raises:
            ProviderUnavailable: The batch system is silent; all jobs stand where they stood.
        """
        if not jobs:
            return {}
        with self._asking:
            with self._state:
                new = self._ledger.asked_about(jobs)
            now = time.monotonic()
            due = self._asked_at is None or now - self._asked_at >= _EARLY * interval
            about = None
            if (new or due) and now >= self._health.not_before:
                about = self._ask(interval, timeout)
            if self._health.silent:
                raise ProviderUnavailable(self._dialect.name, self._health.why)
        # Others need not wait for what may take as long again.
        if about is not None and self._following.acquire(blocking=False):
            try:
                self._follow(about, now, interval, missing_after, timeout)
            finally:
                self._following.release()
        with self._state:
            return {job: self._ledger.status(job) for job in jobs}

    def cancel(self, jobs: Collection[JobId], timeout: float) -> None:
        """End jobs. Those for which there is no answer are tried again with the next query.

        Raises:
            ProviderUnavailable: There was no answer for some of them.
        """
        with self._state:
            self._ledger.cancelling(jobs)
            self._still_to_cancel.update(jobs)
        why = self._cancel_what_is_left(timeout)
        if why:
            raise ProviderUnavailable(self._dialect.name, why)

    def _note_unclear(self, name: str) -> None:
        with self._state:
            self._unclear[name] = time.monotonic()

    def _ask(self, interval: float, timeout: float) -> list[JobId] | None:
        """One query, with ``_asking`` held; the jobs that it was about, or None without answer."""
        began = time.monotonic()
        with self._state:
            before = self._ledger.open
        if not before and not self._unclear and not self._still_to_cancel:
            return None  # all that was ever asked about has ended
        self._asked_at = began
        question = self._dialect.list_jobs(before)
        if question is None:
            return before
        listing = self._list(question, timeout)
        if isinstance(listing, NoAnswer):
            if self._health.failed(time.monotonic(), listing.why, interval, random.random()):
                _log.warning(
                    "%s gives no usable answer, and is asked less often: %s",
                    self._dialect.name,
                    listing.why,
                )
            return None
        if self._health.answered():
            silent = time.monotonic() - self._health.since
            _log.warning("%s answers again, after %.0f s", self._dialect.name, silent)
        with self._state:
            self._ledger.listed(began, listing)
            self._find_unclear(listing, began)
            lingering = {job for job in before if job in listing and listing[job].lingers}
            self._still_to_cancel.update(lingering)
            self._drop_ended_orders(listing)
        return before

    def _follow(
        self,
        before: list[JobId],
        began: float,
        interval: float,
        missing_after: float,
        timeout: float,
    ) -> None:
        """What a query leads to, with ``_following`` held: other sources, and orders to end."""
        self._read_exit_codes(before, timeout)
        with self._state:
            absent = self._ledger.absent()
        if absent and began >= max(self._no_second_source_before, self._accounting.not_before):
            self._look_up(absent, interval, timeout)
        with self._state:
            self._ledger.judge(time.monotonic(), missing_after)
        if self._still_to_cancel:
            self._cancel_what_is_left(timeout)

    def _list(self, question: Invocation, timeout: float) -> Listing | NoAnswer:
        try:
            return self._dialect.read_list(self._run(question, timeout))
        except ChannelError as error:
            return NoAnswer(str(error))

    def _look_up(self, absent: list[JobId], interval: float, timeout: float) -> None:
        # Where each job needs a command of its own, all have their turn, some in each query.
        start = self._looked_up % len(absent)
        self._looked_up += _LOOK_UPS
        some = (absent[start:] + absent[:start])[:_LOOK_UPS]
        for invocation in self._dialect.look_up(some):
            try:
                found = self._dialect.read_look_up(self._run(invocation, timeout))
            except ChannelError as error:
                found = NoAnswer(str(error))
            if isinstance(found, NotKept):
                self._no_second_source_before = time.monotonic() + _NOT_KEPT_PAUSE
                _log.info("%s: %s", self._dialect.name, found.why)
                return
            if isinstance(found, NoAnswer):
                now, chance = time.monotonic(), random.random()
                if self._accounting.failed(now, found.why, interval, chance):
                    _log.info("%s: no word of ended jobs: %s", self._dialect.name, found.why)
                return
            self._accounting.answered()
            with self._state:
                self._ledger.looked_up(found)

    def _read_exit_codes(self, before: Collection[JobId], timeout: float) -> None:
        with self._state:
            wanted = self._ledger.wants_exit_code(before)
        if not wanted:
            return
        try:
            # One command for all; it lists those files that are there, and is silent on others.
            done = self._run(Invocation(("grep", "-sH", "", *wanted)), timeout)
        except ChannelError:
            return
        for path, code in _path_and_code(done):
            if path in wanted:
                with self._state:
                    self._ledger.exit_code(wanted[path], code)

    def _find_unclear(self, listing: Listing, began: float) -> None:
        for job, sighting in listing.items():
            if sighting.name in self._unclear and not sighting.status.state.terminal:
                _log.warning(
                    "%s had taken job %s (%s) without saying so; it is cancelled",
                    self._dialect.name,
                    job,
                    sighting.name,
                )
                self._still_to_cancel.add(job)
                del self._unclear[sighting.name]
        for name, since in list(self._unclear.items()):
            if began - since > _UNCLEAR_FOR:
                del self._unclear[name]

    def _drop_ended_orders(self, listing: Listing) -> None:
        """Order nothing to end any more that has, whatever was answered to the order."""
        for job in list(self._still_to_cancel):
            sighting = listing.get(job)
            if self._ledger.has_ended(job) and not (sighting is not None and sighting.lingers):
                self._still_to_cancel.discard(job)

    def _cancel_what_is_left(self, timeout: float) -> str:
        """Try to; says why it could not be done."""
        with self._state:
            jobs = sorted(self._still_to_cancel)
        for start in range(0, len(jobs), _AT_ONCE):
            some = jobs[start : start + _AT_ONCE]
            why = self._cancel(some, timeout)
            if why:
                return why
            with self._state:
                self._still_to_cancel.difference_update(some)
        return ""

    def _cancel(self, jobs: Sequence[JobId], timeout: float) -> str:
        for invocation in self._dialect.cancel(jobs):
            try:
                answer = self._dialect.read_cancel(self._run(invocation, timeout))
            except ChannelError as error:
                return str(error)
            if answer is not None:
                return answer.why
        return ""

    def _run(self, invocation: Invocation, timeout: float) -> Completed:
        return self._channel.run(invocation.command, stdin=invocation.stdin, timeout=timeout)


def _path_and_code(done: Completed) -> Iterator[tuple[str, int]]:
    for line in done.stdout.splitlines():
        path, _, text = line.rpartition(":")
        try:
            yield path, int(text)
        except ValueError:
            continue
