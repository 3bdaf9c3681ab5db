import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import pytest

from lamina.scaling import NodeWatch, Quarantine, SetAside
from lamina.scaling.node_watch import trials_of


class Work(NamedTuple):
    """A task of the simulated queue."""

    app: str
    takes: float
    """Seconds, if it succeeds."""
    fails: Callable[[str], bool]
    """Whether it does on a place of this name."""


class Pool:
    """Places with some workers each, which take tasks from one queue as they become free.

    A task that fails does so in a tenth of a second. The watch hears of every end, and whoever is
    set aside takes no more.
    """

    def __init__(self, places: int, *, workers: int = 2, rules: Quarantine | None = None) -> None:
        self.watch = NodeWatch(rules or Quarantine())
        self.now = 0.0
        self.aside: list[SetAside] = []
        self.ends: Counter[tuple[str, bool]] = Counter()
        self._free = [f"p{n}" for n in range(places) for _ in range(workers)]
        self._running: list[tuple[float, int, str, Work, float, bool]] = []
        for n in range(places):
            self.watch.came(f"p{n}", f"node{n}", 0.0)

    def run(self, queue: Iterable[Work]) -> "Pool":
        tasks = enumerate(queue)
        while True:
            gone = {verdict.place for verdict in self.aside}
            self._free = [place for place in self._free if place not in gone]
            while self._free and (next_ := next(tasks, None)) is not None:
                number, work = next_
                place = self._free.pop(0)
                bad = work.fails(place)
                end = self.now + (0.1 if bad else work.takes)
                heapq.heappush(self._running, (end, number, place, work, self.now, bad))
            if not self._running:
                return self
            self._end(*heapq.heappop(self._running))

    def _end(self, end: float, _: int, place: str, work: Work, began: float, bad: bool) -> None:
        self.now = end
        self.ends[place, bad] += 1
        self._free.append(place)
        if bad:
            verdict = self.watch.failed(place, work.app, began, end)
            if verdict is not None:
                self.aside.append(verdict)
        elif self.watch.awake:
            self.watch.succeeded(place, work.app, began, end)

    @property
    def places(self) -> set[str]:
        """Those that were set aside."""
        return {verdict.place for verdict in self.aside}


def only_on(*places: str) -> Callable[[str], bool]:
    return lambda place: place in places


def never(place: str) -> bool:
    return False


def always(place: str) -> bool:
    return True


def works(
    count: int, fails: Callable[[str], bool], app: str = "app", takes: float = 1.0
) -> list[Work]:
    return [Work(app, takes, fails)] * count


def test_one_bad_of_three_is_set_aside_before_it_has_eaten_much() -> None:
    pool = Pool(3).run(works(1000, only_on("p1")))
    (verdict,) = pool.aside
    assert (verdict.place, verdict.node) == ("p1", "node1")
    assert verdict.failed == verdict.ran >= 5
    assert verdict.failed_elsewhere == 0
    assert verdict.ran_elsewhere >= 3
    assert pool.ends["p1", True] < 150, "its tasks fail ten times as fast as others run"
    assert "'app'" in verdict.evidence


@pytest.mark.parametrize("seed", range(10))
def test_chance_does_not_hide_a_bad_node(seed: int) -> None:
    chance = random.Random(seed)

    def fails(place: str) -> bool:
        return chance.random() < (0.8 if place == "p3" else 0.05)

    assert Pool(8).run(Work("app", chance.uniform(0.5, 2), fails) for _ in range(3000)).places == {
        "p3"
    }


@pytest.mark.parametrize("seed", range(10))
def test_two_bad_of_five_are_both_set_aside(seed: int) -> None:
    chance = random.Random(seed)
    queue = (Work("app", chance.uniform(0.5, 2), only_on("p0", "p4")) for _ in range(3000))
    assert Pool(5).run(queue).places == {"p0", "p4"}


def test_an_app_that_fails_everywhere_is_no_fault_of_a_node() -> None:
    assert Pool(5).run(works(2000, always)).aside == []


@pytest.mark.parametrize("seed", range(10))
def test_an_app_that_fails_everywhere_now_and_then_is_no_fault_of_a_node(seed: int) -> None:
    chance = random.Random(seed)
    rate = chance.choice([0.02, 0.2, 0.5, 0.8])
    queue = (
        Work("app", chance.expovariate(1), lambda _: chance.random() < rate) for _ in range(5000)
    )
    assert Pool(chance.choice([2, 5, 40])).run(queue).aside == []


@pytest.mark.parametrize("seed", range(10))
def test_arguments_that_are_wrong_are_no_fault_of_a_node(seed: int) -> None:
    chance = random.Random(seed)

    def queue() -> Iterator[Work]:
        for _ in range(60):  # wrong ones come in runs
            wrong = chance.random() < 0.4
            yield from works(chance.randrange(1, 80), always if wrong else never, takes=3.0)

    assert Pool(6).run(queue()).aside == []


def test_a_run_of_wrong_arguments_that_one_node_gets_is_not_held_against_it() -> None:
    # All others succeed meanwhile, but with what they had begun before.
    queue = [
        *(Work("app", 1.0 if n == 0 else 50.0, never) for n in range(10)),
        *works(200, always),
    ]
    pool = Pool(10, workers=1).run(queue)
    assert pool.ends["p0", True] > 100
    assert pool.aside == []


def test_an_app_that_no_other_node_has_run_says_nothing() -> None:
    watch = NodeWatch(Quarantine())
    for n in range(3):
        watch.came(f"p{n}", f"node{n}", 0.0)
    for n in range(100):
        assert watch.failed("p0", "app", n, n) is None
        watch.succeeded("p1", "another", n, n)


