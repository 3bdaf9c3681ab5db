"""The kit of ResultStore."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lamina.conformance.clauses import Kit, clause, expect
from lamina.memo import CallPrint, OutputMark, ResultStore, StoredResult
from lamina.vocabulary import SystemClock

__all__ = ["RESULT_STORE"]

_CALL = CallPrint("a.f", b"code", "1", (("x", b"12345678"),), b"")


@contextmanager
def _opened(store: ResultStore) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder, "000")
        run_dir.mkdir()
        store.open(run_dir, SystemClock())
        try:
            yield run_dir
        finally:
            store.close()


def _result(key: bytes, *data: bytes, at: float = 1.0) -> StoredResult:
    return StoredResult(key, "task", at, "value", data, made_of=_CALL)


def _same(found: StoredResult | None, put: StoredResult) -> bool:
    if found is None:
        return False
    same = [bytes(part) for part in found.data] == [bytes(part) for part in put.data]
    return same and found._replace(data=()) == put._replace(data=())


@clause("result_store.get.stranger")
def _stranger(store: ResultStore) -> None:
    """What was never put is None."""
    with _opened(store):
        found = store.get(b"k" * 20)
        expect(found is None, else_say=repr(found))


@clause("result_store.put")
def _put(store: ResultStore) -> None:
    """What was put is had again as it was: words, form, outputs, and each buffer."""
    mark = OutputMark("file:///x", 1, 2)
    value = _result(b"a" * 20, b"pickle", b"", bytes(range(256)) * 300)._replace(outputs=(mark,))
    error = _result(b"b" * 20, b"error")._replace(form="error", made_of=None)
    with _opened(store):
        store.put([value, error])
        for put in (value, error):
            found = store.get(put.key)
            expect(_same(found, put), else_say=f"{found!r:.300} for {put!r:.300}")


@clause("result_store.put.later")
def _later(store: ResultStore) -> None:
    """Of two results with one key, the later counts, in one batch too."""
    with _opened(store):
        store.put([_result(b"a" * 20, b"1", at=1.0)])
        store.put([_result(b"a" * 20, b"2", at=2.0), _result(b"a" * 20, b"3", at=2.0)])
        found = store.get(b"a" * 20)
        expect(found and bytes(found.data[0]) == b"3", else_say=repr(found))


@clause("result_store.put.copied")
def _copied(store: ResultStore) -> None:
    """A buffer that is changed after it was put has been kept as it was."""
    with _opened(store):
        buffer = bytearray(b"before")
        store.put([StoredResult(b"a" * 20, "task", 1.0, "value", [buffer])])
        buffer[:] = b"behind"
        found = store.get(b"a" * 20)
        expect(found and bytes(found.data[0]) == b"before", else_say=repr(found))


@clause("result_store.recent")
def _recent(store: ResultStore) -> None:
    """Calls of a function are remembered for comparison, those of others apart."""
    with _opened(store):
        store.put([_result(b"a" * 20, b"1")])
        found, other = list(store.recent("a.f")), list(store.recent("a.g"))
        expect(found == [_CALL] and other == [], else_say=f"{found!r}, {other!r}")


@clause("result_store.sync")
def _sync(store: ResultStore) -> None:
    """Sync returns, with and without something to make safe, and changes nothing."""
    with _opened(store):
        store.sync()
        store.put([_result(b"a" * 20, b"1")])
        store.sync()
        store.sync()
        found = store.get(b"a" * 20)
        expect(found, else_say=repr(found))


@clause("result_store.close.twice")
def _close_twice(store: ResultStore) -> None:
    """A second close does nothing, and the store can be opened again."""
    with _opened(store):
        store.close()
    with _opened(store):
        store.put([_result(b"a" * 20, b"1")])


RESULT_STORE = Kit(
    "result_store",
    "ResultStore",
    1,
    (_stranger, _put, _later, _copied, _recent, _sync, _close_twice),
)
