import itertools
import math
import random
from typing import Any

import pytest

from lamina.htex_core import (
    FirstInFirstOut,
    Levels,
    PriorityFirst,
    QueuedTask,
    QueueOrder,
    ShortestFirst,
    Sorted,
    comparable,
)
from lamina.htex_core.orders import Queue

TASKS = {
    1: QueuedTask("long", 0, expected=60.0),
    2: QueuedTask("unknown", 0),
    3: QueuedTask("urgent", 5, expected=90.0),
    4: QueuedTask("short", 0, expected=1.0),
    5: QueuedTask("short too", 0, expected=1.0),
}


def order_of(order: QueueOrder) -> list[int | None]:
    queue = Sorted()
    for attempt, task in TASKS.items():
        queue.push(attempt, comparable(order.key(task)))
    return [queue.pop() for _ in TASKS]


def test_by_priority_the_higher_is_first_and_equals_as_they_came() -> None:
    assert order_of(PriorityFirst()) == [3, 1, 2, 4, 5]


def test_first_in_first_out_looks_at_no_priority() -> None:
    assert order_of(FirstInFirstOut()) == [1, 2, 3, 4, 5]


def test_the_shortest_is_first_among_equal_priorities_and_the_unknown_last() -> None:
    assert order_of(ShortestFirst()) == [3, 4, 5, 1, 2]


@pytest.mark.parametrize("make", [Levels, Sorted])
def test_what_comes_back_is_first_of_its_rank(make: type[Levels] | type[Sorted]) -> None:
    queue: Queue = make()
    for attempt in (1, 2, 3):
        queue.push(attempt, 0)
    assert queue.pop() == 1
    queue.push(5, 0, first=True)
    queue.push(4, 0, first=True)
    assert [queue.pop() for _ in range(5)] == [4, 5, 2, 3, None]


def test_the_two_queues_agree_where_the_rank_is_the_priority() -> None:
    chance = random.Random(3)
    levels, heap = Levels(), Sorted()
    numbers = itertools.count()
    for _ in range(5000):
        if chance.random() < 0.6:
            attempt, priority = next(numbers), chance.randrange(4)
            first = chance.random() < 0.2
            levels.push(attempt, priority, first=first)
            heap.push(attempt, -priority, first=first)
        else:
            assert levels.pop() == heap.pop()


def test_any_two_keys_can_be_compared() -> None:
    keys: list[Any] = [None, -1, 2.5, math.inf, "a", "b", (), (None,), (1, "x"), (1, 2), ("a", 1)]
    ordered = sorted(keys, key=comparable)
    assert ordered[:6] == [None, -1, 2.5, math.inf, "a", "b"]
    backwards = ordered[::-1]
    assert sorted(backwards, key=comparable) == ordered


@pytest.mark.parametrize("key", [math.nan, object(), [1], b"x", (1, math.nan)])
def test_what_is_no_key_is_refused(key: Any) -> None:
    with pytest.raises(TypeError, match="as a key"):
        comparable(key)


@pytest.mark.parametrize("queue", [Levels(), Sorted()])
def test_a_queue_keeps_what_is_wanted_in_its_order(queue: Levels | Sorted) -> None:
    for number, rank in enumerate([2, 1, 2, 1, 2]):
        queue.push(number, rank)
    before = [0, 2, 4, 1, 3] if isinstance(queue, Levels) else [1, 3, 0, 2, 4]
    queue.keep(lambda number: number not in (2, 3))
    assert len(queue) == 3
    queue.push(9, 1)
    taken = [queue.pop() for _ in range(5)]
    wanted = [number for number in before if number not in (2, 3)]
    wanted.insert(3 if isinstance(queue, Levels) else 1, 9)
    assert taken == [*wanted, None]
    queue.push(5, 2)
    queue.keep(lambda number: False)
    assert (len(queue), queue.pop()) == (0, None)
