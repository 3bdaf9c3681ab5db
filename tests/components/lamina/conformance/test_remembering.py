from collections.abc import Sequence
from itertools import count

from lamina.conformance import MEMO
from lamina.memo import Entry, Hit, InMemoryMemo, MemoKey, Miss, NoMemo, Subject
from tests.kits import assert_each_clause_can_fail


class Unrepeatable(InMemoryMemo):
    def __init__(self) -> None:
        super().__init__()
        self.made = count()

    def key(self, subject: Subject) -> MemoKey:
        return b"%d" % next(self.made)


class OneForAll(InMemoryMemo):
    def key(self, subject: Subject) -> MemoKey:
        return b"k"


class CountsAll(InMemoryMemo):
    def key(self, subject: Subject) -> MemoKey:
        return super().key(subject._replace(ignored=frozenset()))


class Credulous(InMemoryMemo):
    def look_up(self, key: MemoKey) -> Hit | Miss:
        return Hit(None)


class KeepsTheFirst(InMemoryMemo):
    def record(self, entries: Sequence[Entry]) -> None:
        super().record([one for one in entries if isinstance(self.look_up(one.key), Miss)])


class ClosesOnce(InMemoryMemo):
    closed = False

    def close(self) -> None:
        if self.closed:
            raise ValueError("closed already")
        self.closed = True


def test_each_clause_can_fail() -> None:
    assert_each_clause_can_fail(
        MEMO,
        {
            "memo.key.equal": Unrepeatable,
            "memo.key.different": OneForAll,
            "memo.key.ignored": CountsAll,
            "memo.key.no_rule": OneForAll,
            "memo.look_up.stranger": Credulous,
            "memo.record": NoMemo,
            "memo.record.later": KeepsTheFirst,
            "memo.checkpoint": NoMemo,
            "memo.close.twice": ClosesOnce,
        },
    )
