"""Has this been computed, and what came of it: the question, the keys, and what answers it."""

from lamina.memo.builtin import BUILTIN
from lamina.memo.calls import CallKey, CallPrint, differences, memo_key, nearest
from lamina.memo.files import FilePolicy
from lamina.memo.keys import MemoKeyError, id_for_memo
from lamina.memo.memory import InMemoryMemo, NoMemo
from lamina.memo.protocol import Entry, Hit, Memo, MemoKey, Miss, OutputMark, Subject
from lamina.memo.stored import StoredMemo
from lamina.memo.stores import (
    Form,
    InMemoryResultStore,
    ResultDamaged,
    ResultStore,
    StoredResult,
)

__all__ = [
    "BUILTIN",
    "CallKey",
    "CallPrint",
    "Entry",
    "FilePolicy",
    "Form",
    "Hit",
    "InMemoryMemo",
    "InMemoryResultStore",
    "Memo",
    "MemoKey",
    "MemoKeyError",
    "Miss",
    "NoMemo",
    "OutputMark",
    "ResultDamaged",
    "ResultStore",
    "StoredMemo",
    "StoredResult",
    "Subject",
    "differences",
    "id_for_memo",
    "memo_key",
    "nearest",
]
