"""``AdHocProvider``: hosts that no batch system stands before, one block on each at a time."""

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs

from lamina.channels import Channel, ChannelError, LocalChannel
from lamina.providers.adhoc_host import Host
from lamina.providers.protocol import (
    BlockRequest,
    JobState,
    JobStatus,
    ProviderUnavailable,
)
from lamina.vocabulary import ConfigError, JobId, exit_in_words, read_seconds

__all__ = ["AdHocProvider"]

_AT_ONCE = 16  # hosts that are asked at the same time


def _channels(value: Sequence[Channel]) -> tuple[Channel, ...]:
    given: object = value
    if isinstance(given, str) or not isinstance(given, Sequence):
        msg = f"channels is {given!r:.100}; it must be a list of channels"
        raise ConfigError(msg)
    return tuple(value)


def _timeout(value: float | str) -> float:
    return read_seconds(value, what="cmd_timeout")


def _interval(value: float | str) -> float:
    return read_seconds(value, what="status_polling_interval")


@attrs.define(eq=False)
class _Job:
    host: Host
    place: str
    request: BlockRequest
    cancelled: bool = False
    ended: JobStatus | None = None


@attrs.define(eq=False)
class _Book:
    """What one provider has started. ``lock`` is held by whoever reads or writes."""

    hosts: Sequence[Host]
    lock: threading.Lock = attrs.field(factory=threading.Lock)
    jobs: dict[JobId, _Job] = attrs.field(factory=dict)
    taken: set[int] = attrs.field(factory=set)
    """Numbers of hosts that have a block, or are just given one."""
    count: int = 0


@attrs.frozen(kw_only=True)
class AdHocProvider:
    """Starts each block on a host of its own, over a channel, as a session of processes there.

    A block survives this program, as one of a batch system would; its manager leaves when it has
    heard nothing for ``heartbeat_threshold``. Where not all hosts are this one, they are taken to
    share no files with it: what the manager needs is brought there, into a directory of the
    user's, and removed with the block. They must reach the executor's ``address`` themselves.
    """

    channels: Sequence[Channel] = attrs.field(converter=_channels)
    worker_init: str = ""
    cmd_timeout: float = attrs.field(default=30, converter=_timeout)
    parallelism: float = 1
    # None, as many as there are hosts, is what users may write and nobody reads.
    init_blocks: int = None  # type: ignore[assignment]
    min_blocks: int = 0
    max_blocks: int = None  # type: ignore[assignment]
    label: str = "ad_hoc"
    status_polling_interval: float = attrs.field(default=10, converter=_interval)
    _book: _Book = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        hosts = len(self.channels)
        for name in ("init_blocks", "max_blocks"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, hosts)
        for complaint in _complaints(self):
            raise ConfigError(complaint)
        book = _Book([Host(n, one, self.cmd_timeout) for n, one in enumerate(self.channels)])
        object.__setattr__(self, "_book", book)

    @property
    def nodes_per_block(self) -> int:
        """Nodes in each block: a block is one host."""
        return 1

    @property
    def blocks_are_local(self) -> bool:
        """Whether every host is this one."""
        return all(isinstance(one, LocalChannel) for one in self.channels)

    @property
    def takes_luggage(self) -> bool:
        """Whether there are hosts that see no file of this one, as far as can be told."""
        return not self.blocks_are_local

    @property
    def python(self) -> str:
        """The Python of each host: what its channel says, and for this host the one here."""
        return '"$LAMINA_PYTHON"'

    def submit(self, request: BlockRequest) -> JobId:
        """Start the block on a host that has none; a host that does not answer is passed over.

        Raises:
            ProviderUnavailable: No host is free, or none of the free ones answers.
        """
        why = "all hosts have a block"
        for host in self._book.hosts:
            if not self._take(host):
                continue
            try:
                place = host.start(request, self.worker_init)
            except BaseException as error:
                self._give_back(host)
                if not isinstance(error, ChannelError):
                    raise
                why = f"{host.label}: {error}"
                continue
            with self._book.lock:
                self._book.count += 1
                job = JobId(f"{host.number}.{self._book.count}.{place.rpartition('-')[2]}")
                self._book.jobs[job] = _Job(host, place, request)
            return job
        raise ProviderUnavailable("starting a block", why)

    def poll(self, jobs: Collection[JobId]) -> Mapping[JobId, JobStatus]:
        """Say where each job stands, with one command on each host that has one of them.

        Where a host does not answer, its job is UNKNOWN.

        Raises:
            ProviderUnavailable: None of these hosts answers.
        """
        with self._book.lock:
            known = {name: job for name in jobs if (job := self._book.jobs.get(name)) is not None}
        going = [job for job in known.values() if job.ended is None]
        silent = self._ask(going, self._look)
        if going and len(silent) == len({job.host for job in going}):
            raise ProviderUnavailable("looking at blocks", next(iter(silent.values())))
        return {
            name: _stranger(name) if name not in known else _status(known[name], silent)
            for name in jobs
        }

    def cancel(self, jobs: Collection[JobId]) -> None:
        """Ask all processes of these jobs to end, and kill what is left of them 2 s later.

        It waits for that, and leaves nothing of them on their hosts.

        Raises:
            ProviderUnavailable: Some hosts do not answer; asking again may help.
        """
        with self._book.lock:
            known = [job for name in jobs if (job := self._book.jobs.get(name)) is not None]
        going = [job for job in known if job.ended is None]
        for job in going:
            job.cancelled = True
        if silent := self._ask(going, self._end_and_look):
            raise ProviderUnavailable("cancelling blocks", "; ".join(silent.values()))

    def described(self, request: BlockRequest) -> tuple[str, str]:
        """How this block would be started, and what runs."""
        hosts = "\n".join(f"# {host.label}: {host.python}" for host in self._book.hosts)
        command = request.command if request.luggage is None else request.luggage.command
        return "bash, on one of the hosts", f"{hosts}\n{self.worker_init}\n{command}"

    def _take(self, host: Host) -> bool:
        with self._book.lock:
            if host.number in self._book.taken:
                return False
            self._book.taken.add(host.number)
            return True

    def _give_back(self, host: Host) -> None:
        with self._book.lock:
            self._book.taken.discard(host.number)

    def _ask(self, jobs: Sequence[_Job], what: Any) -> dict[Host, str]:
        """Do this for the jobs of each host, many at once; say which gave no answer, and why."""
        by_host: dict[Host, list[_Job]] = {}
        for job in jobs:
            by_host.setdefault(job.host, []).append(job)

        def ask(host: Host) -> str:
            try:
                what(host, by_host[host])
            except ChannelError as error:
                return f"{host.label} does not answer: {error}"
            return ""

        if len(by_host) < 2:
            said = {host: ask(host) for host in by_host}
        else:
            with ThreadPoolExecutor(min(_AT_ONCE, len(by_host))) as pool:
                said = dict(zip(by_host, pool.map(ask, by_host), strict=True))
        return {host: why for host, why in said.items() if why}

    def _end_and_look(self, host: Host, jobs: Sequence[_Job]) -> None:
        host.cancel([job.place for job in jobs])
        self._look(host, jobs)

    def _look(self, host: Host, jobs: Sequence[_Job]) -> None:
        found = host.look([job.place for job in jobs])
        for job, (word, code) in zip(jobs, found, strict=True):
            if word == "running":
                continue
            with self._book.lock:
                if job.ended is not None:  # another thread has seen it, and clears it away
                    continue
                job.ended = _end(job, word, code)
            host.clear(job.place, job.request)
            self._give_back(host)


