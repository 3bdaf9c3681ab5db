"""The blocks of one provider: how they are asked for, looked at, and ended."""

import threading
import time
from collections.abc import Collection, Mapping

import attrs

from lamina.providers import BlockRequest, JobState, JobStatus, ProviderUnavailable, SubmitRejected
from lamina.providers_aws.cloud import Cloud
from lamina.providers_aws.requests import (
    MOST_USER_DATA,
    TAG_BLOCK,
    MachineOptions,
    instances,
    user_data,
)
from lamina.providers_aws.statuses import exit_on_console, has_ended, of_block, of_instance
from lamina.vocabulary import JobId

__all__ = ["Desk"]

_EARLY = 60.0  # seconds for which EC2 may not yet show what it has started
_SLOW = 300.0  # seconds for which the console may lag behind the end of its machine


@attrs.define
class _Block:
    name: str
    machines: list[str]
    since: float
    cancelled: bool = False
    silent_since: float | None = None
    """Since when a machine has ended whose console does not say how."""
    ended: JobStatus | None = None


@attrs.define
class Desk:
    """``slow`` is how many seconds a console is waited for. Any thread may call."""

    cloud: Cloud
    options: MachineOptions
    slow: float = _SLOW
    _blocks: dict[JobId, _Block] = attrs.field(factory=dict, init=False)
    _unclear: set[str] = attrs.field(factory=set, init=False)
    """Blocks for which there was no answer, though they may have been started."""
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    def submit(self, request: BlockRequest, name: str) -> JobId:
        """Start the machines of a block.

        Raises:
            SubmitRejected: EC2 said no, or the script is longer than it takes.
            ProviderUnavailable: It gave no answer. What it has started all the same is ended as
                soon as it shows.
        """
        script = user_data(name, request, self.options)
        if (size := len(script.encode())) > MOST_USER_DATA:
            said = f"the script of the block has {size} bytes, and EC2 takes {MOST_USER_DATA}"
            raise SubmitRejected(request.block, "EC2", 0, f"{said}; make worker_init shorter")
        try:
            asked = instances(name, self.cloud.run, script, self.options)
            machines = self.cloud.start(request.block, asked)
        except ProviderUnavailable:
            with self._lock:
                self._unclear.add(name)
            raise
        with self._lock:
            self._blocks[JobId(name)] = _Block(name, list(machines), time.monotonic())
        return JobId(name)

    def poll(self, jobs: Collection[JobId]) -> dict[JobId, JobStatus]:
        """Say where blocks stand, with one question for all that have not ended.

        Raises:
            ProviderUnavailable: EC2 does not answer.
        """
        with self._lock:
            blocks = {job: self._blocks.get(job) for job in jobs}
            unclear = frozenset(self._unclear)
        seen: Mapping[str, Mapping[str, object]] = {}
        if any(block is not None and block.ended is None for block in blocks.values()):
            seen = self.cloud.instances()
            self._end_unclear(unclear, seen)
        return {
            job: _stranger(job) if block is None else self._look(block, seen)
            for job, block in blocks.items()
        }

    def cancel(self, jobs: Collection[JobId]) -> None:
        """End the machines of these blocks.

        Raises:
            ProviderUnavailable: There was no answer; asking again may help.
        """
        with self._lock:
            blocks = [block for job in jobs if (block := self._blocks.get(job)) is not None]
        for block in blocks:
            if block.ended is None:
                self.cloud.terminate(block.machines)
                block.cancelled = True

    def _look(self, block: _Block, seen: Mapping[str, Mapping[str, object]]) -> JobStatus:
        if block.ended is not None:
            return block.ended
        found = [self._of(block, name, seen) for name in block.machines]
        status = of_block(found)
        if status.state.terminal:
            self.cloud.terminate(block.machines)  # one that has merely stopped still costs
            block.ended = status
        return status

    def _of(self, block: _Block, name: str, seen: Mapping[str, Mapping[str, object]]) -> JobStatus:
        now = time.monotonic()
        # What the list does not show is looked for by its id before it is given up.
        instance = seen.get(name) or self.cloud.instance(name)
        if instance is None:
            if now - block.since < _EARLY:
                reason = "EC2 does not show its machine yet"
                return JobStatus(state=JobState.PENDING, reason=reason)
            if block.cancelled:
                reason = "it was cancelled by this program"
                return JobStatus(state=JobState.CANCELLED, reason=reason)
            return JobStatus(state=JobState.GONE, reason="EC2 has forgotten its machine")
        code = None
        if has_ended(instance) and not block.cancelled:
            code = exit_on_console(self.cloud.console(name), block.name)
        status = of_instance(instance, exit_code=code, cancelled=block.cancelled)
        if status.state is not JobState.GONE:
            return status
        block.silent_since = block.silent_since or now
        if now - block.silent_since < self.slow:
            reason = "its machine has shut itself down, and its console is waited for"
            return JobStatus(state=JobState.COMPLETING, reason=reason)
        return status

    def _end_unclear(
        self, unclear: Collection[str], seen: Mapping[str, Mapping[str, object]]
    ) -> None:
        for name, instance in seen.items():
            tags: object = instance.get("Tags", ())
            assert isinstance(tags, list | tuple)
            blocks = {one["Value"] for one in tags if one["Key"] == TAG_BLOCK}
            if not blocks.isdisjoint(unclear) and not has_ended(instance):
                self.cloud.terminate([name])


def _stranger(job: JobId) -> JobStatus:
    return JobStatus(state=JobState.GONE, reason=f"this provider started no block {job}")
