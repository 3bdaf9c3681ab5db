"""Which blocks there are, which are wanted, and when it is time to give up.

A block is told of by three parties. The provider takes the request and says where the job
stands; managers register from it and leave; and the strategy wants it or wants it no more. Its
states are those of ``states``, and only the provider's word is an end: a manager that leaves may
have been preempted, have reached its walltime, or have crashed, and the job will tell. Until
then its block is *lost*: it takes no tasks, and counts against ``max_blocks`` only. If the batch
system still shows the job running after ``grace`` seconds, the job is cancelled.

There is one end that nobody tells. Where the host of a job is gone for good, a batch system may
go on ending it until an operator comes. So a block without managers that was told to end, twice,
and is still being ended ``stuck_after`` seconds later is given up, and may be replaced.

A block that is wanted no more is drained: its managers are given no more tasks, and leave when
they have none left; then its job is cancelled. It stays in the books until that has ended, and is
cancelled again if it does not. Managers may also drain for reasons of their own, as before the
end of their block; that is no loss either.
"""

from collections import deque
from collections.abc import Mapping

import attrs

from lamina.blocks.block import FIRST_AGAIN, Block, Order
from lamina.blocks.effects import BlockEffect, CancelJobs, Drain, Fail, SubmitBlock
from lamina.blocks.guard import Guard
from lamina.blocks.pace import Pace
from lamina.blocks.states import BAD, WAITING, BlockState, end_of, said_of
from lamina.blocks.work import Work, busy_in, drains, idle_of, last_busy_in
from lamina.providers import JobStatus
from lamina.scaling import (
    BlockErrorPolicy,
    BlocksView,
    BlockView,
    Ending,
    Guards,
    ScalingStrategy,
)
from lamina.vocabulary import BlockId, JobId

__all__ = ["BlockKeeper"]