def _end(job: _Job, word: str, code: int | None) -> JobStatus:
    if job.cancelled and code != 0:  # it may have ended well before it was told to
        reason = "it was cancelled by this program"
        return JobStatus(state=JobState.CANCELLED, reason=reason, exit_code=code)
    if word == "ended" and code is not None:
        state = JobState.COMPLETED if code == 0 else JobState.FAILED
        return JobStatus(state=state, reason=exit_in_words(code), exit_code=code)
    if word == "gone":
        reason = f"nothing of it is left on {job.host.label}, which may have been started anew"
        return JobStatus(state=JobState.GONE, reason=reason)
    reason = f"it was killed on {job.host.label}, and had no time to say how"
    return JobStatus(state=JobState.FAILED, reason=reason)


def _status(job: _Job, silent: Mapping[Host, str]) -> JobStatus:
    if job.ended is not None:
        return job.ended
    if job.host in silent:
        return JobStatus(state=JobState.UNKNOWN, reason=silent[job.host])
    if job.cancelled:
        return JobStatus(state=JobState.COMPLETING, reason="it was cancelled and is ending")
    return JobStatus(state=JobState.RUNNING)


def _stranger(name: JobId) -> JobStatus:
    return JobStatus(state=JobState.GONE, reason=f"this provider started no job {name}")


def _complaints(options: Any) -> Iterator[str]:
    """What cannot work, each with what would."""
    hosts = len(options.channels)
    if not hosts:
        yield "channels is empty; give a channel for each host, as SSHChannel('node1')"
    for one in options.channels:
        if isinstance(one, type) or not all(hasattr(one, name) for name in ("run", "put", "get")):
            yield f"channels has {one!r:.100}; it must be a channel, as SSHChannel('node1')"
    for name, least, most in (
        ("max_blocks", 1, hosts),
        ("min_blocks", 0, options.max_blocks),
        ("init_blocks", 0, options.max_blocks),
    ):
        value = getattr(options, name)
        if type(value) is not int or not least <= value <= most:
            yield (
                f"{name} is {value!r}; make it a whole number between {least} and {most}: "
                "a host has one block at a time"
            )
    for name in ("worker_init", "label"):
        if not isinstance(getattr(options, name), str):
            yield f"{name} is {getattr(options, name)!r}; it must be text"
    share = options.parallelism
    if isinstance(share, bool) or not isinstance(share, int | float) or not share >= 0:
        yield f"parallelism is {share!r}; make it 0 or more"
