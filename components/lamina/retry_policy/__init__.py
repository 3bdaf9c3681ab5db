"""What to do about a failed attempt: the question, and the plainest answers."""

from lamina.retry_policy.builtin import BUILTIN
from lamina.retry_policy.policies import (
    CrashLimit,
    Default,
    Never,
    Retries,
    default_policy,
)
from lamina.retry_policy.protocol import Again, Decision, GiveUp, RetryPolicy, Trouble

__all__ = [
    "Again",
    "BUILTIN",
    "CrashLimit",
    "Decision",
    "Default",
    "GiveUp",
    "Never",
    "Retries",
    "RetryPolicy",
    "Trouble",
    "default_policy",
]
