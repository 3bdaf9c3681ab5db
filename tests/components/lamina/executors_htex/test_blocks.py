"""The thread that looks after blocks, around a provider that keeps a list."""

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from lamina.blocks import Work
from lamina.executors import Site
from lamina.executors_htex import BlockStanding, HighThroughputExecutor
from lamina.executors_htex.blocks import Blocks
from lamina.htex_core import ManagerCame, ManagerInfo, ManagerWent
from lamina.providers import (
    BlockRequest,
    JobState,
    JobStatus,
    LocalProvider,
    ProviderUnavailable,
    SubmitDeferred,
    SubmitRejected,
)
from lamina.scaling import Guards
from lamina.vocabulary import BlockId, Event, JobId

PATIENCE = 10.0  # seconds


class _Book:
    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.requests: list[BlockRequest] = []
        self.cancelled: list[JobId] = []
        self.silences = 0
        self.answer: Mapping[JobId, JobStatus] | None = {}
        self.everybody: JobStatus | None = None
        self.refuses = self.defers = False
        self.polls = 0
        self.asked = 0
        """How often jobs were to be cancelled."""
        self.unheard = 0
        """So many requests for a block get no answer."""
        self.answers = threading.Event()
        """Unset while requests for a block wait for their answer."""
        self.answers.set()

    def wait(self, condition: Callable[[], object]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE)


@attrs.frozen(kw_only=True)
class _Provider(LocalProvider):
    """A batch system that keeps a book and runs nothing."""

    book: _Book = attrs.field(factory=_Book)

    def submit(self, request: BlockRequest) -> JobId:
        book = self.book
        with book.changed:
            book.requests.append(request)
            book.changed.notify_all()
        assert book.answers.wait(PATIENCE)
        if len(book.requests) <= book.unheard:
            raise ProviderUnavailable("sub", "it hangs")
        if book.defers:
            raise SubmitDeferred(request.block, "sub", "too many jobs")
        if book.refuses:
            request.stdout.write_text("it says hello\n", encoding="utf-8")
            request.stderr.write_text("first line\nno room here\n", encoding="utf-8")
            raise SubmitRejected(request.block, "sub", 1, "no room")
        return JobId(f"job{request.block}")

    def poll(self, jobs: Collection[JobId]) -> Mapping[JobId, JobStatus]:
        book = self.book
        with book.changed:
            book.polls += 1
            if book.answer is not None:
                if book.everybody is not None:
                    return dict.fromkeys(jobs, book.everybody)
                ended = JobStatus(state=JobState.CANCELLED)
                return {**dict.fromkeys(book.cancelled, ended), **book.answer}
            book.silences += 1
            book.changed.notify_all()
        raise ProviderUnavailable("stat", "it hangs")

    def cancel(self, jobs: Collection[JobId]) -> None:
        book = self.book
        with book.changed:
            book.asked += 1
            book.changed.notify_all()
            if book.answer is None:
                raise ProviderUnavailable("del", "it hangs")
            book.cancelled += jobs


class _World:
    def __init__(self, folder: Path, *, least: int = 0, **options: Any) -> None:
        provider = _Provider(status_polling_interval=0.01, min_blocks=least, max_blocks=2)
        self.provider = provider.book
        self.events: list[Event] = []
        self.outstanding = 0
        self.failed = threading.Event()
        self.reason = ""
        options = {"guards": Guards(pause=0.01), **options}
        executor = HighThroughputExecutor("site", provider, max_workers_per_node=2, **options)
        site = Site(run_dir=folder, emit=self.events.extend)
        self.looks = 0
        self.drained: list[BlockId] = []
        self.blocks = Blocks(
            executor.settings, site, folder, self.work, self.drained.append, self.fail
        )
        self.thread = threading.Thread(target=self.blocks.run, daemon=True)
        self.thread.start()

    def work(self) -> Work:
        self.looks += 1
        return Work(self.outstanding)

    def fail(self, reason: str) -> None:
        self.reason = reason
        self.failed.set()

    def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, self.blocks.standings()
            threading.Event().wait(0.005)

    def standing(self, block: str) -> BlockStanding:
        return next(one for one in self.blocks.standings() if one.block == block)

    def states(self) -> list[object]:
        return [event.facts["state"] for event in self.events if event.kind == "block.state"]

    def quiet(self) -> bool:
        """Whether a tenth of a second has gone by without a look."""
        before = self.looks
        threading.Event().wait(0.1)
        return self.looks == before

    def stop(self) -> None:
        self.blocks.stop()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[_World]:
    made = _World(tmp_path)
    yield made
    made.stop()


