"""Real programs of real MPIs, several at once on the nodes of one block.

The nodes are names in a hostfile. Where MPI would enter one by SSH, a script notes the name and
runs the command here; all the rest, daemons and ranks and what they say to each other, is real.
"""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lamina.app_bodies import BashExitFailure
from lamina.apps import bash_app, python_app
from lamina.executors_mpi import MPIExecutor
from lamina.kernel import Config, DataFlowKernel
from lamina.launchers import SimpleLauncher
from lamina.providers import LocalProvider
from lamina.vocabulary import ResourcesUnavailable, TaskWalltime
from tests.integration.batch import environment, until
from tests.integration.htex.world import having

pytestmark = [pytest.mark.service, pytest.mark.apart, pytest.mark.timeout(180)]

WAIT = 90  # seconds
PROGRAM = Path(__file__).with_name("program.py")
NODES = ["na", "nb", "nc", "nd"]
LIBRARY = {"openmpi": "Open MPI", "mpich": "MPICH"}
SETTINGS = {
    # As root, on fewer cores than there are ranks; nodes of one host are entered by a script.
    "openmpi": (
        "export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 "
        "OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_rmaps_base_oversubscribe=1 "
        "OMPI_MCA_plm_rsh_agent={here} OMPI_MCA_btl=tcp,self "
        "OMPI_MCA_plm_rsh_no_tree_spawn=1"
    ),
    "mpich": "export HYDRA_LAUNCHER=ssh HYDRA_LAUNCHER_EXEC={here}",
}


class Site:
    """One MPI, as an executor uses it."""

    def __init__(self, name: str, folder: Path, variables: dict[str, str]) -> None:
        self.name, self.folder = name, folder
        self.python = variables[f"TESTBED_PYTHON_{name.upper()}"]
        self.mpiexec = variables[f"TESTBED_MPIEXEC_{name.upper()}"]
        self.init = SETTINGS[name].format(here=variables["TESTBED_MPI_HERE"])
        self.hostfile = folder / "hosts"
        self.hostfile.write_text("".join(f"{node} slots=1\n" for node in NODES))

    def kernel(self, **settings: Any) -> DataFlowKernel:
        executor = MPIExecutor(
            provider=LocalProvider(launcher=SimpleLauncher(), worker_init=self.init),
            mpiexec=self.mpiexec,
            **settings,
        )
        return DataFlowKernel(Config(executors=[executor], run_dir=self.folder / "runs"))

    def run(self, kernel: DataFlowKernel, path: Path, seconds: float = 0, **asked: Any) -> Any:
        """Start the program by the known name of the prefix."""

        @bash_app(data_flow_kernel=kernel)
        def program(python: str, script: str, path: str, seconds: float) -> str:
            return f"$PARSL_MPI_PREFIX {python} {script} {path} {seconds}"

        given = {"parsl_resource_specification": asked} if asked else {}
        return program(self.python, str(PROGRAM), str(path), seconds, **given)


