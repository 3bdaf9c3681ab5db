"""How one command is made to run on every node of a block."""

from lamina.launchers.builtin import BUILTIN
from lamina.launchers.local import SimpleLauncher, SingleNodeLauncher, WrappedLauncher
from lamina.launchers.protocol import Launcher

__all__ = [
    "BUILTIN",
    "Launcher",
    "SimpleLauncher",
    "SingleNodeLauncher",
    "WrappedLauncher",
]
