"""What to do about a failed attempt: the question, and our answers."""

from lamina.retry_policy.backoff import Backoff
from lamina.retry_policy.budget import CostBudget, RetryHandler
from lamina.retry_policy.builtin import BUILTIN
from lamina.retry_policy.causes import ByCause, InfrastructureFree
from lamina.retry_policy.composition import Composable, Either, Then
from lamina.retry_policy.memory import MoreMemory
from lamina.retry_policy.places import OtherExecutor, OtherNode
from lamina.retry_policy.policies import (
    CrashLimit,
    Default,
    Never,
    Retries,
    default_policy,
)
from lamina.retry_policy.protocol import (
    Again,
    Attempt,
    Decision,
    GiveUp,
    RetryPolicy,
    Trouble,
)
from lamina.retry_policy.record import TaskRecord

__all__ = [
    "Again",
    "Attempt",
    "BUILTIN",
    "Backoff",
    "ByCause",
    "Composable",
    "CostBudget",
    "CrashLimit",
    "Decision",
    "Default",
    "Either",
    "GiveUp",
    "InfrastructureFree",
    "MoreMemory",
    "Never",
    "OtherExecutor",
    "OtherNode",
    "Retries",
    "RetryHandler",
    "RetryPolicy",
    "TaskRecord",
    "Then",
    "Trouble",
    "default_policy",
]