def manager(block: str) -> ManagerInfo:
    return ManagerInfo(f"m{block}", block, "host", "boot", 1, 2, "3.11", "0")


def test_nothing_is_asked_for_before_managers_can_reach_us_then_at_once(world: _World) -> None:
    assert world.provider.requests == []
    world.blocks.ready()
    world.provider.wait(lambda: world.provider.requests)
    request = world.provider.requests[0]
    assert request.name == "lamina.site.block-0"
    assert "LAMINA_BLOCK=0 " in request.command
    assert request.stderr.name == "block-0.stderr"


def test_more_work_than_workers_brings_another_block(world: _World) -> None:
    world.blocks.ready()
    world.provider.wait(lambda: world.provider.requests)
    world.blocks.hear(ManagerCame(manager("0")))
    world.outstanding = 3
    world.blocks.stir()
    world.provider.wait(lambda: len(world.provider.requests) == 2)


def test_a_lost_manager_is_told_and_its_block_replaced_and_judged_by_its_job(
    world: _World,
) -> None:
    world.outstanding = 1
    world.blocks.ready()
    world.provider.wait(lambda: world.provider.requests)
    world.blocks.hear(ManagerCame(manager("0")))
    world.blocks.hear(ManagerWent(manager("0"), "it died"))
    world.provider.wait(lambda: len(world.provider.requests) == 2)
    assert world.provider.cancelled == []
    world.provider.answer = {JobId("job0"): JobStatus(state=JobState.PREEMPTED, reason="so")}
    world.until(lambda: world.standing("0").over)
    assert (world.standing("0").state, world.standing("0").reason) == ("preempted", "so")
    kinds = [event.kind for event in world.events if event.kind != "block.state"]
    assert kinds[:3] == ["block.requested", "manager.came", "manager.lost"]


def test_a_job_that_goes_on_without_its_managers_is_given_back(world: _World) -> None:
    world.outstanding = 1
    world.provider.answer = {JobId("job0"): JobStatus(state=JobState.RUNNING)}
    world.blocks.ready()
    world.provider.wait(lambda: world.provider.requests)
    world.blocks.hear(ManagerCame(manager("0")))
    world.blocks.hear(ManagerWent(manager("0"), "it died"))
    world.provider.wait(lambda: world.provider.cancelled == ["job0"])
    world.provider.answer = {}
    world.until(lambda: world.standing("0").state == "lost")
    leaving = [event.facts for event in world.events if event.kind == "block.leaving"]
    assert [(one["block"], one["job"]) for one in leaving] == [("0", "job0")]
    assert "goes on" in str(leaving[0]["reason"])


def test_a_provider_that_does_not_answer_changes_nothing(world: _World) -> None:
    world.provider.answer = None
    world.outstanding = 1
    world.blocks.ready()
    world.provider.wait(lambda: world.provider.requests)
    world.provider.wait(lambda: world.provider.silences >= 3)
    kinds = [event.kind for event in world.events]
    assert kinds.count("provider.silent") == 1
    assert "provider.answers" not in kinds
    assert len(world.provider.requests) == 1
    world.stop()
    world.blocks.cancel_all()
    assert world.provider.asked == 1


def test_a_provider_that_answers_again_is_told_of_once(world: _World) -> None:
    world.provider.answer = None
    world.outstanding = 1
    world.blocks.ready()
    world.provider.wait(lambda: world.provider.silences >= 2)
    world.provider.answer = {JobId("job0"): JobStatus(state=JobState.RUNNING)}
    polls = world.provider.polls
    world.until(lambda: world.provider.polls > polls + 2)
    told = [event.kind for event in world.events if event.kind.startswith("provider.")]
    assert told == ["provider.silent", "provider.answers"]


def test_a_job_that_ended_is_replaced_while_there_is_work(world: _World) -> None:
    world.outstanding = 1
    world.provider.answer = {JobId("job0"): JobStatus(state=JobState.FAILED, exit_code=1)}
    world.blocks.ready()
    world.provider.wait(lambda: len(world.provider.requests) >= 2)


