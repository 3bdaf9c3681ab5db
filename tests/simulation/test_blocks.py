"""The keeper of blocks against a batch system that does whatever it likes, on a virtual clock."""

import random
from collections.abc import Iterator

import attrs
import pytest

from lamina.blocks import BlockKeeper, CancelJobs, Drain, Fail, ManagerWork, SubmitBlock, Work
from lamina.providers import JobState, JobStatus
from lamina.scaling import Guards, HtexAutoScale, NoScaling, Off, ScalingStrategy, Simple, Steady
from lamina.vocabulary import BlockId, JobId

STRATEGIES: list[ScalingStrategy] = [NoScaling(), Simple(), HtexAutoScale(), Steady()]
UNGUARDED = Guards(
    submissions_per_minute=None, max_submissions=None, max_young=None, pause=0.0, young=0.0
)
IDLE = 30.0  # max_idletime, seconds
SLOTS = 4
QUIET = {
    JobState.PENDING: [JobState.RUNNING, JobState.HELD, JobState.UNKNOWN],
    JobState.HELD: [JobState.PENDING, JobState.UNKNOWN],
    JobState.UNKNOWN: [JobState.PENDING, JobState.RUNNING],
    JobState.RUNNING: [JobState.SUSPENDED, JobState.COMPLETING, JobState.UNKNOWN],
    JobState.SUSPENDED: [JobState.RUNNING, JobState.UNKNOWN],
    JobState.COMPLETING: [JobState.PENDING, JobState.RUNNING],
}
ENDS = [state for state in JobState if state.terminal]


@attrs.define(eq=False)
class Job:
    block: BlockId
    submitted: float
    state: JobState = JobState.PENDING
    manager: str | None = None
    busy: int = 0
    idle_since: float | None = None
    draining: bool = False


@attrs.define
class Scheduler:
    """A batch system, the nodes that it gives, and what runs on them."""

    keeper: BlockKeeper
    chance: random.Random
    most: int
    faults: float
    """How likely each step is to be one that nobody wants."""
    now: float = 0.0
    work: int = 0
    finished: int = 0
    jobs: dict[JobId, Job] = attrs.field(factory=dict)
    numbers: Iterator[int] = attrs.field(factory=lambda: iter(range(10**9)))
    asked: list[float] = attrs.field(factory=list)
    given_back: list[tuple[float, float]] = attrs.field(factory=list)
    """When, and when it had been submitted."""

    def step(self) -> None:
        self.now += self.chance.random()
        for name, job in list(self.jobs.items()):
            self._live(name, job)
        self._share_out()
        if self.chance.random() < 0.5:
            told = {name: JobStatus(state=job.state) for name, job in self.jobs.items()}
            self.perform(self.keeper.statuses(self.now, told))
            self.jobs = {n: job for n, job in self.jobs.items() if not job.state.terminal}
        loads = {
            job.manager: ManagerWork(job.busy, job.idle_since, job.draining)
            for job in self.jobs.values()
            if job.manager is not None
        }
        self.perform(self.keeper.decide(self.now, Work(self.work, self.finished, loads)))

    def _live(self, name: JobId, job: Job) -> None:
        if job.state.terminal:
            return
        if self.chance.random() < self.faults:
            ends = self.chance.random() < 0.2
            job.state = self.chance.choice(ENDS if ends else QUIET[job.state])
            if job.state is not JobState.RUNNING:
                self._leave(job, drained=False)
        elif job.state in (JobState.PENDING, JobState.UNKNOWN) and self.chance.random() < 0.3:
            job.state = JobState.RUNNING
        elif job.state is JobState.RUNNING and job.manager is None and not job.draining:
            job.manager, job.idle_since = f"m{next(self.numbers)}", self.now
            self.perform(self.keeper.manager_came(job.block, job.manager, SLOTS, self.now))
        elif job.draining and not job.busy:
            self._leave(job, drained=True)
            job.state = JobState.COMPLETED

    def _leave(self, job: Job, *, drained: bool) -> None:
        manager, job.manager = job.manager, None
        job.busy = 0
        if manager is not None:
            self.perform(self.keeper.manager_went(job.block, manager, self.now, drained=drained))

    def _share_out(self) -> None:
        """Give every slot a task; one that is drained keeps some of those that it has."""
        left = self.work
        for job in self.jobs.values():
            if job.manager is None:
                continue
            room = min(job.busy, self.chance.randrange(SLOTS)) if job.draining else SLOTS
            job.busy = min(left, room)
            left -= job.busy
            self.finished += job.busy
            if job.busy:
                job.idle_since = None
            elif job.idle_since is None:
                job.idle_since = self.now

    def perform(self, effects: list) -> None:  # type: ignore[type-arg]
        for effect in effects:
            match effect:
                case SubmitBlock(block):
                    name = JobId(f"j{block}")
                    self.jobs[name] = Job(block, self.now)
                    self.asked.append(self.now)
                    assert len(self.jobs) <= self.most
                    self.perform(self.keeper.submitted(block, name, self.now))
                case Drain(block):
                    job = next(job for job in self.jobs.values() if job.block == block)
                    job.draining = True
                    self.given_back.append((self.now, job.submitted))
                case CancelJobs(jobs):
                    for name in jobs:
                        if name in self.jobs:
                            self._end(name, self.jobs[name])
                case Fail(reason):
                    raise AssertionError(reason)

    def _end(self, name: JobId, job: Job) -> None:
        assert not job.busy, f"job {name} has tasks"
        if not job.draining and job.manager is None and job.state is not JobState.RUNNING:
            self.given_back.append((self.now, job.submitted))
        self._leave(job, drained=False)
        if not job.state.terminal:
            job.state = JobState.CANCELLED