_KEPT = 1000  # endings that a policy is shown
_NOBODYS = frozenset({BlockState.CANCELLED, BlockState.WALLTIME})


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
    guards: Guards = attrs.field(factory=Guards)
    grace: float = 60.0
    """Seconds for which the batch system may show a job running whose managers have left.

    What the provider says is at most half as old.
    """
    retry: float = 5.0
    """Seconds until a request that was not taken is made again, the first time."""

    failed: bool = attrs.field(default=False, init=False)
    _blocks: dict[BlockId, Block] = attrs.field(factory=dict, init=False)
    _begun: bool = attrs.field(default=False, init=False)
    _came: bool = attrs.field(default=False, init=False)
    _asked_at: float | None = attrs.field(default=None, init=False)
    _wanted: int = attrs.field(default=0, init=False)
    """How many there should be, as of the last decision."""
    _next: int = attrs.field(default=0, init=False)
    _endings: deque[Ending] = attrs.field(factory=lambda: deque(maxlen=_KEPT), init=False)
    _guard: Guard = attrs.field(init=False)
    _pace: Pace = attrs.field(factory=Pace, init=False)
    _work: deque[tuple[float, int]] = attrs.field(factory=deque, init=False)
    """When there was how much, falling: whatever is below a later one does not count."""

    def __attrs_post_init__(self) -> None:
        first = min(self.max_blocks, max(self.init_blocks, self.min_blocks))
        self._guard = Guard(self.guards, first, self.retry)

    @property
    def stuck_after(self) -> float:
        """Seconds for which a job without managers may be on its end, from the order to end."""
        return FIRST_AGAIN + 2 * self.grace

    @property
    def jobs(self) -> dict[JobId, BlockId]:
        """The jobs of all blocks that have not ended."""
        return {held.job: block for block, held in self._blocks.items() if held.job is not None}

    @property
    def waiting(self) -> bool:
        """Whether some block has been asked for and no manager of it has come."""
        return any(held.waiting and held.stays for held in self._blocks.values())

    @property
    def staying(self) -> int:
        """Blocks that have not ended and are not on their way out."""
        return sum(held.stays for held in self._blocks.values())

    @property
    def short(self) -> bool:
        """Whether more are wanted than there are; the guards may not allow them yet."""
        return self.staying < self._wanted

    @property
    def count(self) -> int:
        """Blocks that have not ended, those that are on their way out included."""
        return len(self._blocks)

    @property
    def not_before(self) -> float:
        """When a pause ends in which no block is asked for; it may be over."""
        return self._guard.not_before

    # What is wanted.

    def decide(self, now: float, work: Work) -> list[BlockEffect]:
        """What to submit, drain or cancel now."""
        self._note(now, work)
        if self.failed:
            return self._clear_out(now)
        for held in self._blocks.values():
            if held.proves_itself(now, self.guards.young):
                self._guard.proved()
            if held.stays and held.managers and drains(held, work):
                held.drained_since = now
        target = self.strategy.target(self._view(now, work))
        if not self._begun:
            self._begun = True
            target = max(target, self.init_blocks)
        self._wanted = wanted = max(self.min_blocks, min(self.max_blocks, target))
        staying = [held for held in self._blocks.values() if held.stays]
        why = f"{work.outstanding} tasks, {len(staying)} blocks, {wanted} wanted"
        effects: list[BlockEffect] = []
        if len(staying) < wanted:
            effects += self._ask(now, wanted - len(staying), why)
        elif len(staying) > wanted:
            effects += self._give_back(now, staying, len(staying) - wanted, work, why)
        return effects + self._cancel_again(now)

    def give_up(self) -> None:
        """Want no block any more, for a reason that lies elsewhere; ``decide`` gives all back."""
        self.failed = True

    def _ask(self, now: float, short: int, why: str) -> list[BlockEffect]:
        room = min(short, self.max_blocks - len(self._blocks))
        effects: list[BlockEffect] = []
        for _ in range(min(room, self._guard.allowance(now))):
            block = BlockId(str(self._next))
            self._next += 1
            self._blocks[block] = Block(block, now)
            self._guard.asked(now)
            self._asked_at = now
            effects.append(SubmitBlock(block, why))
        if not self._blocks and (never := self._guard.why_never(now)):
            return self._give_up(never, None)
        return effects

    def _give_back(
        self, now: float, staying: list[Block], count: int, work: Work, why: str
    ) -> list[BlockEffect]:
        """Let blocks go: idle ones first, then those that wait, then the least busy."""
        effects: list[BlockEffect] = []
        for held in sorted(staying, key=lambda held: _rank(held, work))[:count]:
            # One whose request is still on its way has no job to cancel yet; its turn comes later.
            if held.job is None:
                continue
            if held.waiting:
                effects += self._cancel([held], now, f"{why}: it waits and is not needed")
            else:
                held.drained_since, held.unwanted = now, True
                effects.append(Drain(held.name, f"{why}: it goes when it has no task left"))
        return effects

    def _cancel_again(self, now: float) -> list[BlockEffect]:
        deaf = []
        for held in self._blocks.values():
            if held.order is not None and held.order.again_at <= now:
                held.order.given_again(now)
                deaf.append(held)
        jobs = [held.job for held in deaf if held.job is not None]
        return [CancelJobs(jobs, "it has not ended, though it was told to")] if jobs else []

    def _cancel(
        self, blocks: list[Block], now: float, why: str, *, lost: bool = False
    ) -> list[BlockEffect]:
        for held in blocks:
            held.order = Order(lost, now, now + FIRST_AGAIN)
        jobs = [held.job for held in blocks if held.job is not None]
        return [CancelJobs(jobs, why)] if jobs else []

    def _clear_out(self, now: float) -> list[BlockEffect]:
        left = [held for held in self._blocks.values() if held.order is None and held.job]
        return self._cancel(left, now, "the executor gives up") + self._cancel_again(now)

    # What became of a request.

    def submitted(self, block: BlockId, job: JobId, now: float) -> list[BlockEffect]:
        """The provider has taken the request."""
        held = self._blocks[block]
        held.job, held.waited_until = job, now
        self._guard.taken()
        return [*held.turn(BlockState.PENDING)]

    def refused(self, block: BlockId, now: float, why: str) -> list[BlockEffect]:
        """The provider has not, and never will."""
        self._guard.taken()
        return self._over(self._blocks[block], BlockState.REFUSED, now, why)

    def not_taken(self, block: BlockId, now: float, why: str) -> list[BlockEffect]:
        """The provider gave no answer, or said: not now. It is no bad ending; it is asked later."""
        self._guard.untaken(now)
        return [*self._blocks.pop(block).turn(BlockState.REFUSED, why)]

    def not_asked(self, block: BlockId) -> None:
        """The request was never made, since one before it went wrong."""
        del self._blocks[block]
        self._guard.unasked()

    # What is told of blocks.

    def statuses(self, now: float, statuses: Mapping[JobId, JobStatus]) -> list[BlockEffect]:
        """What the provider says of the jobs."""
        effects: list[BlockEffect] = []
        for job, block in self.jobs.items():
            status = statuses.get(job)
            if status is not None:
                effects += self._told(self._blocks[block], status, now)
        return effects

    def manager_came(
        self, block: BlockId, manager: str, slots: int, now: float
    ) -> list[BlockEffect]:
        """A manager has registered from this block."""
        held = self._blocks.get(block)
        if held is None:
            return []
        turned = held.came(manager, slots, now)
        self.slots_per_block = max(1, held.slots)
        if not self._came:
            self._came = True
            for each in self._blocks.values():
                each.idle_since = None  # those that still wait were due until now
        return [*turned]

    def manager_went(
        self, block: BlockId, manager: str, now: float, *, drained: bool = False
    ) -> list[BlockEffect]:
        """A manager is gone. Why, its job will tell; a block without any takes no tasks.

        ``drained`` says that it left in good order, and nothing was lost with it.
        """
        held = self._blocks.get(block)
        if held is None or held.managers.pop(manager, None) is None or held.managers:
            return []
        held.lost_since = now
        if drained and held.drained_since is None:
            held.drained_since = now
        if held.unwanted and held.order is None:
            return self._cancel([held], now, "it has no task left")
        return []

    def _told(self, held: Block, status: JobStatus, now: float) -> list[BlockEffect]:
        said = said_of(status)
        if said.over:
            order = held.order
            end = end_of(
                held.state, said, ordered=order is not None, lost=order is not None and order.lost
            )
            return self._over(held, end, now, status.reason, status.exit_code)
        lost = None if held.lost_since is None else now - held.lost_since
        if lost is not None and lost < self.grace / 2 and said in WAITING:
            return []  # as the provider may have seen it before its nodes came
        effects: list[BlockEffect] = [*held.turn(said, status.reason)]
        if held.state in WAITING:
            held.queued(now)
        going_on = held.state in (BlockState.RUNNING, BlockState.COMPLETING)
        if lost is not None and lost >= self.grace and going_on and held.order is None:
            why = f"its nodes left {self.grace:g} s ago or more, and it goes on"
            effects += self._cancel([held], now, why, lost=held.drained_since is None)
        elif self._stuck(held, now):
            assert held.order is not None
            # Not the executor's fault: whoever cannot end a job does not reach its node either.
            end = BlockState.NODE_FAILED if held.order.lost else BlockState.CANCELLED
            why = (
                f"its nodes have left, and {self.stuck_after:g} s after it was told to end the "
                f"batch system is still ending it: {status.reason or 'it does not say why'}"
            )
            effects += self._over(held, end, now, why)
        return effects

    def _stuck(self, held: Block, now: float) -> bool:
        """Whether the batch system does not get its job ended, of which no node is left."""
        return (
            held.lost_since is not None
            and held.order is not None
            and held.state is BlockState.COMPLETING
            and now - held.order.given_at >= self.stuck_after
        )

    def _over(
        self, held: Block, end: BlockState, now: float, reason: str, exit_code: int | None = None
    ) -> list[BlockEffect]:
        effects: list[BlockEffect] = []
        effects += held.turn(end, reason, exit_code)
        del self._blocks[held.name]
        ending = Ending(
            block=held.name,
            at=now,
            state=end.value,
            bad=end in BAD,
            exit_code=exit_code,
            lived=held.lived(now),
        )
        self._endings.append(ending)
        if self.failed:
            return effects
        words = _words(held, end, reason, exit_code)
        if (
            end not in _NOBODYS
            and held.drained_since is None
            and held.died_young(now, self.guards.young)
        ):
            blamed = ending.bad or end is BlockState.COMPLETED
            self._guard.died_young(now, words if blamed else "")
        verdict = self.errors.verdict(tuple(self._endings), now)
        return effects + (self._give_up(f"{verdict}; the last, {words}", held) if verdict else [])

    def _give_up(self, why: str, held: Block | None) -> list[BlockEffect]:
        self.failed = True
        last = self._endings[-1].block if held is None and self._endings else None
        return [Fail(why, held.name if held is not None else BlockId(last) if last else None)]

    # What a strategy sees.

    def _note(self, now: float, work: Work) -> None:
        """Keep what is to be known of the past."""
        while self._work and self._work[-1][1] <= work.outstanding:
            self._work.pop()
        self._work.append((now, work.outstanding))
        while now - self._work[0][0] > self.max_idletime:
            self._work.popleft()
        busy = sum(busy_in(held, work) for held in self._blocks.values())
        self._pace.look(now, min(work.outstanding, busy), work.finished)

    def _view(self, now: float, work: Work) -> BlocksView:
        staying = [held for held in self._blocks.values() if held.stays]
        each = idle_of(staying, work, self.parallelism, self.slots_per_block)
        for held, idle in zip(staying, each, strict=True):
            if not idle:
                held.idle_since = None
            elif (last := last_busy_in(held, work)) is not None:
                held.idle_since = last
            elif held.idle_since is None:
                held.idle_since = now
        return BlocksView(
            now=now,
            outstanding=work.outstanding,
            peak=self._work[0][1],
            task_seconds=self._pace.task_seconds,
            blocks=tuple(
                BlockView(
                    block=held.name,
                    waiting=held.waiting,
                    slots=held.slots,
                    busy=busy_in(held, work),
                    idle_since=held.idle_since,
                )
                for held in staying
            ),
            asked_at=self._asked_at,
            came=self._came,
            slots_per_block=self.slots_per_block,
            init_blocks=self.init_blocks,
            min_blocks=self.min_blocks,
            max_blocks=self.max_blocks,
            parallelism=self.parallelism,
            max_idletime=self.max_idletime,
        )


def _rank(held: Block, work: Work) -> tuple[int, float]:
    """Smaller goes sooner."""
    if held.waiting:
        return 1, -int(held.name)
    busy = busy_in(held, work)
    return (2, busy) if busy else (0, held.idle_since or 0.0)


def _words(held: Block, end: BlockState, reason: str, exit_code: int | None) -> str:
    """How a block ended, for people."""
    job = "without a job" if held.job is None else f"job {held.job}"
    code = "" if exit_code is None else f", exit code {exit_code}"
    return f"block {held.name}, {job}: {end.value}{code}: {reason or 'no reason given'}"