def test_when_no_block_can_be_had_the_executor_fails_with_the_last_words(tmp_path: Path) -> None:
    world = _World(tmp_path)
    world.provider.refuses = True
    world.outstanding = 1
    world.blocks.ready()
    assert world.failed.wait(PATIENCE)
    assert "executor 'site' gives up" in world.reason
    assert "no room here" in world.reason
    assert "stdout:\nit says hello" in world.reason
    assert len(world.provider.requests) == 4
    world.stop()


def test_where_each_block_dies_at_once_there_are_no_more_than_the_stated_number(
    tmp_path: Path,
) -> None:
    world = _World(tmp_path, block_error_handler=False)
    world.provider.everybody = JobStatus(state=JobState.COMPLETED, exit_code=0, reason="so")
    world.outstanding = 1000
    world.blocks.ready()
    assert world.failed.wait(PATIENCE)
    assert "blocks in a row died young" in world.reason
    assert "job job" in world.reason
    assert len(world.provider.requests) <= 4 + 2  # max_young - 1 + max_blocks
    world.stop()


def test_a_number_said_by_hand_goes_before_the_strategy(world: _World) -> None:
    world.blocks.ready()
    world.provider.wait(lambda: world.provider.requests)
    world.blocks.scale(2)
    world.provider.wait(lambda: len(world.provider.requests) == 2)
    world.blocks.scale(0)
    world.provider.wait(lambda: sorted(world.provider.cancelled) == ["job0", "job1"])
    world.outstanding = 3
    world.blocks.scale(None)
    world.provider.wait(lambda: len(world.provider.requests) >= 3)


def test_each_new_state_of_a_block_is_told_and_can_be_looked_up(world: _World) -> None:
    world.provider.answer = {JobId("job0"): JobStatus(state=JobState.PENDING)}
    world.blocks.ready()
    world.provider.wait(lambda: world.provider.requests)
    world.until(lambda: [one.state for one in world.blocks.standings()] == ["pending"])
    world.blocks.hear(ManagerCame(manager("0")))
    world.until(lambda: [one.slots for one in world.blocks.standings()] == [2])
    world.until(lambda: [one.state for one in world.blocks.standings()] == ["running"])
    world.provider.answer = {}
    world.blocks.scale(0)
    world.until(lambda: world.drained == ["0"])
    assert world.provider.cancelled == []
    world.blocks.hear(ManagerWent(manager("0"), "it is drained", drained=True))
    world.until(lambda: [one.state for one in world.blocks.standings()] == ["cancelled"])
    world.until(lambda: len(world.states()) == 3)
    assert world.states() == ["pending", "running", "cancelled"]
    assert [one.job for one in world.blocks.standings()] == ["job0"]


def test_a_block_that_is_refused_is_told_with_the_reason(tmp_path: Path) -> None:
    world = _World(tmp_path)
    world.provider.refuses = True
    world.blocks.ready()
    world.until(lambda: world.states()[:1] == ["refused"])
    world.stop()
    assert "no room" in world.blocks.standings()[0].reason


def test_a_request_without_an_answer_is_no_bad_block_and_is_made_again(world: _World) -> None:
    world.outstanding = 1
    world.provider.unheard = 6  # more than the bad blocks that are borne
    world.blocks.ready()
    world.provider.wait(lambda: len(world.provider.requests) == 7)
    assert not world.failed.is_set()
    kinds = [event.kind for event in world.events]
    assert kinds.count("provider.silent") == 1


def test_a_batch_system_that_takes_none_for_now_is_asked_less_and_less_often(
    world: _World,
) -> None:
    world.outstanding = 10
    world.provider.defers = True
    world.blocks.ready()
    world.provider.wait(lambda: len(world.provider.requests) == 5)
    assert not world.failed.is_set()
    assert "too many jobs" in world.blocks.standings()[0].reason
    world.provider.defers = False
    world.until(lambda: world.blocks.standings()[-1].state == "pending")


def test_a_job_whose_end_nobody_heard_of_is_ended_again_but_not_all_the_time(
    world: _World,
) -> None:
    world.blocks.ready()
    world.provider.wait(lambda: world.provider.requests)
    world.provider.answer = None
    world.blocks.scale(0)
    world.provider.wait(lambda: world.provider.silences >= 30)
    assert 1 <= world.provider.asked <= 3  # and not with each look
    world.provider.answer = {}
    world.provider.wait(lambda: world.provider.cancelled == ["job0"])
    assert not world.failed.is_set()