def test_an_app_that_does_well_there_does_not_excuse_one_that_does_not() -> None:
    queue = [
        work
        for _ in range(300)
        for work in (*works(1, only_on("p1"), "gpu"), *works(3, never, "cpu"))
    ]
    pool = Pool(3).run(queue)
    assert pool.places == {"p1"}
    assert pool.aside[0].apps == ("gpu",)


def test_before_anything_fails_it_need_not_be_told_anything() -> None:
    watch = NodeWatch(Quarantine())
    watch.came("p0", "node0", 0.0)
    assert not watch.awake
    watch.failed("p0", "app", 1.0, 1.0)
    assert watch.awake


def test_a_node_that_has_been_well_for_long_has_a_clean_record() -> None:
    watch = convict_almost(Quarantine(window=60.0))
    assert watch.failed("p0", "app", 1000.0, 1000.0) is None, "one failure is nothing"
    assert convict_almost(Quarantine(window=60.0)).failed("p0", "app", 20.0, 20.0) is not None


def convict_almost(rules: Quarantine) -> NodeWatch:
    """A watch for which one more failure on p0, begun at 5.0, will be too many."""
    watch = NodeWatch(rules)
    for n in range(4):
        watch.came(f"p{n}", f"node{n}", 0.0)
    for n in range(4):
        assert watch.failed("p0", "app", 1.0 + n, 1.0 + n) is None
        for _ in range(8):
            watch.succeeded("p1", "app", 1.5 + n, 2.0 + n)
    return watch


def test_a_bad_record_of_long_ago_does_not_outweigh_the_present() -> None:
    watch = convict_almost(Quarantine())
    times = itertools.count(5.0)
    for now in itertools.islice(times, 5000):
        watch.succeeded("p0", "app", now, now)
        watch.succeeded("p1", "app", now + 0.5, now + 0.5)
    for now in itertools.islice(times, 100):  # it has become bad again
        if watch.failed("p0", "app", now, now) is not None:
            return
        watch.succeeded("p1", "app", now + 0.5, now + 0.5)
    pytest.fail("it was never set aside")


def test_half_of_the_nodes_are_left() -> None:
    watch = NodeWatch(Quarantine())
    watch.came("p0", "node0", 0.0)
    for n in range(50):
        assert watch.failed("p0", "app", n, n) is None, "there is no other"
    pool = Pool(2).run(works(500, only_on("p0")))
    assert pool.places == {"p0"}


def test_a_limit_keeps_it_from_setting_everything_aside() -> None:
    rules = Quarantine(limit=1)
    pool = Pool(6, rules=rules).run(works(4000, only_on("p0", "p1")))
    assert [verdict.over_limit for verdict in pool.aside] == [False, True]


def test_a_limit_of_none_switches_it_off() -> None:
    assert Pool(3, rules=Quarantine(limit=0)).run(works(500, only_on("p0"))).aside == []


def test_a_node_that_was_set_aside_and_comes_again_is_known() -> None:
    watch = convict_almost(Quarantine(window=600.0))
    assert watch.failed("p0", "app", 5.0, 5.0) is not None
    watch.went("p0")
    assert watch.came("p9", "node0", 10.0)
    assert watch.failed("p9", "app", 11.0, 11.0) is None, "it has no tasks to fail"
    watch.went("p9")
    assert not watch.came("p10", "node0", 10_000.0), "it may have been repaired since"


def test_one_manager_of_a_node_may_be_bad_while_another_does_well() -> None:
    watch = NodeWatch(Quarantine())
    for place in ("p0", "p1", "p2"):
        assert not watch.came(place, "host", 0.0)
    for n in range(30):
        if watch.failed("p0", "app", n, n) is not None:
            break
        watch.succeeded("p1", "app", n + 0.5, n + 0.5)
    else:
        pytest.fail("it was never set aside")
    assert not watch.came("p3", "host", 40.0)


def test_a_node_that_somebody_vouches_for_is_never_set_aside() -> None:
    watch = convict_almost(Quarantine())
    assert watch.failed("p0", "app", 5.0, 5.0) is not None
    assert watch.lift("node0") == ["p0"]
    for n in range(100):
        watch.succeeded("p1", "app", 6.5 + n, 6.5 + n)
        assert watch.failed("p0", "app", 7.0 + n, 7.0 + n) is None
    watch.went("p0")
    assert not watch.came("p9", "node0", 7.0)
    assert watch.lift("elsewhere") == []


def test_what_fails_between_two_successes_elsewhere_is_one_trial() -> None:
    assert trials_of([1.1, 1.2, 1.3, 2.5, 2.6], [], [1.0, 2.0, 3.0]) == (2, 2)
    assert trials_of([1.1, 1.2], [1.3, 2.5], [1.0, 2.0]) == (1, 3)
    assert trials_of([0.5, 9.0], [], []) == (1, 1)
    assert trials_of([], [], [1.0]) == (0, 0)


def test_the_latest_trials_count() -> None:
    elsewhere = [float(n) for n in range(100)]
    failed = [n + 0.5 for n in range(50, 99)]
    done = [n + 0.5 for n in range(50)]
    assert trials_of(failed, done, elsewhere) == (40, 40)


def test_what_a_manager_says_that_has_gone_counts_for_nothing() -> None:
    watch = NodeWatch(Quarantine())
    assert watch.failed("p0", "app", 1.0, 1.0) is None
    assert not watch.awake


def test_apps_with_ever_new_names_cost_no_more_memory() -> None:
    watch = NodeWatch(Quarantine())
    for n in range(2):
        watch.came(f"p{n}", f"node{n}", 0.0)
    for n in range(2000):
        watch.failed("p0", f"app {n}", n / 10, n / 10)
        watch.succeeded("p1", f"app {n}", n / 10, n / 10)
    assert len(watch._notes) <= 256
