from lamina.routing import Candidate, LeastLoaded, RoundRobin, Router


def at(label: str, outstanding: int, slots: int) -> Candidate:
    return Candidate(label, outstanding, slots, frozenset())


def choices(router: Router, candidates: list[Candidate], count: int) -> list[str]:
    return [router.choose("t", None, candidates) for _ in range(count)]


def test_the_least_work_per_slot_wins() -> None:
    assert LeastLoaded().choose("t", None, [at("a", 3, 4), at("b", 1, 1)]) == "a"


def test_among_equals_each_gets_its_turn() -> None:
    equals = [at("a", 0, 2), at("b", 0, 4), at("c", 0, 1)]
    assert choices(LeastLoaded(), equals, 6) == ["a", "b", "c", "a", "b", "c"]


def test_an_executor_without_workers_yet_counts_as_one_slot() -> None:
    assert LeastLoaded().choose("t", None, [at("a", 2, 0), at("b", 3, 2)]) == "b"
    assert LeastLoaded().choose("t", None, [at("a", 0, 0), at("b", 1, 2)]) == "a"


def test_round_robin_looks_at_no_load() -> None:
    candidates = [at("a", 100, 1), at("b", 0, 8)]
    assert choices(RoundRobin(), candidates, 4) == ["a", "b", "a", "b"]


def test_round_robin_takes_in_a_candidate_that_comes_later() -> None:
    router = RoundRobin()
    assert choices(router, [at("a", 0, 1), at("b", 0, 1)], 3) == ["a", "b", "a"]
    assert choices(router, [at("a", 0, 1), at("b", 0, 1), at("c", 0, 1)], 3) == ["c", "b", "a"]
