import re
from typing import Any

import pytest

from lamina.resources import Binding, NodeBinder, NodeFacts
from lamina.vocabulary import ConfigError, Resources

GIB = 2**30


def node(**given: Any) -> NodeFacts:
    facts: dict[str, Any] = {"host": "n1", "cores": (0, 1, 2, 3), "memory": 8 * GIB}
    return NodeFacts(**(facts | given))


def on(facts: NodeFacts | None = None, **options: Any) -> NodeBinder:
    binder = NodeBinder(**options)
    binder.offer(facts or node())
    return binder


def got(binding: Binding | None) -> Binding:
    assert binding is not None
    return binding


@pytest.mark.parametrize(
    "options,facts,workers",
    [
        ({}, {}, 4),
        ({"cores_per_worker": 2}, {}, 2),
        ({"cores_per_worker": 0.5}, {}, 8),
        ({"cores_per_worker": 9}, {}, 1),
        ({"cores_per_worker": 0.1}, {"cores": (0,)}, 10),
        ({"mem_per_worker": 3 * GIB}, {}, 2),
        ({"mem_per_worker": 3 * GIB}, {"memory": 0}, 4),
        ({"available_accelerators": 3}, {}, 3),
        ({"cpu_affinity": "list:0:1"}, {}, 2),
        ({}, {"most_workers": 3}, 3),
        ({}, {"most_workers": 9}, 9),
        ({"cores_per_worker": 2}, {"most_workers": 9}, 2),
    ],
)
def test_there_are_as_many_workers_as_what_each_is_due_allows(
    options: dict[str, Any], facts: dict[str, Any], workers: int
) -> None:
    assert NodeBinder(**options).offer(node(**facts)).workers == workers


def test_it_offers_what_the_node_has() -> None:
    offer = NodeBinder(available_accelerators=["a", "a", "b"]).offer(node())
    assert offer.totals() == {"cores": 4, "memory": 8 * GIB, "accelerators": 2}
    assert NodeBinder(available_accelerators=2).honours == {"cores", "memory", "accelerators"}
    assert NodeBinder().honours == {"cores", "memory"}


def test_wide_and_narrow_tasks_are_packed_by_their_cores() -> None:
    binder = on()
    wide = got(binder.bind(0, Resources(cores=3)))
    assert binder.bind(1, Resources(cores=2)) is None
    got(binder.bind(1, Resources(cores=0.5)))
    got(binder.bind(2, Resources(cores=0.5)))
    assert binder.bind(3, Resources(cores=0.5)) is None
    binder.release(wide)
    got(binder.bind(3, Resources(cores=3)))


def test_memory_is_counted_as_well() -> None:
    binder = on()
    got(binder.bind(0, Resources(memory=5 * GIB)))
    assert binder.bind(1, Resources(cores=1, memory=4 * GIB)) is None
    got(binder.bind(1, Resources(cores=1, memory=3 * GIB)))


def test_a_worker_whose_tasks_ask_for_nothing_holds_what_it_is_due() -> None:
    binder = on(cores_per_worker=2, mem_per_worker=3 * GIB)
    due = got(binder.bind(0, None))
    assert binder.bind(1, Resources(cores=3)) is None
    assert binder.bind(1, Resources(memory=6 * GIB)) is None
    got(binder.bind(1, Resources(cores=2, memory=5 * GIB)))
    assert binder.bind(1, None) is None
    binder.release(due)
    got(binder.bind(0, Resources(cores=2)))


def test_workers_are_due_no_more_than_there_is() -> None:
    """One worker that is due more cores than the node has can still run."""
    binder = on(cores_per_worker=9)
    got(binder.bind(0, None))


def test_places_have_cores_of_their_own() -> None:
    binder = on(cpu_affinity="block", cores_per_worker=2)
    assert [binder.at_place(n).cpus for n in (0, 1)] == [(0, 1), (2, 3)]
    assert binder.at_place(0).env == {"OMP_NUM_THREADS": "2"}
    first = got(binder.bind(0, Resources(cores=1)))
    assert first.cpus == (0,)
    assert binder.bind(0, None) is None, "core 0 is taken"
    assert got(binder.bind(1, None)).cpus == (2, 3)
    second = got(binder.bind(0, Resources(cores=1)))
    assert second.cpus == (1,)
    for binding in (first, second):
        binder.release(binding)
    assert got(binder.bind(0, None)).cpus == (0, 1)


def test_a_task_gets_cores_from_the_end_where_that_is_wanted() -> None:
    binder = on(cpu_affinity="block-reverse")
    assert got(binder.bind(0, Resources(cores=2))).cpus == (2, 3)


def test_only_listed_cores_are_handed_out() -> None:
    binder = NodeBinder(cpu_affinity="list:1:3")
    assert binder.offer(node()).cores == 2
    assert got(binder.bind(0, Resources(cores=2))).cpus == (1, 3)
    assert "3 cores, of which there are 2" in binder.refusal(Resources(cores=3))


def test_workers_that_share_a_core_can_all_run() -> None:
    binder = on(node(cores=(0, 1)), cpu_affinity="block", cores_per_worker=0.5)
    assert [got(binder.bind(place, None)).cpus for place in range(4)] == [(0,), (1,), (0,), (1,)]
    assert binder.bind(0, Resources(cores=0.5)) is None


def test_a_user_who_said_how_many_threads_is_obeyed() -> None:
    binder = on(node(env={"OMP_NUM_THREADS": "7"}), cpu_affinity="block")
    assert binder.at_place(0).env == {}


