"""How one command is made to run on every node of a block."""

from lamina.launchers.builtin import BUILTIN
from lamina.launchers.local import (
    SimpleLauncher,
    SingleNodeLauncher,
    WrappedLauncher,
    stays_on_one_node,
)
from lamina.launchers.parallel import (
    AprunLauncher,
    GnuParallelLauncher,
    JsrunLauncher,
    MpiExecLauncher,
    MpiRunLauncher,
    SrunLauncher,
)
from lamina.launchers.protocol import Launcher

__all__ = [
    "AprunLauncher",
    "BUILTIN",
    "GnuParallelLauncher",
    "JsrunLauncher",
    "Launcher",
    "MpiExecLauncher",
    "MpiRunLauncher",
    "SimpleLauncher",
    "SingleNodeLauncher",
    "SrunLauncher",
    "WrappedLauncher",
    "stays_on_one_node",
]
