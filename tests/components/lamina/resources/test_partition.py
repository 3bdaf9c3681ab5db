import random

from lamina.resources.hosts import Host
from lamina.resources.partition import Part, Partition, Wanted, wanted_of
from lamina.vocabulary import Resources


def block(*slots: int) -> Partition:
    return Partition([Host(f"n{n}", count) for n, count in enumerate(slots)])


def test_one_rank_runs_where_nothing_is_said() -> None:
    assert wanted_of(Resources(nodes=2)) == Wanted(2, 2)
    assert wanted_of(Resources(ranks=3)) == Wanted(0, 3)
    assert wanted_of(Resources()) == Wanted(0, 1)
    assert wanted_of(Resources(nodes=2, ranks=8)) == Wanted(2, 8)


def test_whole_nodes_are_shared_with_nobody() -> None:
    partition = block(4, 4)
    first = partition.take(Wanted(1, 2))
    assert first == Part([(0, 2)], whole=True)
    assert partition.take(Wanted(0, 2)) == Part([(1, 2)], whole=False)
    assert partition.take(Wanted(1, 1)) is None, "somebody runs on each"
    partition.give_back(first)
    assert partition.take(Wanted(1, 1)) == Part([(0, 1)], whole=True)


def test_ranks_share_the_fullest_node_that_has_room() -> None:
    partition = block(4, 4)
    partition.take(Wanted(0, 3))
    assert partition.take(Wanted(0, 1)) == Part([(0, 1)], whole=False)
    assert partition.take(Wanted(0, 4)) == Part([(1, 4)], whole=False)
    assert partition.take(Wanted(0, 1)) is None


def test_ranks_that_fit_on_no_node_are_spread() -> None:
    partition = block(2, 4, 4)
    partition.take(Wanted(0, 1))
    assert partition.take(Wanted(0, 6)) == Part([(1, 4), (2, 2)], whole=False)
    assert partition.take(Wanted(0, 4)) is None


def test_ranks_are_spread_evenly_over_whole_nodes() -> None:
    assert block(4, 4).take(Wanted(2, 5)) == Part([(0, 3), (1, 2)], whole=True)


def test_small_programs_leave_the_large_nodes_alone() -> None:
    assert block(8, 2, 4).take(Wanted(1, 2)) == Part([(1, 2)], whole=True)
    assert block(8, 2, 4).take(Wanted(1, 3)) == Part([(2, 3)], whole=True)


def test_what_the_block_will_never_have_is_refused() -> None:
    partition = block(2, 2)
    assert partition.refusal(Wanted(3, 3)) == "3 nodes, and the block has 2 nodes"
    assert partition.refusal(Wanted(0, 5)) == "5 ranks, and the block has 2 nodes for 4"
    assert "one rank a node or more" in partition.refusal(Wanted(2, 1))
    assert partition.refusal(Wanted(2, 64)) == ""
    assert partition.refusal(Wanted(0, 4)) == ""


def test_no_slot_is_ever_given_twice_nor_lost() -> None:
    chance = random.Random(7)
    slots = [1, 2, 4, 4, 8]
    partition = block(*slots)
    held: list[Part] = []
    for _ in range(5000):
        if chance.random() < 0.55:
            nodes = chance.choice([0, 0, 1, 2, 5])
            part = partition.take(Wanted(nodes, max(nodes, chance.randint(1, 9))))
            if part is not None:
                held.append(part)
        elif held:
            partition.give_back(held.pop(chance.randrange(len(held))))
        used: dict[int, list[Part]] = {}
        for part in held:
            for n, _ in part.nodes:
                used.setdefault(n, []).append(part)
        for n, parts in used.items():
            assert len(parts) == 1 or not any(part.whole for part in parts)
            shared = [dict(part.nodes)[n] for part in parts if not part.whole]
            assert sum(shared) <= slots[n]
    for part in held:
        partition.give_back(part)
    assert partition.take(Wanted(5, 5)) is not None


def test_a_long_backlog_costs_no_depth() -> None:
    """Two programs that wait, of which the next does not fit either, harm nobody."""
    partition = block(1, 1)
    running = partition.take(Wanted(2, 2))
    assert running is not None
    for _ in range(20_000):
        assert partition.take(Wanted(2, 2)) is None
        assert partition.take(Wanted(1, 1)) is None
    partition.give_back(running)
    assert partition.take(Wanted(2, 2)) is not None
