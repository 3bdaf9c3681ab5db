"""Who is first, by ranks that change."""

import random

from lamina.htex_core.ranking import SPARE, Ranking


def ranking(**ranks: int) -> Ranking:
    made = Ranking()
    for uid, rank in ranks.items():
        made.put(uid, rank)
    return made


def test_the_lowest_rank_is_first_and_of_equals_who_got_it_first() -> None:
    made = ranking(a=2, b=1, c=1)
    assert made.first() == "b"
    made.put("b", 3)
    assert (made.first(), made.rank("b"), len(made)) == ("c", 3, 3)
    made.put("c", 1)  # no news
    made.drop("c")
    made.drop("c")
    assert (made.first(), len(made)) == ("a", 2)


def test_the_best_is_the_first_that_suits_and_nobody_loses_a_place() -> None:
    made = ranking(a=1, b=2, c=3)
    assert made.best(lambda uid: uid != "a") == "b"
    assert made.best(lambda uid: False) is None
    assert made.best(lambda uid: True) == "a"
    assert Ranking().best(lambda uid: True) is None


def test_in_a_random_walk_it_says_what_sorting_would_and_keeps_little() -> None:
    chance, made, ranks = random.Random(1), Ranking(), dict[str, int]()
    for _ in range(3000):
        uid = f"m{chance.randrange(20)}"
        if chance.random() < 0.2:
            made.drop(uid)
            ranks.pop(uid, None)
        else:
            ranks[uid] = chance.randrange(10)
            made.put(uid, ranks[uid])
        if ranks:
            assert ranks[made.first()] == min(ranks.values())
            odd = {uid: rank for uid, rank in ranks.items() if int(uid[1:]) % 2}
            found = made.best(lambda uid: bool(int(uid[1:]) % 2))
            assert (found is None) == (not odd)
            assert found is None or ranks[found] == min(odd.values())
        assert len(made._heap) <= 2 * 20 + SPARE + 1
