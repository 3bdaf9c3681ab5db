from typing import Any

import pytest

from lamina.apps.options import Options, changed, make_options, read_specification
from lamina.retry_policy import Never, Retries
from lamina.vocabulary import ConfigError, Resources


def test_options_become_the_part_of_the_task_that_is_not_default() -> None:
    assert Options().for_tasks() == {}
    options = make_options(
        {"executors": ["a"], "retries": 2, "walltime": "00:01:00", "memory_limit": "1 KiB"}
    )
    assert options.for_tasks() == {
        "executors": ("a",),
        "retry": Retries(2),
        "walltime": 60,
        "memory_limit": 1024,
    }
    assert make_options({"executors": "all"}).for_tasks() == {}
    assert make_options({"walltime": 0, "expected": 5}).for_tasks() == {
        "walltime": 0,
        "expected": 5,
    }


@pytest.mark.parametrize(
    "given",
    [
        {"prioritee": 1},
        {"executors": "htex"},
        {"executors": []},
        {"executors": 3},
        {"ignore_for_cache": "x"},
        {"walltime": []},
        {"walltime": "soon"},
        {"resources": {"coores": 1}},
        {"resources": 3},
        {"env": {"A": 1}},
        {"env": "A=1"},
        {"resources": {1: 2}},
        {"resources": {"cores": "two"}},
        {"memory_limit": []},
        {"hints": "few"},
        {"priority": "high"},
        {"priority": float("nan")},
        {"retries": -1},
        {"retry": 3},
        {"retry": Never},
        {"name": 3},
        {"retries": 1, "retry": Never()},
    ],
    ids=str,
)
def test_what_cannot_work_is_refused_and_named(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="|".join([*given, "a task asks"])):
        make_options(given)


def test_an_unknown_option_lists_the_valid_ones() -> None:
    with pytest.raises(ConfigError, match="priority"):
        changed(Options(), {"nonsense": 1})


def test_a_number_of_retries_takes_the_place_of_a_policy_and_the_other_way() -> None:
    never = make_options({"retry": Never()})
    assert changed(never, {"retries": 1}).for_tasks() == {"retry": Retries(1)}
    assert changed(make_options({"retries": 1}), {"retry": Never()}).retry == Never()
    assert changed(never, {"priority": 3}).retry == Never()


def test_resources_and_env_are_read() -> None:
    options = make_options(
        {"resources": {"cores": 2}, "env": {"A": "b"}, "ignore_for_cache": ["x"]}
    )
    assert options.resources == Resources(cores=2)
    assert options.for_tasks()["env"] == {"A": "b"}
    assert options.ignore_for_cache == {"x"}


def test_a_specification_keeps_the_units_that_its_users_know() -> None:
    resources, expected = read_specification(
        {"cores": 2, "memory": 3, "disk": 1, "gpus": 1, "num_nodes": 2, "ranks_per_node": 4,
         "running_time_min": 2}
    )  # fmt: skip
    assert resources == Resources(
        cores=2, memory=3 * 2**20, accelerators=1, nodes=2, ranks=8, extra={"disk": 2**20}
    )
    assert expected == 120


@pytest.mark.parametrize(
    "given,nodes,ranks",
    [
        ({"num_nodes": 3}, 3, 0),
        ({"num_ranks": 6}, 0, 6),
        ({"ranks_per_node": 4}, 0, 4),
        ({"num_ranks": 8, "ranks_per_node": 4}, 2, 8),
        ({"num_nodes": 2, "num_ranks": 6, "ranks_per_node": 3}, 2, 6),
    ],
)
def test_nodes_ranks_and_ranks_on_each_say_each_other(
    given: dict[str, int], nodes: int, ranks: int
) -> None:
    assert read_specification(given)[0] == Resources(nodes=nodes, ranks=ranks)


def test_options_of_the_launcher_are_text_of_their_own() -> None:
    resources, _ = read_specification({"num_ranks": 1, "launcher_options": "-v"})
    assert resources == Resources(ranks=1, extra={"launcher_options": "-v"})
    with pytest.raises(ConfigError, match="launcher_options=3; it must be text"):
        read_specification({"launcher_options": 3})


def test_counts_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ConfigError, match="which cannot all be"):
        read_specification({"num_nodes": 2, "num_ranks": 6, "ranks_per_node": 4})


@pytest.mark.parametrize("given", [3, {"priority": 1}, {"kores": 1}, {"cores": "two"}], ids=str)
def test_a_specification_that_cannot_work_is_refused(given: object) -> None:
    with pytest.raises(ConfigError, match="parsl_resource_specification"):
        read_specification(given)
