"""How many blocks there should be now, and when their failures are too many."""

from lamina.scaling.builtin import BUILTIN
from lamina.scaling.failing import AllFailed, AnyFailed, FailingBlocks, LastFailed, Off
from lamina.scaling.guards import Guards
from lamina.scaling.node_watch import NodeWatch
from lamina.scaling.protocol import (
    BlockErrorPolicy,
    BlocksView,
    BlockView,
    Ending,
    ScalingStrategy,
)
from lamina.scaling.quarantine import BLAMED, Quarantine, SetAside
from lamina.scaling.steady import Steady
from lamina.scaling.strategies import HtexAutoScale, NoScaling, Simple

__all__ = [
    "AllFailed",
    "AnyFailed",
    "BLAMED",
    "BUILTIN",
    "BlockErrorPolicy",
    "BlockView",
    "BlocksView",
    "Ending",
    "FailingBlocks",
    "Guards",
    "HtexAutoScale",
    "LastFailed",
    "NoScaling",
    "NodeWatch",
    "Off",
    "Quarantine",
    "ScalingStrategy",
    "SetAside",
    "Simple",
    "Steady",
]
