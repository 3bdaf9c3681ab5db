"""The names by which users ask for our launchers."""

__all__ = ["BUILTIN"]

BUILTIN = {
    "aprun": ".parallel:AprunLauncher",
    "gnu_parallel": ".parallel:GnuParallelLauncher",
    "jsrun": ".parallel:JsrunLauncher",
    "mpiexec": ".parallel:MpiExecLauncher",
    "mpirun": ".parallel:MpiRunLauncher",
    "simple": ".local:SimpleLauncher",
    "single_node": ".local:SingleNodeLauncher",
    "srun": ".parallel:SrunLauncher",
    "wrapped": ".local:WrappedLauncher",
}
