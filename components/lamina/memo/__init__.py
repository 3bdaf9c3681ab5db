"""Has this been computed, and what came of it: the question, the keys, and memory as an answer."""

from lamina.memo.builtin import BUILTIN
from lamina.memo.keys import MemoKeyError, id_for_memo, memo_key
from lamina.memo.memory import InMemoryMemo, NoMemo
from lamina.memo.protocol import Entry, Hit, Memo, MemoKey, Miss, OutputMark, Subject

__all__ = [
    "BUILTIN",
    "Entry",
    "Hit",
    "InMemoryMemo",
    "Memo",
    "MemoKey",
    "MemoKeyError",
    "Miss",
    "NoMemo",
    "OutputMark",
    "Subject",
    "id_for_memo",
    "memo_key",
]
