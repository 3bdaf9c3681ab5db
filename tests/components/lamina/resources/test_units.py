import random

from lamina.resources.units import Share, Units


def test_whole_ones_are_taken_from_the_first() -> None:
    units = Units(3)
    assert units.take(2) == [(0, 1.0), (1, 1.0)]
    assert units.take(2) is None
    assert units.take(1) == [(2, 1.0)]
    assert units.take(0) == []


def test_parts_go_where_there_are_parts_already() -> None:
    units = Units(2)
    assert units.take(0.25) == [(0, 0.25)]
    assert units.take(0.5) == [(0, 0.5)]
    assert units.take(1) == [(1, 1.0)]
    assert units.take(0.5) is None
    assert units.take(0.25) == [(0, 0.25)]


def test_more_than_one_is_rounded_up_to_whole_ones() -> None:
    assert Units(2).take(1.5) == [(0, 1.0), (1, 1.0)]


def test_ten_tenths_are_one() -> None:
    units = Units(1)
    tenths = [units.take(0.1) for _ in range(10)]
    assert None not in tenths
    assert units.take(0.01) is None
    for shares in tenths:
        units.give_back(shares or ())
    assert units.take(1) == [(0, 1.0)]


def test_what_a_place_is_due_is_taken_whole_or_not_at_all() -> None:
    units = Units(3)
    units.take(1)
    assert not units.take_due([(1, 1.0), (0, 1.0)])
    assert units.take_due([(1, 1.0)])
    assert units.take(2) is None
    units.give_back([(1, 1.0)], due=True)
    assert units.take(2) == [(1, 1.0), (2, 1.0)]


def test_room_is_left_beside_what_places_hold() -> None:
    units = Units(2)
    units.take(2)  # by a task, which will end
    assert units.leave_room(2, [])
    assert units.leave_room(1, [(0, 1.0)])
    assert not units.leave_room(2, [(0, 0.5)])
    assert units.leave_room(0.5, [(0, 0.5), (1, 0.5)])
    assert not units.leave_room(0.75, [(0, 0.5), (1, 0.5)])
    assert units.leave_room(0, [(0, 1.0), (1, 1.0)])


def test_nothing_is_ever_given_twice_nor_lost() -> None:
    chance = random.Random(5)
    units = Units(4)
    held: list[tuple[list[Share], bool]] = []
    for _ in range(3000):
        draw = chance.random()
        if draw < 0.3:
            shares = units.take(chance.choice([0.1, 0.25, 0.5, 1, 1, 2, 3.5]))
            if shares is not None:
                held.append((shares, False))
        elif draw < 0.5:
            due = [(chance.randrange(4), chance.choice([1.0, 0.5]))]
            if units.take_due(due):
                held.append((due, True))
        elif held:
            shares, was_due = held.pop(chance.randrange(len(held)))
            units.give_back(shares, due=was_due)
        for n in range(4):
            used = sum(share for shares, _ in held for at, share in shares if at == n)
            assert used <= 1 + 1e-6
    for shares, was_due in held:
        units.give_back(shares, due=was_due)
    assert units.leave_room(4, [])
    assert units.take(4) is not None
