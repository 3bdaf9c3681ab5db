"""Parallel programs on the two nodes of a real Slurm, which names them and starts the ranks."""

import json
from pathlib import Path
from typing import Any

import pytest

from lamina.apps import bash_app
from lamina.executors_mpi import MPIExecutor
from lamina.kernel import Config, DataFlowKernel
from lamina.launchers import SimpleLauncher
from lamina.providers_batch import SlurmProvider
from tests.integration.batch import environment

pytestmark = [pytest.mark.service, pytest.mark.timeout(180)]

WAIT = 90  # seconds
PROGRAM = Path(__file__).with_name("program.py")


@pytest.fixture(autouse=True)
def cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment("slurm.sh").items():
        monkeypatch.setenv(name, value)


def started(folder: Path, worker_init: str = "", **settings: Any) -> DataFlowKernel:
    provider = SlurmProvider(
        partition="debug",
        nodes_per_block=2,
        cores_per_node=2,
        launcher=SimpleLauncher(),
        worker_init=worker_init,
        status_polling_interval=1,
    )
    executor = MPIExecutor(provider=provider, **settings)
    return DataFlowKernel(Config(executors=[executor], run_dir=folder / "runs"))


def test_srun_starts_each_program_on_nodes_of_its_own(tmp_path: Path) -> None:
    with started(tmp_path, mpi_launcher="srun") as kernel:

        @bash_app(data_flow_kernel=kernel)
        def program(path: str) -> str:
            ranks = f"$PARSL_MPI_PREFIX sh -c 'hostname; sleep 1' > {path}"
            return f"date +%s.%N > {path}.began; {ranks}; date +%s.%N > {path}.ended"

        sizes = [1, 1, 2, 1]
        futures = [
            program(
                str(tmp_path / str(n)),
                parsl_resource_specification={"num_nodes": size, "ranks_per_node": 2},
            )
            for n, size in enumerate(sizes)
        ]
        assert [future.result(WAIT) for future in futures] == [0] * len(sizes)
    hosts = [sorted((tmp_path / str(n)).read_text().split()) for n in range(len(sizes))]
    assert sorted(hosts[:2]) == [["n1", "n1"], ["n2", "n2"]]
    assert hosts[2] == ["n1", "n1", "n2", "n2"]
    began, ended = (
        [float((tmp_path / f"{n}.{word}").read_text()) for n in range(len(sizes))]
        for word in ("began", "ended")
    )
    assert max(began[0], began[1]) < min(ended[0], ended[1]), "the first two run at once"
    assert began[2] >= max(ended[0], ended[1])
    assert began[3] >= ended[2], "the narrow one does not overtake the wide one"


def test_programs_share_a_node_of_slurm_by_their_ranks(tmp_path: Path) -> None:
    with started(tmp_path, mpi_launcher="srun", max_workers_per_block=4) as kernel:

        @bash_app(data_flow_kernel=kernel)
        def program(path: str, others: str, count: int) -> str:
            meet = f"touch {path}; until [ $(ls {others} | wc -l) -ge {count} ]; do sleep 0.1; done"
            return f"timeout 30 $PARSL_MPI_PREFIX sh -c '{meet}'"

        folder = tmp_path / "met"
        folder.mkdir()
        futures = [
            program(
                str(folder / str(n)), str(folder), 4, parsl_resource_specification={"num_ranks": 1}
            )
            for n in range(4)
        ]
        assert [future.result(WAIT) for future in futures] == [0] * 4


def test_open_mpi_spans_the_nodes_that_slurm_gave(tmp_path: Path) -> None:
    variables = environment("mpi.sh")
    init = (
        "export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 "
        "OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_btl=tcp,self"
    )
    with started(tmp_path, init, mpiexec=variables["TESTBED_MPIEXEC_OPENMPI"]) as kernel:

        @bash_app(data_flow_kernel=kernel)
        def program(python: str, script: str, path: str) -> str:
            return f"$PARSL_MPI_PREFIX {python} {script} {path}"

        future = program(
            variables["TESTBED_PYTHON_OPENMPI"],
            str(PROGRAM),
            str(tmp_path / "said"),
            parsl_resource_specification={"num_nodes": 2, "ranks_per_node": 2},
        )
        assert future.result(WAIT) == 0
    said = json.loads((tmp_path / "said").read_text())
    assert (said["size"], said["total"]) == (4, 10)
    assert sorted(set(said["machines"])) == ["n1", "n2"]
