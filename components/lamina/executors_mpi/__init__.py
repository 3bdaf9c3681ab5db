"""The executor for tasks that are parallel programs: htex, with the binder that knows of MPI."""

from lamina.executors_mpi.executor import MPIExecutor

__all__ = ["MPIExecutor"]
