"""The blocks of one provider: how they are asked for, looked at, and removed."""

import random
import threading
import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs

from lamina.providers import (
    BlockRequest,
    JobState,
    JobStatus,
    ProviderError,
    ProviderUnavailable,
    SubmitRejected,
)
from lamina.providers_kubernetes.cluster import Cluster
from lamina.providers_kubernetes.manifests import LABEL_BLOCK, PodOptions, pod, pod_names, secret
from lamina.providers_kubernetes.statuses import cannot_start, of_block, of_pod
from lamina.vocabulary import JobId

__all__ = ["Desk"]


@attrs.define
class _Block:
    name: str
    pods: list[str]
    luggage: bool = False
    stderr: Path | None = None
    """Where the last words of pods that failed are written; None for a block of somebody else."""
    cancelled: bool = False
    refusing_since: float | None = None
    """Since when a pod of it has a node and does not start."""
    ends: dict[str, JobStatus] = attrs.field(factory=dict)
    """How those of its pods ended that have: nothing changes that."""
    ended: JobStatus | None = None


@attrs.define
class Desk:
    """``interval``, and ``patience`` with what does not start, are in seconds. For any thread."""

    cluster: Cluster
    options: PodOptions
    nodes: int
    interval: float
    patience: float
    _blocks: dict[JobId, _Block] = attrs.field(factory=dict, init=False)
    _unclear: set[str] = attrs.field(factory=set, init=False)
    """Blocks for which there was no answer, though they may have been made."""
    _unwanted: dict[tuple[str, str], None] = attrs.field(factory=dict, init=False)
    """Kinds and names of what is to be removed, until the cluster has heard it."""
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    def submit(self, request: BlockRequest, name: str) -> JobId:
        """Make the pods of a block, and the Secret without which none of them starts.

        Raises:
            SubmitRejected: The cluster said no; nothing of the block is left.
            ProviderUnavailable: It gave no answer. What it has made all the same is removed as
                soon as it shows, and has done nothing: its Secret comes last.
        """
        block = _Block(name, pod_names(name, self.nodes), stderr=request.stderr)
        block.luggage = request.luggage is not None
        try:
            made = [self.cluster.create_pod(one) for one in self.manifests(request, block.name)]
            if request.luggage is not None:
                self.cluster.create_secret(
                    secret(name, run=self.cluster.run, luggage=request.luggage, owners=made)
                )
        except ProviderError as error:
            with self._lock:
                self._remove(block)
                if isinstance(error, ProviderUnavailable):
                    self._unclear.add(name)
            if isinstance(error, SubmitRejected):
                said = (error.command, error.status, error.said)
                raise SubmitRejected(request.block, *said) from None
            raise
        with self._lock:
            self._blocks[JobId(name)] = block
        return JobId(name)

    def manifests(self, request: BlockRequest, name: str) -> list[dict[str, Any]]:
        """The pods of a block as they are asked for."""
        return [
            pod(
                one,
                run=self.cluster.run,
                block=name,
                command=request.command,
                luggage=request.luggage,
                options=self.options,
            )
            for one in pod_names(name, self.nodes)
        ]

    def poll(self, jobs: Collection[JobId]) -> dict[JobId, JobStatus]:
        """Say where blocks stand, as of at most ``interval`` seconds ago.

        Raises:
            ProviderUnavailable: The cluster does not answer.
        """
        with self._lock:
            blocks = {job: self._blocks.get(job) or _Block(job, [job]) for job in jobs}
            if all(block.ended is not None for block in blocks.values()):
                return {job: block.ended for job, block in blocks.items() if block.ended}
            seen = self.cluster.pods(self.interval, time.monotonic(), random.random())
            for one in seen.values():
                if (name := one["metadata"]["labels"].get(LABEL_BLOCK)) in self._unclear:
                    self._remove(_Block(name, [one["metadata"]["name"]], luggage=True))
            found = {job: self._look(block, seen) for job, block in blocks.items()}
            self._sweep()
            return found

    def cancel(self, jobs: Collection[JobId]) -> None:
        """Remove the pods of these blocks, with their grace, and their Secrets.

        Raises:
            ProviderUnavailable: There was no answer for some; they are tried again at each poll.
        """
        with self._lock:
            for job in jobs:
                block = self._blocks.get(job)
                if block is not None and block.ended is None:
                    block.cancelled = True
                    self._remove(block)
            if why := self._sweep():
                raise why

    # The lock is held in what follows.

    def _look(self, block: _Block, seen: Mapping[str, Mapping[str, Any]]) -> JobStatus:
        if block.ended is not None:
            return block.ended
        now, statuses, refusing = datetime.now(UTC), [], ""
        for name in block.pods:
            status = block.ends.get(name)
            if status is None:
                # What the list does not show is looked for by its name before it is given up.
                found = seen.get(name) or self.cluster.pod(name)
                if found is None:
                    status = _vanished(block)
                else:
                    status = of_pod(found, now, cancelled=block.cancelled)
                refusing = refusing or (cannot_start(found) if found is not None else "")
            if status.state.terminal:
                self._has_ended(block, name, status)
            statuses.append(status)
        status = self._judged(block, of_block(statuses), refusing)
        if status.state.terminal:
            block.ended = status
            if block.stderr is not None:  # else it is not ours to remove
                self._remove(block)
        return status

    def _judged(self, block: _Block, status: JobStatus, refusing: str) -> JobStatus:
        """A pod may try to start in vain for a while: registries have bad moments."""
        if not refusing or status.state is not JobState.PENDING:
            block.refusing_since = None
            return status
        now = time.monotonic()
        block.refusing_since = block.refusing_since or now
        if now - block.refusing_since < self.patience:
            return status
        reason = f"{refusing}; it was given up after {self.patience:g} s"
        return JobStatus(state=JobState.FAILED, reason=reason)

    def _has_ended(self, block: _Block, name: str, status: JobStatus) -> None:
        if name in block.ends:
            return
        block.ends[name] = status
        bad = status.state in (JobState.FAILED, JobState.OUT_OF_MEMORY)
        if bad and block.stderr is not None and (said := self.cluster.log(name)):
            try:
                with block.stderr.open("a", encoding="utf-8") as file:
                    file.write(said)
            except OSError:
                pass  # the end itself is told all the same

    def _remove(self, block: _Block) -> None:
        if block.luggage:
            self._unwanted["secret", block.name] = None
        self._unwanted.update({("pod", name): None for name in block.pods})

    def _sweep(self) -> ProviderUnavailable | None:
        """Remove what is unwanted; what is left when there is no answer stays so."""
        for kind, name in list(self._unwanted):
            try:
                self.cluster.delete(kind, name)
            except ProviderUnavailable as error:
                # The others have their turn first next time: where this one may not be removed,
                # as without the right to, it must keep none of them.
                self._unwanted[kind, name] = self._unwanted.pop((kind, name))
                return error
            del self._unwanted[kind, name]
        return None


def _vanished(block: _Block) -> JobStatus:
    if block.cancelled:
        return JobStatus(state=JobState.CANCELLED, reason="it was cancelled by this program")
    if block.stderr is None:
        reason = "the cluster knows no pod of this name, and this program did not make one"
        return JobStatus(state=JobState.GONE, reason=reason)
    reason = "its pod is no longer there: somebody, or the cluster itself, has removed it"
    return JobStatus(state=JobState.GONE, reason=reason)
