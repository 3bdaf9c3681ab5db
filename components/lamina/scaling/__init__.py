"""How many blocks there should be now, and when their failures are too many."""

from lamina.scaling.builtin import BUILTIN
from lamina.scaling.failing import FailingBlocks, Off
from lamina.scaling.protocol import BlockErrorPolicy, BlocksView, BlockView, ScalingStrategy
from lamina.scaling.strategies import NoScaling, Simple

__all__ = [
    "BUILTIN",
    "BlockErrorPolicy",
    "BlockView",
    "BlocksView",
    "FailingBlocks",
    "NoScaling",
    "Off",
    "ScalingStrategy",
    "Simple",
]
