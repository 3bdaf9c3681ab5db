"""How many blocks there should be now, and when their failures are too many."""

from lamina.scaling.builtin import BUILTIN
from lamina.scaling.failing import FailingBlocks, Off
from lamina.scaling.node_watch import NodeWatch
from lamina.scaling.protocol import BlockErrorPolicy, BlocksView, BlockView, ScalingStrategy
from lamina.scaling.quarantine import BLAMED, Quarantine, SetAside
from lamina.scaling.strategies import NoScaling, Simple

__all__ = [
    "BLAMED",
    "BUILTIN",
    "BlockErrorPolicy",
    "BlockView",
    "BlocksView",
    "FailingBlocks",
    "NoScaling",
    "NodeWatch",
    "Off",
    "Quarantine",
    "ScalingStrategy",
    "SetAside",
    "Simple",
]