def test_a_task_that_asks_for_cores_is_told_how_many_threads_to_start() -> None:
    assert got(on().bind(0, Resources(cores=3))).env == {"OMP_NUM_THREADS": "3"}
    assert got(on().bind(0, Resources(cores=0.5))).env == {}


def test_each_place_has_an_accelerator() -> None:
    binder = on(available_accelerators=["x", "y"], accelerator_family="cuda")
    assert [dict(binder.at_place(n).env) for n in (0, 1)] == [
        {"CUDA_VISIBLE_DEVICES": "x"},
        {"CUDA_VISIBLE_DEVICES": "y"},
    ]


def test_a_number_of_accelerators_means_those_that_the_batch_system_has_given() -> None:
    facts = node(env={"CUDA_VISIBLE_DEVICES": "2,3"}, devices=frozenset({"cuda"}))
    binder = on(facts, available_accelerators=2)
    assert [binder.at_place(n).env["CUDA_VISIBLE_DEVICES"] for n in (0, 1)] == ["2", "3"]


def test_the_family_is_that_of_the_node_unless_it_was_said() -> None:
    binder = on(node(devices=frozenset({"rocm"})), available_accelerators=1)
    assert binder.at_place(0).env == {"ROCR_VISIBLE_DEVICES": "0"}


def test_accelerators_are_given_whole_and_in_parts() -> None:
    binder = on(available_accelerators=3, accelerator_family="cuda")

    def shown(amount: float) -> str | None:
        binding = binder.bind(0, Resources(accelerators=amount))
        return None if binding is None else binding.env["CUDA_VISIBLE_DEVICES"]

    assert [shown(0.5), shown(0.25), shown(2), shown(0.5), shown(0.25)] == [
        "0", "0", "1,2", None, "0",
    ]  # fmt: skip


def test_a_task_that_asks_for_none_sees_none() -> None:
    binder = on(available_accelerators=2, accelerator_family="cuda")
    assert got(binder.bind(0, Resources(cores=1))).env["CUDA_VISIBLE_DEVICES"] == ""


def test_an_accelerator_named_twice_is_shared_by_two_workers() -> None:
    binder = on(available_accelerators=["a", "a"], accelerator_family="cuda")
    got(binder.bind(0, None))
    got(binder.bind(1, None))
    assert binder.bind(0, Resources(accelerators=0.5)) is None


def test_what_cannot_be_bound_in_full_takes_nothing() -> None:
    binder = on(cpu_affinity="block", available_accelerators=1)
    one = got(binder.bind(0, Resources(accelerators=1)))
    assert binder.bind(0, Resources(cores=4, accelerators=1)) is None
    got(binder.bind(0, Resources(cores=4)))
    assert binder.bind(0, Resources(cores=1)) is None
    binder.release(one)
    got(binder.bind(0, Resources(accelerators=1)))


def test_a_waiting_task_keeps_places_from_what_it_waits_for() -> None:
    binder = on()
    got(binder.bind(0, Resources(cores=4)))  # it will end
    assert binder.leaves_room(Resources(cores=3), 1)
    assert not binder.leaves_room(Resources(cores=4), 1)
    assert binder.leaves_room(Resources(memory=8 * GIB), 1)


def test_places_that_work_already_count_against_those_that_would() -> None:
    binder = on(mem_per_worker=2 * GIB)
    got(binder.bind(0, None))
    assert binder.leaves_room(Resources(cores=2), 1)
    assert not binder.leaves_room(Resources(cores=3), 1)
    assert not binder.leaves_room(Resources(memory=5 * GIB), 1)


def test_a_waiting_task_keeps_places_from_its_accelerators_and_pinned_cores() -> None:
    binder = on(available_accelerators=2, cpu_affinity="block", cores_per_worker=2)
    assert binder.leaves_room(Resources(accelerators=1), 0)
    assert not binder.leaves_room(Resources(accelerators=2), 0)
    assert binder.leaves_room(Resources(cores=2), 0)
    assert not binder.leaves_room(Resources(cores=3), 0)


@pytest.mark.parametrize(
    "wanted,says",
    [
        (Resources(cores=8), "8 cores, of which there are 4"),
        (Resources(memory=2**40), "1024.0 GiB of memory, of which there are 8.0"),
        (Resources(accelerators=1), "1 accelerators, of which there are 0"),
        (Resources(nodes=2), "ranks on nodes"),
        (Resources(ranks=2), "ranks on nodes"),
        (Resources(extra={"disk": 1}), "disk"),
        (Resources(cores=8, memory=2**40), "8 cores, .*; 1024.0 GiB"),
    ],
)
def test_what_can_never_be_had_is_refused_with_the_figures(wanted: Resources, says: str) -> None:
    refusal = on().refusal(wanted)
    assert refusal
    assert re.search(says, refusal)


def test_one_and_a_half_accelerators_are_refused() -> None:
    binder = on(available_accelerators=4)
    assert "ask for a part of one, or for whole ones" in binder.refusal(Resources(accelerators=1.5))
    assert binder.refusal(Resources(accelerators=0.5, cores=4)) == ""


@pytest.mark.parametrize(
    "options",
    [
        {"cores_per_worker": 0},
        {"cores_per_worker": True},
        {"mem_per_worker": -1},
        {"cpu_affinity": "sideways"},
        {"available_accelerators": -1},
        {"accelerator_family": "tpu"},
    ],
)
def test_an_option_that_cannot_work_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        NodeBinder(**options)
