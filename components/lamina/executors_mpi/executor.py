"""``MPIExecutor``: several parallel programs at once on the nodes of each block."""

from typing import Any

from lamina.executors_htex import HighThroughputExecutor
from lamina.launchers import SimpleLauncher, SingleNodeLauncher, WrappedLauncher
from lamina.providers import LocalProvider, Provider
from lamina.resources import MPIBinder
from lamina.vocabulary import ConfigError

__all__ = ["MPIExecutor"]


class MPIExecutor(HighThroughputExecutor):
    """Gives each task nodes of its block, and the beginning of a command line that leads there.

    The block's manager runs on its first node, and so do the tasks: a task asks for ``nodes`` or
    ``ranks``, and starts its program with what stands in ``PARSL_MPI_PREFIX``. Whole nodes are
    its own; where it asks for ranks alone, it shares nodes with others.

    Args:
        label: Its name.
        provider: Where blocks come from; its launcher starts one manager for the whole block.
            None for this machine.
        mpi_launcher: ``"mpiexec"``, ``"srun"`` or ``"aprun"``.
        max_workers_per_block: So many tasks at once in a block; None for one on each node, or
            for one on each core where there is one node.
        mpiexec: The program, where it is not called so; a path, perhaps with options.
        mpi_family: ``"openmpi"`` or ``"hydra"`` (MPICH, Intel MPI, Cray), whose options mpiexec
            takes; None to ask it.
        hostfile: A file with the nodes' names, where the batch system does not name them.
        slots_per_node: Ranks that share a node; None for what the batch system or the hostfile
            says, or one for each core.
        **options: Those of HighThroughputExecutor that do not concern cores and memory.

    Raises:
        ConfigError: A setting cannot work; the text says what would.
    """

    def __init__(
        self,
        label: str = "MPIExecutor",
        provider: Provider | None = None,
        *,
        mpi_launcher: str = "mpiexec",
        max_workers_per_block: int | None = None,
        mpiexec: str = "mpiexec",
        mpi_family: str | None = None,
        hostfile: str | None = None,
        slots_per_node: int | None = None,
        **options: Any,
    ) -> None:
        if provider is None:
            provider = LocalProvider(launcher=SimpleLauncher())
        _starts_one_manager(label, provider)
        for name in ("max_workers_per_node", "resource_binder"):
            if name in options:
                msg = (
                    f"{name} is not for MPIExecutor; it has max_workers_per_block and mpi_launcher"
                )
                raise ConfigError(msg)
        binder = MPIBinder(
            launcher=mpi_launcher,
            mpiexec=mpiexec,
            family=mpi_family,
            hostfile=hostfile,
            slots_per_node=slots_per_node,
        )
        super().__init__(
            label,
            provider,
            max_workers_per_node=max_workers_per_block,
            resource_binder=binder,
            **options,
        )


def _starts_one_manager(label: str, provider: Provider) -> None:
    launcher = getattr(provider, "launcher", None)
    alone = isinstance(launcher, SingleNodeLauncher) and provider.nodes_per_block == 1
    if launcher is None or alone or isinstance(launcher, SimpleLauncher | WrappedLauncher):
        return
    msg = (
        f"executor {label!r} has a provider with {launcher!r}, which starts a manager on each "
        "node; one manager is to have all nodes of a block: write launcher=SimpleLauncher()"
    )
    raise ConfigError(msg)
