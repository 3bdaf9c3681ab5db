import math
from typing import Any

from lamina.htex_core.limits import LOOK_PERIOD
from lamina.htex_core.workers import SAY_STARTED_AFTER, Worker, Workers


def give(
    workers: Workers, worker: Worker, attempt: int, options: dict[str, Any] | None = None
) -> None:
    worker.held[attempt] = (attempt, None, (b"",), options)
    workers.given(worker, True)
    workers.check(True)


def some(count: int, watched_limit: int | None = None) -> tuple[Workers, list[Worker]]:
    workers = Workers(watched_limit)
    added = [workers.add() for _ in range(count)]
    for worker in added:
        worker.up = True
        workers.note(worker)
    workers.check(True)
    return workers, added


def test_a_worker_that_is_not_up_is_given_nothing() -> None:
    workers = Workers(None)
    worker = workers.add()
    assert not workers.able(0)
    worker.up = True
    workers.note(worker)
    assert workers.able(0) == {0: worker}
    assert workers.able_count == 1


def test_they_are_found_by_how_many_tasks_they_hold() -> None:
    workers, (one, two) = some(2)
    give(workers, one, 1)
    give(workers, one, 2)
    assert workers.able(0) == {1: two}
    assert workers.able(2) == {0: one}
    assert workers.rich == {0: one}
    one.recalling = True
    workers.note(one)
    assert not workers.rich
    assert sorted(workers.held()) == [1, 2]


def test_nothing_comes_behind_a_task_that_may_have_to_be_killed() -> None:
    workers, (one,) = some(1)
    give(workers, one, 1, {"walltime": 5.0})
    assert workers.able_count == 0


def test_a_new_one_has_the_lowest_place_that_is_free_and_a_number_of_its_own() -> None:
    workers, (one, two, _) = some(3)
    assert workers.remove(two.number) is two
    assert workers.remove(one.number) is one
    assert workers.remove(one.number) is None
    assert [(worker.number, worker.place) for worker in (workers.add(), workers.add())] == [
        (3, 0),
        (4, 1),
    ]
    workers.check(True)


def test_nobody_is_looked_at_before_something_is_due() -> None:
    workers, (one, two) = some(2)
    assert workers.due == math.inf
    one.progress = two.progress = 10.0
    give(workers, one, 1)
    assert workers.due == 10.0 + SAY_STARTED_AFTER
    give(workers, two, 2, {"walltime": SAY_STARTED_AFTER / 2})
    assert workers.due == 10.0 + SAY_STARTED_AFTER / 2
    one.said = two.said = True
    two.verdict = ("task_walltime", "it ran for too long")
    workers.note(two)
    workers.look_at_all(True)
    assert workers.due == math.inf


def test_a_start_is_due_only_where_it_can_be_told() -> None:
    workers, (one,) = some(1)
    give(workers, one, 1)
    workers.look_at_all(False)
    assert workers.due == math.inf


def test_the_lower_of_two_limits_is_that_of_a_task() -> None:
    workers, (one, two) = some(2, watched_limit=1000)
    assert workers.limit_of(one) is None  # it runs nothing
    give(workers, one, 1)
    give(workers, two, 2, {"memory_limit": 10})
    assert workers.limit_of(one) == 1000
    assert workers.limit_of(two) == 10
    one.said = two.said = True
    workers.look_at_all(True)
    assert workers.due == LOOK_PERIOD
