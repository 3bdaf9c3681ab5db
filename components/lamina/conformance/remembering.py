"""The kit of Memo."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lamina.conformance.clauses import Kit, clause, expect
from lamina.memo import Entry, Hit, Memo, MemoKeyError, Miss, OutputMark, Subject
from lamina.vocabulary import SystemClock

__all__ = ["MEMO"]


def _add(a: int, b: int = 2) -> int:
    return a + b


@contextmanager
def _started(memo: Memo) -> Iterator[Memo]:
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder, "000")
        run_dir.mkdir()
        memo.start(run_dir, SystemClock())
        try:
            yield memo
        finally:
            memo.close()


@clause("memo.key.equal")
def _equal(memo: Memo) -> None:
    """Equal calls have equal keys, by position, by keyword or by default."""
    with _started(memo):
        keys = {
            memo.key(Subject(_add, (1,), {})),
            memo.key(Subject(_add, (1, 2), {})),
            memo.key(Subject(_add, (), {"b": 2, "a": 1})),
        }
        expect(len(keys) == 1, else_say=f"{len(keys)} keys for one call")


@clause("memo.key.different")
def _different(memo: Memo) -> None:
    """Calls that differ in an argument, its type, the function or the version differ in key."""
    with _started(memo):
        plain = Subject(_add, (1,), {})
        others = [
            plain._replace(args=(3,)),
            plain._replace(args=(True,)),
            plain._replace(function=_equal.attempt),
            plain._replace(version="2"),
        ]
        keys = {memo.key(subject) for subject in [plain, *others]}
        expect(len(keys) == 1 + len(others), else_say=f"{len(keys)} keys for 5 calls")


@clause("memo.key.ignored")
def _ignored(memo: Memo) -> None:
    """Parameters that are ignored do not count, however they are passed."""
    with _started(memo):
        ignored = frozenset({"b"})
        keys = {
            memo.key(Subject(_add, (1, 5), {}, ignored=ignored)),
            memo.key(Subject(_add, (1,), {"b": 6}, ignored=ignored)),
        }
        expect(len(keys) == 1, else_say="the ignored parameter made another key")


@clause("memo.key.no_rule")
def _no_rule(memo: Memo) -> None:
    """A value whose type has no rule is refused with MemoKeyError, never guessed at."""
    with _started(memo):
        try:
            memo.key(Subject(_add, (object(),), {}))
        except MemoKeyError:
            return
        expect(False, else_say="a key for an object of an unknown type")


@clause("memo.look_up.stranger")
def _stranger(memo: Memo) -> None:
    """What was never recorded is a Miss with a reason."""
    with _started(memo):
        found = memo.look_up(b"x" * 20)
        expect(isinstance(found, Miss) and found.reason, else_say=repr(found))


@clause("memo.record")
def _record(memo: Memo) -> None:
    """What was recorded is found, None included, with the marks of its outputs."""
    with _started(memo):
        mark = OutputMark("file:///x", 1, 2)
        memo.record([Entry(b"a" * 20, {"k": [1]}, "t", (mark,)), Entry(b"b" * 20, None, "t")])
        first, second = memo.look_up(b"a" * 20), memo.look_up(b"b" * 20)
        expect(first == Hit({"k": [1]}, (mark,)), else_say=repr(first))
        expect(second == Hit(None), else_say=repr(second))


@clause("memo.record.later")
def _later(memo: Memo) -> None:
    """Of two results for one key, the later counts."""
    with _started(memo):
        memo.record([Entry(b"a" * 20, 1, "t")])
        memo.record([Entry(b"a" * 20, 2, "t")])
        found = memo.look_up(b"a" * 20)
        expect(found == Hit(2), else_say=repr(found))


@clause("memo.checkpoint")
def _checkpoint(memo: Memo) -> None:
    """A checkpoint returns, with and without something recorded, and loses nothing."""
    with _started(memo):
        memo.checkpoint()
        memo.record([Entry(b"a" * 20, 1, "t")])
        memo.checkpoint()
        found = memo.look_up(b"a" * 20)
        expect(found == Hit(1), else_say=repr(found))


@clause("memo.close.twice")
def _close_twice(memo: Memo) -> None:
    """A second close does nothing."""
    with _started(memo):
        memo.close()


MEMO = Kit(
    "memo",
    "Memo",
    1,
    (
        _equal,
        _different,
        _ignored,
        _no_rule,
        _stranger,
        _record,
        _later,
        _checkpoint,
        _close_twice,
    ),
)
