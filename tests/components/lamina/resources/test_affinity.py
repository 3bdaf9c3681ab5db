import pytest

from lamina.resources.affinity import (
    check_affinity,
    cores_of_workers,
    listed_cores,
    preferred_order,
)
from lamina.vocabulary import ConfigError


@pytest.mark.parametrize(
    "affinity,workers,cores",
    [
        ("none", 2, None),
        ("block", 2, [(4, 5, 6), (7, 8, 9)]),
        ("block", 4, [(4,), (5,), (6,), (7,)]),
        ("block-reverse", 2, [(9, 8, 7), (6, 5, 4)]),
        ("alternating", 3, [(4, 7), (5, 8), (6, 9)]),
        ("alternating", 4, [(4,), (5,), (6,), (7,)]),
        ("list:4:5,7-8", 2, [(4,), (5, 7, 8)]),
        ("list:9:8:7", 2, [(9,), (8,)]),
    ],
)
def test_cores_are_dealt_out_as_asked(
    affinity: str, workers: int, cores: list[tuple[int, ...]] | None
) -> None:
    check_affinity(affinity)
    assert cores_of_workers(affinity, range(4, 10), workers) == cores


def test_more_workers_than_cores_share_them() -> None:
    assert cores_of_workers("block", (2, 3), 3) == [(2,), (3,), (2,)]
    assert cores_of_workers("alternating", (2, 3), 3) == [(2,), (3,), (2,)]


@pytest.mark.parametrize(
    "affinity", ["", "blocks", None, 3, "list:", "list:a", "list:1-", "list:1:"]
)
def test_what_is_no_affinity_is_refused(affinity: object) -> None:
    with pytest.raises(ConfigError, match="cpu_affinity is"):
        check_affinity(affinity)


def test_a_range_that_goes_down_is_refused() -> None:
    with pytest.raises(ConfigError, match="lower one first"):
        listed_cores("list:3-1")


def test_a_core_that_the_node_has_not_is_named() -> None:
    with pytest.raises(ConfigError, match=r"core 7 is none of those .*: 0, 1"):
        cores_of_workers("list:0:7", (0, 1), 2)


def test_a_core_that_stands_in_a_list_twice_counts_once() -> None:
    assert listed_cores("list:1,1,2-3,3") == [(1, 2, 3)]


def test_tasks_get_cores_in_the_order_of_the_affinity() -> None:
    assert preferred_order("block", (2, 0, 1)) == [0, 1, 2]
    assert preferred_order("block-reverse", (0, 1, 2)) == [2, 1, 0]
    assert preferred_order("list:2,0:2", (0, 1, 2)) == [2, 0]
