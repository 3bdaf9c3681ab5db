"""Results in an append-only log of each run, which survive the death of everything."""

from lamina.memo_log.files import ForeignFile, Log
from lamina.memo_log.finding import (
    Resume,
    checkpoint_named,
    get_all_checkpoints,
    get_last_checkpoint,
)
from lamina.memo_log.forms import Header
from lamina.memo_log.framing import Damage, Frame
from lamina.memo_log.keeping import export_results, may_be_written, remove_checkpoint
from lamina.memo_log.store import Durability, LogResultStore

__all__ = [
    "Damage",
    "Durability",
    "ForeignFile",
    "Frame",
    "Header",
    "Log",
    "LogResultStore",
    "Resume",
    "checkpoint_named",
    "export_results",
    "get_all_checkpoints",
    "get_last_checkpoint",
    "may_be_written",
    "remove_checkpoint",
]
