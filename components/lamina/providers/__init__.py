"""Asking for blocks of nodes: the contract, and the provider of blocks on this machine."""

from lamina.providers.builtin import BUILTIN
from lamina.providers.local import LocalProvider
from lamina.providers.protocol import (
    TERMINAL_STATES,
    BlockRequest,
    JobState,
    JobStatus,
    Provider,
    ProviderError,
    ProviderUnavailable,
    SubmitDeferred,
    SubmitRejected,
)

__all__ = [
    "BUILTIN",
    "BlockRequest",
    "JobState",
    "JobStatus",
    "LocalProvider",
    "Provider",
    "ProviderError",
    "ProviderUnavailable",
    "SubmitDeferred",
    "SubmitRejected",
    "TERMINAL_STATES",
]
