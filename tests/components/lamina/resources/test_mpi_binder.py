from pathlib import Path
from typing import Any

import pytest

from lamina.resources import Binding, MPIBinder, NodeFacts
from lamina.resources.hosts import Host
from lamina.resources.mpi_binder import block_hosts
from lamina.vocabulary import ConfigError, Resources

SLURM = {"SLURM_JOB_NODELIST": "n[1-3]", "SLURM_JOB_CPUS_PER_NODE": "8(x2),4"}


def node(env: dict[str, str] | None = None, most: int | None = None) -> NodeFacts:
    return NodeFacts(host="n1", cores=(0, 1), memory=2**30, env=env or {}, most_workers=most)


def on(env: dict[str, str] | None = None, **options: Any) -> MPIBinder:
    binder = MPIBinder(**({"family": "hydra"} | options))
    binder.offer(node(env))
    return binder


def got(binding: Binding | None) -> Binding:
    assert binding is not None
    return binding


def launcher(folder: Path, says: str) -> str:
    path = folder / "launch"
    path.write_text(f"#!/bin/sh\necho '{says}'\n", encoding="utf-8")
    path.chmod(0o700)
    return str(path)


def test_slurm_names_the_nodes_and_their_cores() -> None:
    assert block_hosts(node(SLURM), None, 2) == [Host("n1", 8), Host("n2", 8), Host("n3", 4)]
    assert block_hosts(node({"SLURM_NODELIST": "n7"}), None, 2) == [Host("n7", 2)]


def test_pbs_names_them_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "nodes"
    path.write_text("n1\nn1\nn2\nn2\n", encoding="ascii")
    assert block_hosts(node({"PBS_NODEFILE": str(path)}), None, 9) == [Host("n1", 2), Host("n2", 2)]


def test_a_hostfile_has_the_first_word(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("m1 slots=3\n", encoding="ascii")
    assert block_hosts(node(SLURM), str(path), 2) == [Host("m1", 3)]


def test_without_a_batch_system_it_is_this_host() -> None:
    assert block_hosts(node(), None, 2) == [Host("localhost", 2)]


def test_a_list_of_nodes_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere cannot be read on n1: No such file"):
        block_hosts(node(), str(tmp_path / "nowhere"), 2)


def test_there_is_a_worker_for_each_node_or_for_each_rank_of_one() -> None:
    binder = MPIBinder(family="hydra")
    offer = binder.offer(node(SLURM))
    assert (offer.workers, offer.totals()) == (3, {"nodes": 3, "ranks": 20})
    assert binder.offer(node()).workers == 2
    assert binder.offer(node(most=5)).workers == 5
    assert MPIBinder(family="hydra", slots_per_node=500).offer(node()).workers == 64


def test_slots_per_node_has_the_last_word() -> None:
    assert MPIBinder(family="hydra", slots_per_node=2).offer(node(SLURM)).ranks == 6


def test_the_launcher_is_asked_whose_it_is(tmp_path: Path) -> None:
    program = launcher(tmp_path, "mpiexec (OpenRTE) 4.1.4")
    binder = MPIBinder(mpiexec=program)
    binder.offer(node())
    binding = got(binder.bind(0, Resources(ranks=2)))
    assert binding.env["PARSL_MPI_PREFIX"] == f"{program} -n 2 --host localhost:2 --bind-to none"


def test_open_mpi_finds_the_slots_of_slurm_nodes_and_not_those_of_the_manager() -> None:
    env = {**SLURM, "SLURM_TASKS_PER_NODE": "1(x3)"}
    for family, found in (("openmpi", "8,8,4"), ("hydra", None)):
        binding = got(on(env, family=family).bind(0, Resources(nodes=1)))
        assert binding.env.get("SLURM_TASKS_PER_NODE") == found


def test_a_launcher_that_is_not_there_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere --version does not run here: No such file"):
        MPIBinder(mpiexec=str(tmp_path / "nowhere")).offer(node())


def test_a_launcher_that_is_not_used_is_not_asked(tmp_path: Path) -> None:
    binder = MPIBinder(launcher="srun", mpiexec=str(tmp_path / "nowhere"))
    binder.offer(node(SLURM))
    binding = got(binder.bind(0, Resources(nodes=2)))
    assert binding.env["PARSL_MPI_PREFIX"] == (
        "srun --ntasks 2 --nodes 2 --nodelist n1,n3 --cpus-per-task 4 --ntasks-per-node 1"
    )


def test_programs_run_beside_each_other_on_nodes_of_their_own() -> None:
    binder = on(SLURM)
    first = got(binder.bind(0, Resources(nodes=2, ranks=4)))
    second = got(binder.bind(1, Resources(nodes=1)))
    taken = [binding.env["LAMINA_MPI_NODES"].split(",") for binding in (first, second)]
    assert sorted(taken[0] + taken[1]) == ["n1", "n2", "n3"]
    assert binder.bind(2, Resources(nodes=1)) is None
    binder.release(second)
    assert got(binder.bind(2, Resources(nodes=1))).env["LAMINA_MPI_NODES"] == taken[1][0]


def test_the_users_options_come_last() -> None:
    wanted = Resources(ranks=1, extra={"launcher_options": "-v -l"})
    assert got(on().bind(0, wanted)).env["PARSL_MPI_PREFIX"].endswith(" -v -l")


def test_a_task_that_asks_for_nothing_gets_nothing_and_is_never_held_up() -> None:
    binder = on()
    binding = got(binder.bind(0, None))
    assert binding.env == binder.at_place(0).env == {}
    assert binder.leaves_room(Resources(ranks=2), 0)
    binder.release(binding)
    got(binder.bind(0, Resources(ranks=2)))


@pytest.mark.parametrize(
    "wanted,says",
    [
        (Resources(cores=1), "cores, where only nodes and ranks are handed out"),
        (Resources(ranks=1, extra={"disk": 3}), "disk, where only"),
        (Resources(nodes=2), "2 nodes, and the block has 1 node"),
        (Resources(ranks=3), "3 ranks"),
    ],
)
def test_what_can_never_be_had_is_refused(wanted: Resources, says: str) -> None:
    assert says in on().refusal(wanted)
    assert on().refusal(Resources(nodes=1, ranks=2)) == ""


@pytest.mark.parametrize(
    "options",
    [
        {"launcher": "mpirun"},
        {"family": "lam"},
        {"slots_per_node": 0},
        {"slots_per_node": True},
        {"mpiexec": ""},
        {"mpiexec": "mpiexec 'of it"},
        {"mpiexec": ["mpiexec"]},
        {"hostfile": Path("hosts")},
        {"hostfile": ""},
    ],
)
def test_an_option_that_cannot_work_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(options))} is"):
        MPIBinder(**options)


def test_it_honours_nodes_and_ranks() -> None:
    assert MPIBinder().honours == {"nodes", "ranks", "extra"}
