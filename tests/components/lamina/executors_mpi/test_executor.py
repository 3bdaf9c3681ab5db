import copy
from typing import Any

import pytest

from lamina.executors_mpi import MPIExecutor
from lamina.launchers import SimpleLauncher, SingleNodeLauncher, SrunLauncher, WrappedLauncher
from lamina.plugins import resolve
from lamina.providers import LocalProvider
from lamina.resources import MPIBinder
from lamina.vocabulary import ConfigError


def test_it_is_htex_with_the_binder_that_knows_of_mpi() -> None:
    executor = MPIExecutor(
        mpi_launcher="srun",
        max_workers_per_block=3,
        mpiexec="mpiexec.mpich",
        mpi_family="hydra",
        hostfile="/nodes",
        slots_per_node=4,
        heartbeat_period=10,
    )
    assert executor.label == "MPIExecutor"
    assert executor.settings.resource_binder == MPIBinder(
        launcher="srun",
        mpiexec="mpiexec.mpich",
        family="hydra",
        hostfile="/nodes",
        slots_per_node=4,
    )
    assert executor.settings.max_workers_per_node == 3
    assert executor.settings.heartbeat_period == 10
    assert executor.capabilities.resources == {"nodes", "ranks", "extra"}


def test_it_is_found_by_its_name() -> None:
    assert resolve("executors", "mpi") is MPIExecutor


def test_a_copy_is_one_of_its_kind() -> None:
    executor = MPIExecutor("mpi")
    twin = copy.copy(executor)
    assert type(twin) is MPIExecutor
    assert twin.settings == executor.settings
    assert repr(twin).startswith("MPIExecutor(Settings(")


@pytest.mark.parametrize(
    "launcher", [SimpleLauncher(), WrappedLauncher("nice"), SingleNodeLauncher()]
)
def test_a_launcher_that_starts_one_manager_will_do(launcher: Any) -> None:
    MPIExecutor(provider=LocalProvider(launcher=launcher))


@pytest.mark.parametrize("launcher", [SrunLauncher(), SingleNodeLauncher()])
def test_a_launcher_that_starts_one_on_each_node_is_refused(launcher: Any) -> None:
    with pytest.raises(ConfigError, match=r"write launcher=SimpleLauncher\(\)"):
        MPIExecutor(provider=LocalProvider(launcher=launcher, nodes_per_block=2))


@pytest.mark.parametrize("option", ["max_workers_per_node", "resource_binder"])
def test_options_of_other_executors_are_refused_with_its_own(option: str) -> None:
    with pytest.raises(ConfigError, match="it has max_workers_per_block"):
        MPIExecutor(**{option: 1})


@pytest.mark.parametrize(
    "options",
    [{"mpi_launcher": "mpirun"}, {"slots_per_node": 0}, {"max_workers_per_block": 0}],
)
def test_a_setting_that_cannot_work_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        MPIExecutor(**options)
