"""The kit of Launcher with real programs, and copies on the nodes of Slurm."""

from pathlib import Path

import pytest

from lamina.conformance import LAUNCHER
from lamina.launchers import GnuParallelLauncher, MpiExecLauncher, MpiRunLauncher, SrunLauncher
from lamina.providers import JobState
from lamina.providers_batch import SlurmProvider
from tests.integration.batch import reaches, request, shim
from tests.kits import as_tests

pytestmark = pytest.mark.service


class _WithMpi:
    mpi = "openmpi"

    @pytest.fixture(autouse=True)
    def this_mpi(self, cluster: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        # What `mpiexec` alone is depends on the machine.
        for name in ("mpiexec", "mpirun"):
            shim(tmp_path / "bin", name, f'exec /usr/bin/{name}.{self.mpi} "$@"')
        monkeypatch.setenv("OMPI_ALLOW_RUN_AS_ROOT", "1")
        monkeypatch.setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")


class TestOpenMpiExec(_WithMpi, as_tests(LAUNCHER, MpiExecLauncher)):  # type: ignore[misc]
    pass


class TestOpenMpiRun(
    _WithMpi,
    as_tests(LAUNCHER, lambda: MpiRunLauncher(overrides="--oversubscribe")),  # type: ignore[misc]
):
    pass


class TestMpichExec(_WithMpi, as_tests(LAUNCHER, MpiExecLauncher)):  # type: ignore[misc]
    mpi = "mpich"


class TestMpichRun(_WithMpi, as_tests(LAUNCHER, MpiRunLauncher)):  # type: ignore[misc]
    mpi = "mpich"


TestGnuParallel = as_tests(LAUNCHER, GnuParallelLauncher)
# Outside a job srun asks for one of its own.
TestSrun = as_tests(LAUNCHER, lambda: SrunLauncher(overrides="--overcommit"))


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("status, state", [(0, JobState.COMPLETED), (5, JobState.FAILED)])
def test_one_copy_runs_on_each_node(
    tmp_path: Path, status: int, state: JobState, debug: bool
) -> None:
    provider = SlurmProvider(
        nodes_per_block=2, launcher=SrunLauncher(debug=debug), status_polling_interval=1
    )
    command = f"echo $LAMINA_RANK $(hostname); [ $LAMINA_RANK = 0 ] || exit {status}"
    job = provider.submit(request(tmp_path, command))
    ended = reaches(provider, job, JobState.COMPLETED, JobState.FAILED)
    assert (ended.state, ended.exit_code) == (state, status)
    lines = sorted((tmp_path / "block-0.out").read_text().splitlines())
    assert lines == ["0: 0 n1", "1: 1 n2"]


def test_a_copy_may_use_all_cores_of_its_node(tmp_path: Path) -> None:
    provider = SlurmProvider(
        nodes_per_block=2, launcher=SrunLauncher(), status_polling_interval=1, cores_per_node=2
    )
    job = provider.submit(request(tmp_path, "nproc; echo $SLURM_CPUS_PER_TASK"))
    reaches(provider, job, JobState.COMPLETED)
    assert (
        sorted((tmp_path / "block-0.out").read_text().split())
        == ["0:"] * 2 + ["1:"] * 2 + ["2"] * 4
    )