def test_one_that_gave_up_cancels_its_jobs_until_it_was_heard(world: _World) -> None:
    world.outstanding = 1
    world.blocks.ready()
    world.provider.wait(lambda: world.provider.requests)
    world.provider.answer = None
    world.blocks.give_up()
    world.provider.wait(lambda: world.provider.asked == 1)
    world.provider.answer = {}
    world.provider.wait(lambda: world.provider.cancelled == ["job0"])
    world.until(lambda: world.standing("0").state == "cancelled")


def test_without_work_and_blocks_nothing_is_looked_at(world: _World) -> None:
    world.blocks.ready()
    world.provider.wait(lambda: world.provider.requests)
    world.blocks.scale(0)
    world.until(lambda: world.standing("0").over)
    world.until(lambda: world.quiet())
    polls, looks = world.provider.polls, world.looks
    threading.Event().wait(0.2)
    assert (world.provider.polls, world.looks) == (polls, looks)


def test_the_minimum_is_asked_for_until_it_is_there_even_without_work(tmp_path: Path) -> None:
    world = _World(tmp_path, least=1)
    world.provider.unheard = 3
    world.blocks.ready()
    world.provider.wait(lambda: len(world.provider.requests) == 4)
    world.until(lambda: world.blocks.standings()[-1].state == "pending")
    world.stop()


def test_after_the_end_no_more_blocks_are_asked_for(world: _World) -> None:
    world.provider.answers.clear()
    world.outstanding = 10
    world.blocks.ready()
    world.provider.wait(lambda: world.provider.requests)
    world.blocks.stop()
    world.provider.answers.set()
    world.stop()
    assert len(world.provider.requests) == 1
    assert [one.block for one in world.blocks.standings()] == ["0"]


def test_a_job_that_is_known_only_after_the_end_is_given_back_as_well(world: _World) -> None:
    world.provider.answers.clear()
    world.blocks.ready()
    world.provider.wait(lambda: world.provider.requests)
    world.blocks.stop()
    world.blocks.cancel_all(0.05)  # as where nobody waits any longer
    assert world.provider.cancelled == []
    world.provider.answers.set()
    world.stop()
    assert world.provider.cancelled == ["job0"]


def test_one_of_which_that_is_not_heard_is_named(
    world: _World, caplog: pytest.LogCaptureFixture
) -> None:
    world.provider.answers.clear()
    world.blocks.ready()
    world.provider.wait(lambda: world.provider.requests)
    world.blocks.stop()
    world.blocks.cancel_all(0.05)
    world.provider.answer = None
    world.provider.answers.set()
    world.stop()
    assert "could not give back its jobs" in caplog.text
    assert "job0" in caplog.text


def test_at_the_end_a_silent_batch_system_is_asked_more_than_once(
    world: _World, caplog: pytest.LogCaptureFixture
) -> None:
    world.blocks.ready()
    world.provider.wait(lambda: world.provider.requests)
    world.until(lambda: world.standing("0").job is not None)
    world.stop()
    world.provider.answer = None
    world.blocks.cancel_all(0.7)
    assert world.provider.asked >= 2
    assert "could not give back its jobs" in caplog.text
    assert "job0" in caplog.text


def test_giving_back_blocks_of_this_host_waits_until_they_are_gone(world: _World) -> None:
    book = world.provider
    book.answer = {JobId("job0"): JobStatus(state=JobState.RUNNING)}
    world.outstanding = 1
    world.blocks.ready()
    book.wait(lambda: book.requests)
    world.stop()

    def end() -> None:
        book.wait(lambda: book.cancelled)
        book.answer = {JobId("job0"): JobStatus(state=JobState.CANCELLED)}

    ending = threading.Thread(target=end)
    ending.start()
    world.blocks.cancel_all(PATIENCE)
    assert book.answer[JobId("job0")].state is JobState.CANCELLED
    ending.join(PATIENCE)
    book.answer = {JobId("job0"): JobStatus(state=JobState.RUNNING)}
    world.blocks.cancel_all(0.05)  # and not for ever
