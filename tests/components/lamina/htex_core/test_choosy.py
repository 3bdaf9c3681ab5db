"""Tasks that not every manager may have: who is to have them."""

import math
import random
from typing import Any

from lamina.htex_core.choosy import AHEAD, FREE, FULL, Choosy, may_have


def wire(attempt: int, **options: Any) -> list[Any]:
    return [attempt, None, [], options]


def choosy(**managers: tuple[str, float | None]) -> Choosy:
    made = Choosy()
    for uid, (node, ends) in managers.items():
        made.came(uid, node, ends)
        made.placed(uid, FREE)
    return made


def given(made: Choosy, now: float = 0.0) -> list[tuple[int, str]]:
    """Who gets what, where each manager has one free worker."""
    found = []
    for task, uid in made.matches(now):
        made.placed(uid, FULL)
        found.append((task[0], uid))
    made.check()
    return found


def test_a_task_goes_to_no_node_that_it_avoids_and_waits_for_another() -> None:
    made = choosy(a=("n1", None), b=("n2", None), c=("n1", None))
    made.add(wire(1, avoid=["n1"]))
    made.add(wire(2, avoid=["n1"]))
    assert given(made) == [(1, "b")]
    assert len(made) == 1
    made.came("d", "n3", None)
    made.placed("d", FREE)
    assert given(made) == [(2, "d")]
    assert len(made) == 0


def test_a_task_goes_where_it_can_end_in_time() -> None:
    made = choosy(a=("n1", 10.0), b=("n2", 30.0))
    made.add(wire(1, expected=20.0))
    made.add(wire(2, expected=25.0))
    assert given(made, 5.0) == [(1, "b")]
    assert given(made, 5.0) == []
    made.placed("b", FREE)
    assert given(made, 5.1) == []  # it is too late for the other
    made.came("c", "n3", None)
    made.placed("c", FREE)
    assert given(made, 50.0) == [(2, "c")]


def test_the_oldest_is_next_and_where_it_must_wait_the_shortest() -> None:
    made = choosy(a=("n1", 10.0), b=("n1", 10.0), c=("n1", 10.0))
    for number, expected in enumerate((5.0, 99.0, 8.0, 2.0)):
        made.add(wire(number, expected=expected))
    assert given(made) == [(0, "a"), (3, "b"), (2, "c")]
    assert made.attempts == {1}


def test_those_that_avoid_something_else_have_their_turn() -> None:
    made = choosy(a=("n1", None), b=("n1", None))
    for number in range(3):
        made.add(wire(number, avoid=["n7"]))
    made.add(wire(9, avoid=["n8"]))
    assert given(made) == [(0, "a"), (9, "b")]


def test_nothing_is_sent_ahead_to_a_manager_that_one_waits_for() -> None:
    made = choosy(a=("n1", None), b=("n2", 10.0))
    made.placed("a", AHEAD)
    made.placed("b", AHEAD)
    made.add(wire(1, avoid=["n1"], expected=5.0))
    assert given(made) == []
    assert made.reserved(0.0) == {"b"}
    assert made.reserved(6.0) == set()


def test_what_is_cancelled_and_comes_again_waits_once() -> None:
    made = choosy()
    made.add(wire(1, expected=3.0))
    assert made.pop(1) == wire(1, expected=3.0)
    assert made.pop(1) is None
    made.add(wire(1, expected=5.0))
    made.add(wire(1, expected=4.0))
    made.check()
    assert len(made) == 1
    made.gone("unknown")


def test_what_may_be_had_by_whom() -> None:
    assert may_have([1, None, [], None], "n1", 0.0, 5.0)
    assert not may_have(wire(1, avoid=["n1"]), "n1", math.inf, 0.0)
    assert may_have(wire(1, avoid=["n1"], expected=5.0), "n2", 5.0, 0.0)
    assert not may_have(wire(1, expected=5.0), "n2", 5.0, 0.1)


def test_in_a_random_walk_no_task_waits_beside_a_worker_that_may_have_it() -> None:
    chance, made, managers = random.Random(3), Choosy(), dict[str, tuple[str, float, int]]()
    tasks: dict[int, list[Any]] = {}
    for step in range(2000):
        now, uid = step * 0.01, f"m{chance.randrange(8)}"
        if chance.random() < 0.3:
            node, ends = f"n{chance.randrange(4)}", chance.choice([math.inf, now + 5.0])
            made.came(uid, node, ends)
            managers[uid] = node, ends, FULL
        elif uid in managers:
            room = chance.choice([FULL, AHEAD, FREE])
            made.placed(uid, room)
            managers[uid] = *managers[uid][:2], room
        if chance.random() < 0.7:
            nodes = [f"n{number}" for number in chance.sample(range(4), k=chance.randrange(3))]
            tasks[step] = wire(step, avoid=nodes, expected=chance.choice([0.0, 1.0, 6.0]))
            made.add(tasks[step])
        for task, to in made.matches(now):
            node, ends, room = managers[to]
            assert room == FREE
            assert may_have(tasks.pop(task[0]), node, ends, now)
            made.placed(to, FULL)
            managers[to] = node, ends, FULL
        for node, ends, room in managers.values():
            if room == FREE:
                assert not any(may_have(each, node, ends, now) for each in tasks.values())
        assert made.attempts == tasks.keys()
        made.check()


def test_nothing_is_kept_of_tasks_that_have_gone_while_a_shorter_one_waits() -> None:
    made = choosy()
    made.add(wire(0, expected=0.5))
    for attempt in range(1, 1000):
        made.add(wire(attempt, expected=1.0 + attempt))
        made.pop(attempt)
    (group,) = made._groups.values()
    assert len(group.by_time) < 100
    made.add(wire(1000, expected=0.25))
    made.check()
