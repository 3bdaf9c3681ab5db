"""``LocalProvider``: blocks that are processes of this machine."""

import shlex
import threading
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import attrs

from lamina.channels import Channel, LocalChannel
from lamina.launchers import Launcher, SingleNodeLauncher
from lamina.providers.local_job import LocalJob, start
from lamina.providers.protocol import (
    BlockRequest,
    JobState,
    JobStatus,
    ProviderUnavailable,
    SubmitRejected,
)
from lamina.vocabulary import ConfigError, JobId, read_seconds

__all__ = ["LocalProvider", "block_script"]

_TASKS_PER_NODE = 1  # a block's command is one manager on each node


_Check: TypeAlias = Callable[[object, "attrs.Attribute[Any]", Any], None]


def _at_least(least: float, *, whole: bool = False) -> _Check:
    def check(_: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        if not number or not value >= least:
            kind = ", a whole number" if whole else ""
            msg = f"{attribute.name} is {value!r}; make it {least:g} or more{kind}"
            raise ConfigError(msg)

    return check


def _text(_: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    if not isinstance(value, str):
        msg = f"{attribute.name} is {value!r}; it must be text"
        raise ConfigError(msg)


def _timeout(value: float | str) -> float:
    return read_seconds(value, what="cmd_timeout")


def _interval(value: float | str) -> float:
    return read_seconds(value, what="status_polling_interval")


@attrs.frozen(kw_only=True)
class LocalProvider:
    """Starts each block as a session of processes on this machine.

    ``worker_init`` is shell text that runs before the block's command. ``parallelism`` is the
    part of the outstanding tasks for which slots are wanted. ``cmd_timeout``, in seconds, is what
    every provider has; nothing here is slow enough to need it. Two equal providers are
    still two: each knows only the jobs that it has started itself.
    """

    label: str = attrs.field(default="local", validator=_text)
    nodes_per_block: int = attrs.field(default=1, validator=_at_least(1, whole=True))
    init_blocks: int = attrs.field(default=1, validator=_at_least(0, whole=True))
    min_blocks: int = attrs.field(default=0, validator=_at_least(0, whole=True))
    max_blocks: int = attrs.field(default=1, validator=_at_least(1, whole=True))
    parallelism: float = attrs.field(default=1, validator=_at_least(0))
    worker_init: str = attrs.field(default="", validator=_text)
    launcher: Launcher = attrs.field(factory=SingleNodeLauncher)
    channel: Channel = attrs.field(factory=LocalChannel)
    cmd_timeout: float = attrs.field(default=30, converter=_timeout)
    status_polling_interval: float = attrs.field(default=0.5, converter=_interval)
    """Seconds between two looks at the processes, which cost next to nothing."""
    _jobs: dict[JobId, LocalJob] = attrs.field(factory=dict, init=False, eq=False, repr=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if not self.min_blocks <= self.max_blocks:
            msg = (
                f"min_blocks is {self.min_blocks} and max_blocks {self.max_blocks}; "
                "make max_blocks the larger"
            )
            raise ConfigError(msg)
        if self.init_blocks > self.max_blocks:
            msg = (
                f"init_blocks is {self.init_blocks} and max_blocks {self.max_blocks}; "
                "make max_blocks the larger"
            )
            raise ConfigError(msg)
        if isinstance(self.launcher, type) or not callable(self.launcher):
            msg = f"launcher is {self.launcher!r}; write one with its options: SimpleLauncher()"
            raise ConfigError(msg)
        if not isinstance(self.channel, LocalChannel):
            msg = f"channel is {self.channel!r}; LocalProvider works on this machine: leave it out"
            raise ConfigError(msg)

    @property
    def blocks_are_local(self) -> bool:
        """Whether every block runs on the host of this program: always."""
        return True

    def submit(self, request: BlockRequest) -> JobId:
        """Start the block's script in a session of its own.

        Raises:
            SubmitRejected: The script cannot be written or run; asking again will not help.
            ProviderUnavailable: This machine has no room for a process; again may help.
        """
        try:
            script = _free_path(request.script_dir, request.name)
            script.write_text(self.script(request, script), encoding="utf-8")
            job = start(script, stdout=request.stdout, stderr=request.stderr)
        except BlockingIOError as error:  # too many processes
            raise ProviderUnavailable("bash", str(error)) from error
        except OSError as error:
            raise SubmitRejected(request.block, "bash", error.errno or 1, str(error)) from error
        with self._lock:
            self._jobs[job.name] = job
        return job.name

    def script(self, request: BlockRequest, path: Path) -> str:
        """The script of a block, which is going to lie at this path."""
        launched = self.launcher(request.command, _TASKS_PER_NODE, self.nodes_per_block)
        return block_script(self.worker_init, launched, path.with_suffix(".ec"))

    def poll(self, jobs: Collection[JobId]) -> Mapping[JobId, JobStatus]:
        """Say where each job stands. What this provider did not start is GONE."""
        with self._lock:
            known = {name: self._jobs.get(name) for name in jobs}
        return {name: _stranger(name) if job is None else job.look() for name, job in known.items()}

    def cancel(self, jobs: Collection[JobId]) -> None:
        """Ask all processes of these jobs to end, and kill what is left of them 2 s later.

        It does not wait for that; the program's exit does.
        """
        with self._lock:
            known = [job for name in jobs if (job := self._jobs.get(name)) is not None]
        for job in known:
            job.cancel()


def block_script(worker_init: str, launched: str, exit_code: Path) -> str:
    """The script of one block; it leaves its exit status in the file ``exit_code``."""
    kept = shlex.quote(str(exit_code))
    return f"""#!/bin/bash
lamina_keep() {{ echo "$1" > {kept}.new && mv -f {kept}.new {kept}; }}
trap 'lamina_keep "$?"' EXIT
{worker_init}
{launched}
"""


def _stranger(name: JobId) -> JobStatus:
    return JobStatus(state=JobState.GONE, reason=f"this provider started no job {name}")


def _free_path(directory: Path, name: str) -> Path:
    count = 1
    while True:
        path = directory / (f"{name}.sh" if count == 1 else f"{name}-{count}.sh")
        try:
            path.touch(mode=0o700, exist_ok=False)
        except FileExistsError:
            count += 1
        else:
            return path
