"""The names by which users ask for our binders."""

__all__ = ["BUILTIN"]

BUILTIN = {"mpi": ".mpi_binder:MPIBinder", "node": ".node_binder:NodeBinder"}
