"""Each selector's own preference; what all of them promise is in their kit."""

import random
from collections import Counter

import pytest

from lamina.htex_core import (
    BlockIdManagerSelector,
    FewestFreeManagerSelector,
    ManagerInfo,
    ManagerSelector,
    MostFreeManagerSelector,
    RandomManagerSelector,
    TurnManagerSelector,
)


def told(selector: ManagerSelector, /, **free: int) -> ManagerSelector:
    """The selector, with a manager in a block of its own for each name."""
    for block, (uid, count) in enumerate(free.items(), start=8):
        selector.came(ManagerInfo(uid, str(block), "n", "boot", 1, 8, "3.11", "htex"))
        selector.changed(uid, count)
    return selector


def filled(selector: ManagerSelector, free: dict[str, int], tasks: int) -> list[str]:
    """Which managers get so many tasks, one after the other."""
    chosen = []
    for number in range(tasks):
        uid = selector.choose({}, number * 0.618 % 1)
        free[uid] -= 1
        selector.changed(uid, free[uid])
        chosen.append(uid)
    return chosen


def test_in_turn_means_that_each_is_chosen_once_before_any_is_chosen_twice() -> None:
    selector = told(TurnManagerSelector(), a=3, b=3, c=3)
    free = {"a": 3, "b": 3, "c": 3}
    assert filled(selector, free, 6) == ["a", "b", "c", "a", "b", "c"]


def test_by_chance_all_are_chosen_equally_often() -> None:
    selector = told(RandomManagerSelector(), a=1, b=1, c=1, d=0)
    chance = random.Random(5)
    counts = Counter(selector.choose({}, chance.random()) for _ in range(3000))
    assert counts.keys() == {"a", "b", "c"}
    assert min(counts.values()) > 900


def test_the_fullest_is_filled_before_the_next_is_begun() -> None:
    free = {"a": 4, "b": 2, "c": 4}
    selector = told(FewestFreeManagerSelector(), **free)
    assert filled(selector, free, 7) == ["b", "b", "a", "a", "a", "a", "c"]


def test_the_emptiest_is_chosen_and_equals_in_turn() -> None:
    free = {"a": 2, "b": 4, "c": 2}
    selector = told(MostFreeManagerSelector(), **free)
    assert filled(selector, free, 5) == ["b", "b", "a", "c", "b"]


def test_the_oldest_block_with_room_is_chosen() -> None:
    free = {"eight": 1, "nine": 1, "ten": 1, "eleven": 5}
    selector = told(BlockIdManagerSelector(), **free)
    assert filled(selector, free, 3) == ["eight", "nine", "ten"]
    selector.changed("nine", 1)
    assert selector.choose({}, 0.0) == "nine"


@pytest.mark.parametrize("make", [FewestFreeManagerSelector, MostFreeManagerSelector])
def test_a_ranking_forgets_what_is_out_of_date(make: type[FewestFreeManagerSelector]) -> None:
    selector = make()
    told(selector, a=1, b=2)
    for step in range(10_000):
        selector.changed("a", 1 + step % 7)
    assert len(selector._ranking._heap) < 100
