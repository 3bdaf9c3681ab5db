from typing import Any

from lamina.blocks.guard import BREAK, LONGEST_PAUSE, LONGEST_SILENCE, UNLIMITED, Guard
from lamina.scaling import Guards


def guard(first: int = 1, **rules: Any) -> Guard:
    return Guard(Guards(**rules), first, retry=5.0)


def ask(of: Guard, now: float) -> int:
    """Ask for as many blocks as are allowed, and say how many that were."""
    count = of.allowance(now)
    for _ in range(count):
        of.asked(now)
    return count


def test_no_more_than_so_many_are_asked_for_in_any_minute() -> None:
    one = guard(submissions_per_minute=3)
    one.asked(0.0)
    assert ask(one, 30.0) == 2
    assert ask(one, 59.9) == 0
    assert ask(one, 60.0) == 1
    assert ask(one, 89.9) == 0
    assert ask(one, 90.0) == 2


def test_the_initial_blocks_are_asked_for_at_once() -> None:
    one = guard(first=10, submissions_per_minute=3)
    assert ask(one, 0.0) == 10
    assert ask(one, 59.0) == 0
    assert ask(one, 60.0) == 3


def test_in_all_there_are_no_more_than_so_many_and_then_it_says_why() -> None:
    one = guard(submissions_per_minute=None, max_submissions=5)
    assert ask(one, 0.0) == 5
    assert ask(one, 1e9) == 0
    assert "5 blocks have been asked for" in one.why_never(1e9)


def test_without_rules_there_is_no_limit_and_a_request_that_was_not_made_does_not_count() -> None:
    assert guard(submissions_per_minute=None, max_submissions=None).allowance(0.0) == UNLIMITED
    one = guard(submissions_per_minute=1)
    one.asked(0.0)
    one.unasked()
    assert one.allowance(0.0) == 1


def test_each_young_death_but_the_first_doubles_the_pause_and_one_that_lasts_ends_it() -> None:
    one = guard(max_young=None, pause=1.0)
    one.died_young(100.0, "")
    assert one.not_before == 0.0
    pauses = []
    for _ in range(8):
        one.died_young(100.0, "")
        pauses.append(one.not_before - 100.0)
        assert one.allowance(one.not_before - 0.01) == 0
        assert one.allowance(one.not_before) > 0
    assert pauses == [1, 2, 4, 8, 16, 32, LONGEST_PAUSE, LONGEST_PAUSE]
    one.proved()
    one.died_young(200.0, "")
    one.died_young(200.0, "")
    assert one.not_before == 201.0


def test_so_many_in_a_row_open_the_breaker_and_then_one_is_tried_now_and_then() -> None:
    one = guard(max_young=3)
    for turn in range(3):
        assert not one.open
        one.died_young(float(turn), f"block {turn} said ouch")
    assert one.open
    assert one.not_before == 2.0 + BREAK
    why = one.why_never(3.0)
    assert "3 blocks in a row died young" in why
    assert "block 2 said ouch" in why
    assert ask(one, 2.0 + BREAK) == 1
    assert ask(one, 3.0 + BREAK) == 0
    one.proved()
    assert not one.open
    assert one.why_never(3.0) == ""


def test_those_that_others_have_ended_do_not_open_it() -> None:
    one = guard(max_young=3)
    for turn in range(10):
        one.died_young(float(turn), "")
    assert not one.open


def test_a_batch_system_that_takes_none_is_asked_for_one_ever_more_seldom() -> None:
    one = guard(first=10)
    pauses = []
    for _ in range(9):
        one.untaken(100.0)
        pauses.append(one.not_before - 100.0)
        assert one.allowance(one.not_before) == 1
    assert pauses == [5, 10, 20, 40, 80, 160, 320, LONGEST_SILENCE, LONGEST_SILENCE]
    one.taken()
    assert one.allowance(one.not_before) > 1
