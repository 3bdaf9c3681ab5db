"""Each binder is one for the type checker, which reads this; nobody runs it."""

from lamina.executors import Executor
from lamina.flow import MPIExecutor
from lamina.resources import MPIBinder, NodeBinder, ResourceBinder

binders: list[ResourceBinder] = [NodeBinder(), MPIBinder()]
executor: Executor = MPIExecutor(mpi_launcher="srun", heartbeat_period="10 s")
