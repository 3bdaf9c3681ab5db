"""The blocks of one executor: a machine that keeps as many as its strategy wants."""

from lamina.blocks.machine import BlockEffect, BlockKeeper, CancelJobs, Fail, SubmitBlock

__all__ = ["BlockEffect", "BlockKeeper", "CancelJobs", "Fail", "SubmitBlock"]
