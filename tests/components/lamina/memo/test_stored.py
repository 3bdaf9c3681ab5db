import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lamina.codec import PickleCodec
from lamina.memo import (
    Entry,
    Hit,
    InMemoryResultStore,
    MemoKey,
    Miss,
    OutputMark,
    ResultDamaged,
    StoredMemo,
    StoredResult,
    Subject,
)
from lamina.vocabulary import Clock, ConfigError, SystemClock


def f(a: Any, b: Any = 2) -> Any:
    return a


class Watched(InMemoryResultStore):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.trouble: Exception | None = None

    def open(self, run_dir: Path, clock: Clock) -> None:
        self.said.append("open")

    def get(self, key: MemoKey) -> StoredResult | None:
        if self.trouble:
            raise self.trouble
        return super().get(key)

    def put(self, results: Sequence[StoredResult]) -> None:
        if self.trouble:
            raise self.trouble
        super().put(results)

    def sync(self) -> None:
        self.said.append("sync")

    def close(self) -> None:
        self.said.append("close")
        if self.trouble:
            raise self.trouble


def key(memo: StoredMemo, *args: Any, **changes: Any) -> MemoKey:
    return memo.key(Subject(f, args, {}, **changes))


def test_a_hit_is_a_copy_with_its_outputs() -> None:
    memo = StoredMemo()
    value, mark = [1, {"a": b"x" * 100_000}], OutputMark("file:///x", 1, 2)
    memo.record([Entry(b"k", value, "t", (mark,))])
    found = memo.look_up(b"k")
    assert found == Hit(value, (mark,))
    assert isinstance(found, Hit)
    assert found.value is not value


def test_functions_of_the_program_can_be_results() -> None:
    memo = StoredMemo()
    memo.record([Entry(b"k", lambda x: x + 1, "t")])
    found = memo.look_up(b"k")
    assert isinstance(found, Hit)
    assert found.value(1) == 2


def test_what_cannot_be_written_is_logged_and_not_recorded(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Quits:
        def __reduce__(self) -> Any:
            raise SystemExit

    memo = StoredMemo()
    with caplog.at_level(logging.WARNING):
        entries = [("lock", threading.Lock()), ("quits", Quits()), ("good", 1)]
        memo.record([Entry(name.encode(), value, name) for name, value in entries])
    assert "the result of lock is not recorded" in caplog.text
    assert "the result of quits is not recorded" in caplog.text
    assert isinstance(memo.look_up(b"lock"), Miss)
    assert memo.look_up(b"good") == Hit(1)


def test_exceptions_are_remembered_where_it_is_told_to() -> None:
    memo = StoredMemo(errors=[ValueError])
    for name, error in ((b"v", ValueError("no", 1)), (b"k", KeyError("x"))):
        memo.record([Entry(name, None, "t", error=error)])
    found = memo.look_up(b"v")
    assert isinstance(found, Hit)
    assert isinstance(found.error, ValueError)
    assert found.error.args == ("no", 1)
    assert isinstance(memo.look_up(b"k"), Miss)


def test_a_miss_says_why() -> None:
    memo = StoredMemo()
    first = memo.look_up(key(memo, 1))
    assert isinstance(first, Miss)
    assert first.why() == f"no call of {__name__}.f was recorded"
    memo.record([Entry(key(memo, 1), 1, "f")])
    for other, says in (
        (key(memo, 3), "argument 1 (a) differs"),
        (key(memo, 1, version="2"), "its version was '' and is '2'"),
    ):
        found = memo.look_up(other)
        assert isinstance(found, Miss)
        assert found.why().endswith(says)
    plain = memo.look_up(b"of no call")
    assert isinstance(plain, Miss)
    assert plain.why() == "no such call was recorded"


def test_what_was_dropped_since_is_said_to_be_gone() -> None:
    memo = StoredMemo(InMemoryResultStore(max_entries=1))
    memo.record([Entry(key(memo, n), n, "f") for n in (1, 2)])
    found = memo.look_up(key(memo, 1))
    assert isinstance(found, Miss)
    assert found.why() == "it was recorded, and is there no more"


def test_what_cannot_be_read_is_a_miss_that_says_so() -> None:
    store = Watched()
    memo = StoredMemo(store)
    memo.record([Entry(b"k", 1, "t")])
    store._results[b"k"] = store._results[b"k"]._replace(data=(b"no pickle",))
    found = memo.look_up(b"k")
    assert isinstance(found, Miss)
    assert "cannot be read: UnpicklingError" in found.why()
    store.trouble = ResultDamaged("log at byte 7", "it is damaged")
    found = memo.look_up(b"k")
    assert isinstance(found, Miss)
    assert "log at byte 7" in found.why()


def test_a_store_that_cannot_keep_results_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    store = Watched()
    memo = StoredMemo(store)
    memo.start(Path(), SystemClock())
    store.trouble = OSError("the disk is full")
    with caplog.at_level(logging.ERROR):
        memo.record([Entry(b"k", 1, "t")])
        memo.close()
    assert "1 results could not be recorded: the disk is full" in caplog.text
    assert "could not be closed well" in caplog.text


def test_several_kernels_may_use_it_and_it_is_closed_with_the_last() -> None:
    store = Watched()
    memo = StoredMemo(store)
    memo.start(Path(), SystemClock())
    memo.start(Path(), SystemClock())
    memo.close()
    memo.checkpoint()
    assert store.said == ["open", "sync"]
    memo.close()
    memo.close()
    assert store.said == ["open", "sync", "close"]
    memo.start(Path(), SystemClock())
    assert store.said[-1] == "open"


def test_the_codec_can_be_chosen(caplog: pytest.LogCaptureFixture) -> None:
    for codec in ("pickle", PickleCodec()):
        memo = StoredMemo(codec=codec)
        with caplog.at_level(logging.WARNING):
            memo.record([Entry(b"k", lambda: 1, "t"), Entry(b"l", 1, "t")])
        assert isinstance(memo.look_up(b"k"), Miss)
        assert memo.look_up(b"l") == Hit(1)


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ConfigError, match="files is 'x'"):
        StoredMemo(files="x")  # type: ignore[arg-type]
