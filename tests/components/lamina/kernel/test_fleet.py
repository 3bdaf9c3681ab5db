from collections.abc import Sequence
from pathlib import Path

import pytest

from lamina.executors import Site, ThreadPoolExecutor
from lamina.kernel.fleet import Fleet
from lamina.routing import Candidate
from lamina.vocabulary import ConfigError, Resources
from tests.fakes.executors import HandExecutor


class Fixed:
    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.asked: list[Sequence[Candidate]] = []

    def choose(
        self, task: str, resources: Resources | None, candidates: Sequence[Candidate]
    ) -> str:
        self.asked.append(candidates)
        return self.answer


def test_the_router_is_asked_only_where_there_is_a_choice(tmp_path: Path) -> None:
    router = Fixed("b")
    fleet = Fleet([HandExecutor("a"), HandExecutor("b")], router, Site(run_dir=tmp_path))
    assert fleet.route("t", ["a"], None) == "a"
    assert not router.asked
    assert fleet.route("t", None, Resources(cores=1)) == "b"
    assert [candidate.label for candidate in router.asked[0]] == ["a", "b"]
    fleet.close(0)


def test_a_router_that_invents_a_label_is_told_of_those_there_are(tmp_path: Path) -> None:
    fleet = Fleet([HandExecutor("a"), HandExecutor("b")], Fixed("c"), Site(run_dir=tmp_path))
    with pytest.raises(ConfigError, match="it may choose a, b"):
        fleet.route("t", None, None)


def test_those_are_able_that_honour_what_is_asked(tmp_path: Path) -> None:
    fleet = Fleet([HandExecutor("a"), ThreadPoolExecutor("b")], None, Site(run_dir=tmp_path))
    assert fleet.able(None) == fleet.able(Resources()) == ["a", "b"]
    assert fleet.able(Resources(cores=1)) == ["a"]
    fleet.close(0)


def test_what_is_asked_in_vain_is_told_of_each_executor(tmp_path: Path) -> None:
    fleet = Fleet([HandExecutor("a"), ThreadPoolExecutor("b")], None, Site(run_dir=tmp_path))
    with pytest.raises(ConfigError) as caught:
        fleet.route("t", None, Resources(cores=1, accelerators=1, extra={"disk": 5}))
    assert str(caught.value) == (
        "t asks for accelerators, cores, extra (disk), and 'a' does not honour accelerators, "
        "extra (disk); 'b' does not honour accelerators, cores, extra (disk)"
    )
    fleet.close(0)


def test_no_label_at_all_is_refused(tmp_path: Path) -> None:
    fleet = Fleet([HandExecutor("a")], None, Site(run_dir=tmp_path))
    with pytest.raises(ConfigError, match="empty"):
        fleet.check(())


class Sick(HandExecutor):
    def start(self, site: Site) -> None:
        raise ConfigError("cannot")

    def close(self, timeout: float | None = None) -> None:
        raise RuntimeError("nor this")


def test_if_one_cannot_start_those_that_had_are_closed_again(tmp_path: Path) -> None:
    good = HandExecutor("a")
    with pytest.raises(ConfigError, match="cannot"):
        Fleet([good, Sick("b")], None, Site(run_dir=tmp_path))
    assert (good.starts, good.running) == (1, False)


def test_one_that_is_added_is_for_those_who_know_of_it(tmp_path: Path) -> None:
    fleet = Fleet([HandExecutor("a")], None, Site(run_dir=tmp_path))
    fleet.add(HandExecutor("ours"))
    assert fleet.labels == ("a",)
    assert fleet.route("t", None, None) == "a"
    assert fleet.route("t", ["ours"], None) == "ours"
    with pytest.raises(ConfigError, match="the labels are 'a'"):
        fleet.check(["ours"])
    fleet.close(0)
