"""Which blocks there are, which are wanted, and when it is time to give up.

A block is *waiting* from the moment it is asked for until its first manager registers, then
*here* until its last manager is gone or its job has ended. The machine is told of both and
says what to submit and what to cancel; a shell does it and reports back.
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import attrs

from lamina.providers import JobState, JobStatus
from lamina.scaling import BlockErrorPolicy, BlocksView, BlockView, ScalingStrategy
from lamina.vocabulary import BlockId, JobId

__all__ = ["BlockEffect", "BlockKeeper", "CancelJobs", "Fail", "SubmitBlock"]


class SubmitBlock(NamedTuple):
    """Ask the provider for a block of this name."""

    block: BlockId


class CancelJobs(NamedTuple):
    """End these jobs."""

    jobs: list[JobId]


class Fail(NamedTuple):
    """The executor cannot go on; the last block to end was this one."""

    reason: str
    block: BlockId | None


BlockEffect: TypeAlias = SubmitBlock | CancelJobs | Fail


@attrs.define(eq=False)
class _Block:
    job: JobId | None = None
    managers: dict[str, int] = attrs.field(factory=dict)
    """The slots of each, by its name."""
    came: bool = False
    idle_since: float | None = None


@attrs.define
class BlockKeeper:
    """All blocks of one executor. Times are seconds on one monotonic clock."""

    strategy: ScalingStrategy
    errors: BlockErrorPolicy
    init_blocks: int
    min_blocks: int
    max_blocks: int
    parallelism: float
    slots_per_block: int
    max_idletime: float

    failed: bool = attrs.field(default=False, init=False)
    _blocks: dict[BlockId, _Block] = attrs.field(factory=dict, init=False)
    _begun: bool = attrs.field(default=False, init=False)
    _next: int = attrs.field(default=0, init=False)
    _endings: list[tuple[bool, float]] = attrs.field(factory=list, init=False)

    @property
    def jobs(self) -> dict[JobId, BlockId]:
        """The jobs of all blocks that wait or are here."""
        return {held.job: block for block, held in self._blocks.items() if held.job is not None}

    @property
    def waiting(self) -> bool:
        """Whether some block has been asked for and no manager of it has come."""
        return any(not held.came for held in self._blocks.values())

    def decide(self, now: float, outstanding: int, *, used: bool = False) -> list[BlockEffect]:
        """What to submit or cancel now; ``used`` says that there was work since the last time."""
        if self.failed:
            return []
        view = self._view(now, outstanding, used)
        target = self.strategy.target(view)
        if not self._begun:
            self._begun = True
            target = max(target, self.init_blocks)
        wanted = max(self.min_blocks, min(self.max_blocks, target))
        effects: list[BlockEffect] = []
        for _ in range(wanted - len(self._blocks)):
            block = BlockId(str(self._next))
            self._next += 1
            self._blocks[block] = _Block()
            effects.append(SubmitBlock(block))
        if len(self._blocks) > wanted and outstanding == 0:
            effects += self._give_back(len(self._blocks) - wanted)
        return effects

    def submitted(self, block: BlockId, job: JobId) -> None:
        """The provider has taken the request."""
        self._blocks[block].job = job

    def submit_failed(self, block: BlockId, now: float, why: str) -> list[BlockEffect]:
        """The provider has not."""
        del self._blocks[block]
        return self._ended(block, False, now, why)

    def submit_unanswered(self, block: BlockId) -> None:
        """The provider gave no answer. That is no bad ending; the block may be asked for again."""
        del self._blocks[block]

    def statuses(self, now: float, statuses: Mapping[JobId, JobStatus]) -> list[BlockEffect]:
        """What the provider says of the jobs."""
        effects: list[BlockEffect] = []
        for job, block in self.jobs.items():
            status = statuses.get(job)
            if status is not None and status.state.terminal:
                del self._blocks[block]
                well = status.exit_code == 0 or status.state is JobState.TIMEOUT
                why = f"job {job} {status.state.value}: {status.reason or 'no reason given'}"
                effects += self._ended(block, well, now, why)
        return effects

    def manager_came(self, block: BlockId, manager: str, slots: int, now: float) -> None:
        """A manager has registered from this block."""
        held = self._blocks.get(block)
        if held is not None:
            held.managers[manager] = slots
            held.came = True
            self.slots_per_block = max(1, sum(held.managers.values()))

    def manager_went(
        self, block: BlockId, manager: str, now: float, why: str, *, drained: bool = False
    ) -> list[BlockEffect]:
        """A manager is gone; a block without any is over, whatever the batch system says.

        Unless the last was drained: then its job ends by itself, and its status says how.
        """
        held = self._blocks.get(block)
        if held is None or held.managers.pop(manager, None) is None or held.managers:
            return []
        if drained:
            return []
        del self._blocks[block]
        effects: list[BlockEffect] = [] if held.job is None else [CancelJobs([held.job])]
        return effects + self._ended(block, False, now, why)

    def _ended(self, block: BlockId, well: bool, now: float, why: str) -> list[BlockEffect]:
        self._endings.append((well, now))
        del self._endings[:-100]
        endings = tuple(well for well, _ in self._endings)
        times = tuple(at for _, at in self._endings)
        verdict = self.errors.verdict(endings, now, times)
        if verdict and not self.failed:
            self.failed = True
            return [Fail(f"{verdict}; the last, block {block}: {why}", block)]
        return []

    def _view(self, now: float, outstanding: int, used: bool) -> BlocksView:
        views = []
        for block, held in self._blocks.items():
            if outstanding or used or not held.came:
                held.idle_since = None
            elif held.idle_since is None:
                held.idle_since = now
            slots = sum(held.managers.values())
            busy = slots if outstanding else 0
            views.append(
                BlockView(
                    block=block,
                    waiting=not held.came,
                    slots=slots,
                    busy=busy,
                    idle_since=held.idle_since,
                )
            )
        return BlocksView(
            now=now,
            outstanding=outstanding,
            blocks=tuple(views),
            slots_per_block=self.slots_per_block,
            init_blocks=self.init_blocks,
            min_blocks=self.min_blocks,
            max_blocks=self.max_blocks,
            parallelism=self.parallelism,
            max_idletime=self.max_idletime,
        )

    def _give_back(self, count: int) -> list[BlockEffect]:
        """End blocks with nothing to do: waiting ones first, they cost least."""
        # One whose request is still on its way has no job to cancel yet; its turn comes later.
        order = sorted(self._blocks.items(), key=lambda item: item[1].came)
        given = [(block, held) for block, held in order[:count] if held.job is not None]
        for block, _ in given:
            del self._blocks[block]
        jobs = [held.job for _, held in given if held.job is not None]
        return [CancelJobs(jobs)] if jobs else []