@pytest.fixture(params=["openmpi", "mpich"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    yield Site(request.param, tmp_path, environment("mpi.sh"))
    until(lambda: not having(tmp_path), 10)  # nothing of it is left


def said(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_programs_share_a_block_with_a_backlog_behind_them(site: Site) -> None:
    """More programs wait than can run, and the next of them does not always fit."""
    sizes = [2, 2, 3, 1, 4, 1, 1, 3, 2, 1]
    with site.kernel(hostfile=str(site.hostfile)) as kernel:
        futures = [
            site.run(kernel, site.folder / str(n), 0.5, num_nodes=size, ranks_per_node=1)
            for n, size in enumerate(sizes)
        ]
        for future in futures:
            assert future.result(WAIT) == 0
    runs = [said(site.folder / str(n)) for n in range(len(sizes))]
    for size, run in zip(sizes, runs, strict=True):
        assert (run["size"], run["total"]) == (size, size * (size + 1) // 2)
        assert LIBRARY[site.name] in run["library"]
        assert run["hosts"] == run["given"]["LAMINA_MPI_NODES"].split(",")
        assert len(set(run["hosts"])) == size
    pairs = [
        (one, other)
        for n, one in enumerate(runs)
        for other in runs[n + 1 :]
        if one["began"] < other["ended"] and other["began"] < one["ended"]
    ]
    assert pairs, "no two ran at once"
    for one, other in pairs:
        assert not set(one["hosts"]) & set(other["hosts"])


def test_programs_share_one_node_by_their_ranks(site: Site) -> None:
    with site.kernel(slots_per_node=3) as kernel:
        futures = [
            site.run(kernel, site.folder / str(n), 1.0, num_ranks=ranks)
            for n, ranks in enumerate([1, 2, 3, 1])
        ]
        assert [future.result(WAIT) for future in futures] == [0, 0, 0, 0]
        too_many = site.run(kernel, site.folder / "x", num_ranks=4).exception(WAIT)
    runs = [said(site.folder / str(n)) for n in range(4)]
    assert [run["size"] for run in runs] == [1, 2, 3, 1]
    assert runs[0]["began"] < runs[1]["ended"]
    assert runs[1]["began"] < runs[0]["ended"], "the first two run at once"
    assert runs[2]["began"] >= max(runs[0]["ended"], runs[1]["ended"]) - 0.1
    assert isinstance(too_many, ResourcesUnavailable)
    assert "4 ranks, and the block has 1 node for 3" in str(too_many)


def test_a_program_that_fails_gives_its_nodes_back(site: Site) -> None:
    site.hostfile.write_text("na slots=1\nnb slots=1\n")
    with site.kernel(hostfile=str(site.hostfile)) as kernel:

        @bash_app(data_flow_kernel=kernel)
        def failing() -> str:
            return "$LAMINA_MPI_PREFIX sh -c 'exit 3'"

        error = failing(parsl_resource_specification={"num_nodes": 2}).exception(WAIT)
        assert isinstance(error, BashExitFailure)
        assert site.run(kernel, site.folder / "after", num_nodes=2).result(WAIT) == 0
    assert said(site.folder / "after")["hosts"] == NODES[:2]


def test_a_program_that_takes_too_long_is_stopped_on_all_its_nodes(site: Site) -> None:
    with site.kernel(hostfile=str(site.hostfile)) as kernel:

        @bash_app(data_flow_kernel=kernel, walltime=5)
        def sleeping(python: str, script: str, path: str) -> str:
            return f"$PARSL_MPI_PREFIX {python} {script} {path} 600"

        late = site.folder / "late"
        future = sleeping(
            site.python, str(PROGRAM), str(late), parsl_resource_specification={"num_nodes": 2}
        )
        until(lambda: len(having(late)) > 1, 20)
        assert isinstance(future.exception(WAIT), TaskWalltime)
        until(lambda: not having(late), 20)
        assert site.run(kernel, site.folder / "after", num_nodes=4).result(WAIT) == 0


def test_a_task_that_asks_for_nothing_runs_where_the_manager_is(site: Site) -> None:
    with site.kernel(hostfile=str(site.hostfile)) as kernel:

        @python_app(data_flow_kernel=kernel)
        def where() -> tuple[bool, float]:
            return "PARSL_MPI_PREFIX" in os.environ, time.time()

        assert where().result(WAIT)[0] is False


def test_an_mpi_that_is_not_there_is_said_with_what_to_do(tmp_path: Path) -> None:
    executor = MPIExecutor(mpiexec="mpiexec.nowhere")
    with DataFlowKernel(Config(executors=[executor], run_dir=tmp_path)) as kernel:

        @bash_app(data_flow_kernel=kernel)
        def program() -> str:
            return "$PARSL_MPI_PREFIX true"

        error = program(parsl_resource_specification={"num_ranks": 1}).exception(WAIT)
    assert "mpiexec.nowhere --version does not run here" in str(error)
    assert "worker_init" in str(error)
