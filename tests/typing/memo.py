"""Each memo and each store of results fits its Protocol; only type-checked, never run."""

from lamina.memo import (
    InMemoryMemo,
    InMemoryResultStore,
    Memo,
    NoMemo,
    ResultStore,
    StoredMemo,
)
from lamina.memo_log import LogResultStore

memos: list[Memo] = [InMemoryMemo(), NoMemo(), StoredMemo()]
stores: list[ResultStore] = [InMemoryResultStore(), LogResultStore()]
