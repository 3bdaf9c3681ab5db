from lamina.blocks import ManagerWork, Work
from lamina.blocks.block import Block
from lamina.blocks.work import busy_in, drains, idle_of, last_busy_in
from lamina.vocabulary import BlockId

IDLE, BUSY = ManagerWork(0, 7.0), ManagerWork(3, None)


def block(name: str, *managers: str) -> Block:
    held = Block(BlockId(name), 0.0)
    for manager in managers:
        held.came(manager, 4, 1.0)
    return held


def test_a_block_has_what_its_managers_have() -> None:
    work = Work(9, managers={"a": BUSY, "b": ManagerWork(1, None), "c": BUSY})
    assert busy_in(block("0", "a", "b"), work) == 4


def test_one_of_which_nothing_was_heard_is_full_as_long_as_there_is_work() -> None:
    assert busy_in(block("0", "a", "b"), Work(9, managers={"a": IDLE})) == 4
    assert busy_in(block("0", "a", "b"), Work(0, managers={"a": IDLE})) == 0


def test_it_was_last_busy_with_the_last_of_its_managers() -> None:
    work = Work(9, managers={"a": IDLE, "b": ManagerWork(0, 9.0)})
    assert last_busy_in(block("0", "a", "b"), work) == 9.0
    assert last_busy_in(block("0", "a", "c"), work) is None
    assert last_busy_in(block("0"), work) is None


def test_it_drains_when_all_of_its_managers_do() -> None:
    work = Work(9, managers={"a": ManagerWork(0, 7.0, True), "b": IDLE})
    assert drains(block("0", "a"), work)
    assert not drains(block("0", "a", "b"), work)
    assert not drains(block("0", "c"), work)


def test_of_those_that_wait_the_youngest_are_not_needed() -> None:
    waiting = [block("1"), block("2"), block("3")]
    blocks = [block("0", "a"), *waiting]
    work = {"a": BUSY}
    assert idle_of(blocks, Work(13, managers=work), 1.0, 4) == [False, False, False, False]
    assert idle_of(blocks, Work(9, managers=work), 1.0, 4) == [False, False, False, True]
    assert idle_of(blocks, Work(9, managers=work), 0.5, 4) == [False, False, True, True]
    assert idle_of(waiting, Work(1), 0.0, 4) == [False, True, True]
    assert idle_of(blocks, Work(0, managers={"a": IDLE}), 1.0, 4) == [True, True, True, True]
