"""What a keeper of blocks wants done."""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from lamina.blocks.states import BlockState
from lamina.vocabulary import BlockId, JobId

__all__ = ["BlockEffect", "CancelJobs", "Drain", "Fail", "SubmitBlock", "Turned"]


class SubmitBlock(NamedTuple):
    """Ask the provider for a block of this name."""

    block: BlockId
    why: str = ""


class Drain(NamedTuple):
    """Give its managers no more tasks, and let them leave when they have none left."""

    block: BlockId
    why: str


class CancelJobs(NamedTuple):
    """End these jobs, and try again as long as the provider does not hear it."""

    jobs: Sequence[JobId]
    why: str


class Turned(NamedTuple):
    """A block stands elsewhere than before. Nothing is to be done but to tell of it."""

    block: BlockId
    job: JobId | None
    state: BlockState
    reason: str = ""
    exit_code: int | None = None


class Fail(NamedTuple):
    """The executor cannot go on; the last block to end was this one."""

    reason: str
    block: BlockId | None


BlockEffect: TypeAlias = SubmitBlock | Drain | CancelJobs | Turned | Fail
