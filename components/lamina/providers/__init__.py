"""Asking for blocks of nodes: the contract, and the provider of blocks on this machine."""

from lamina.providers.adhoc import AdHocProvider
from lamina.providers.builtin import BUILTIN
from lamina.providers.local import LocalProvider
from lamina.providers.protocol import (
    TERMINAL_STATES,
    BlockRequest,
    JobState,
    JobStatus,
    Luggage,
    LuggageProvider,
    Provider,
    ProviderError,
    ProviderUnavailable,
    SubmitDeferred,
    SubmitRejected,
)

__all__ = [
    "AdHocProvider",
    "BUILTIN",
    "BlockRequest",
    "JobState",
    "JobStatus",
    "LocalProvider",
    "Luggage",
    "LuggageProvider",
    "Provider",
    "ProviderError",
    "ProviderUnavailable",
    "SubmitDeferred",
    "SubmitRejected",
    "TERMINAL_STATES",
]
