"""One kit for each Protocol: what it promises, as clauses that a plug-in keeps or breaks."""

from lamina.conformance.binding import RESOURCE_BINDER
from lamina.conformance.channelling import CHANNEL
from lamina.conformance.clauses import (
    Clause,
    ClauseBroken,
    Kit,
    KitReport,
    Verdict,
    check,
    clause,
    expect,
    run,
)
from lamina.conformance.executing import EXECUTOR
from lamina.conformance.judging import BLOCK_ERROR_POLICY
from lamina.conformance.ordering import QUEUE_ORDER
from lamina.conformance.providing import PROVIDER
from lamina.conformance.remembering import MEMO
from lamina.conformance.retrying import RETRY_POLICY
from lamina.conformance.scaling_out import SCALING_STRATEGY
from lamina.conformance.selecting import MANAGER_SELECTOR
from lamina.conformance.staging import STAGING, StagingBench
from lamina.conformance.storing import RESULT_STORE
from lamina.conformance.wrapping import LAUNCHER

__all__ = [
    "BLOCK_ERROR_POLICY",
    "CHANNEL",
    "Clause",
    "ClauseBroken",
    "EXECUTOR",
    "Kit",
    "KitReport",
    "LAUNCHER",
    "MANAGER_SELECTOR",
    "MEMO",
    "PROVIDER",
    "QUEUE_ORDER",
    "RESOURCE_BINDER",
    "RESULT_STORE",
    "RETRY_POLICY",
    "SCALING_STRATEGY",
    "STAGING",
    "StagingBench",
    "Verdict",
    "check",
    "clause",
    "expect",
    "run",
]
