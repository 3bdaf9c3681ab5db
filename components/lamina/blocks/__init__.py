"""The blocks of one executor: a machine that keeps as many as its strategy wants."""

from lamina.blocks.effects import BlockEffect, CancelJobs, Drain, Fail, SubmitBlock, Turned
from lamina.blocks.machine import BlockKeeper
from lamina.blocks.states import BlockState
from lamina.blocks.work import ManagerWork, Work

__all__ = [
    "BlockEffect",
    "BlockKeeper",
    "BlockState",
    "CancelJobs",
    "Drain",
    "Fail",
    "ManagerWork",
    "SubmitBlock",
    "Turned",
    "Work",
]