def world(
    strategy: ScalingStrategy, seed: int, *, least: int = 1, most: int = 5, faults: float = 0.05
) -> Scheduler:
    keeper = BlockKeeper(
        strategy=strategy,
        errors=Off(),
        init_blocks=2,
        min_blocks=least,
        max_blocks=most,
        parallelism=1.0,
        slots_per_block=SLOTS,
        max_idletime=IDLE,
        guards=UNGUARDED,
        grace=20.0,
    )
    return Scheduler(keeper, random.Random(seed), most, faults)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda one: type(one).__name__)
def test_whatever_happens_the_limits_hold_and_no_task_is_cancelled_with_its_block(
    strategy: ScalingStrategy, seed: int
) -> None:
    least, most = 2, 5
    sim = world(strategy, seed, least=least, most=most)
    for turn in range(3000):
        if turn % 50 == 0:
            sim.work = sim.chance.choice([0, 0, 1, 3, 10, 100])
        sim.step()
        assert sim.keeper.count <= most
        # The floor is kept, but for those that are on their way out and fill the house.
        assert sim.keeper.staying >= least or sim.keeper.count == most
    assert len(sim.asked) > 20


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda one: type(one).__name__)
def test_a_batch_system_that_works_sees_no_block_come_and_go(
    strategy: ScalingStrategy, seed: int
) -> None:
    sim = world(strategy, seed, faults=0.0)
    for turn in range(4000):
        if turn % 200 == 0:
            sim.work = sim.chance.choice([0, 1, 7, 30])
        sim.step()
    lived = [at - submitted for at, submitted in sim.given_back]
    assert all(seconds >= IDLE for seconds in lived)
    assert bool(lived) != isinstance(strategy, NoScaling)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda one: type(one).__name__)
def test_work_that_stays_the_same_settles_the_number_of_blocks(
    strategy: ScalingStrategy,
) -> None:
    for work in (1, 6, 13, 200):
        sim = world(strategy, 7, faults=0.0)
        for turn in range(2000):
            sim.work = max(1, work + sim.chance.choice([-1, 0, 0]))
            sim.step()
            if turn == 1000:
                asked, given_back = len(sim.asked), len(sim.given_back)
        assert (len(sim.asked), len(sim.given_back)) == (asked, given_back), work


@pytest.mark.parametrize(
    "strategy", [HtexAutoScale(), Steady(finish_within=0.01)], ids=lambda one: type(one).__name__
)
def test_one_long_task_does_not_hold_blocks_that_have_none(strategy: ScalingStrategy) -> None:
    sim = world(strategy, 1, least=0, faults=0.0)
    sim.work = 20
    for _ in range(100):
        sim.step()
    assert sim.keeper.staying == 5
    sim.work = 1
    for _ in range(300):
        sim.step()
    assert sim.keeper.count == 1
