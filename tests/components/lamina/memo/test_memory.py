from pathlib import Path

import pytest

from lamina.memo import Entry, Hit, InMemoryMemo, Miss, NoMemo, OutputMark, Subject
from lamina.vocabulary import ConfigError, SystemClock


def test_a_recorded_result_is_found_with_its_outputs() -> None:
    memo = InMemoryMemo()
    mark = OutputMark("file:///x", 3, 4)
    memo.record([Entry(b"k", [1], "t", (mark,))])
    assert memo.look_up(b"k") == Hit([1], (mark,))


def test_a_miss_says_why() -> None:
    assert isinstance(InMemoryMemo().look_up(b"k"), Miss)


def test_none_is_a_result_like_any_other() -> None:
    memo = InMemoryMemo()
    memo.record([Entry(b"k", None, "t")])
    assert memo.look_up(b"k") == Hit(None)


def test_the_least_recently_used_goes_first() -> None:
    memo = InMemoryMemo(max_entries=2)
    memo.record([Entry(b"a", 1, "t"), Entry(b"b", 2, "t")])
    memo.look_up(b"a")
    memo.record([Entry(b"c", 3, "t")])
    assert isinstance(memo.look_up(b"b"), Miss)
    assert memo.look_up(b"a") == Hit(1)
    assert memo.look_up(b"c") == Hit(3)


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="max_entries"):
        InMemoryMemo(max_entries=0)


def test_a_memo_serves_one_kernel_after_another(tmp_path: Path) -> None:
    memo = InMemoryMemo()
    memo.start(tmp_path, SystemClock())
    memo.record([Entry(b"a", 1, "t")])
    memo.close()
    memo.close()
    memo.start(tmp_path, SystemClock())
    assert memo.look_up(b"a") == Hit(1)


def test_no_memo_makes_keys_and_remembers_nothing(tmp_path: Path) -> None:
    memo = NoMemo()
    memo.start(tmp_path, SystemClock())
    key = memo.key(Subject(len, ("ab",), {}))
    assert key == InMemoryMemo().key(Subject(len, ("ab",), {}))
    memo.record([Entry(key, 2, "len")])
    assert isinstance(memo.look_up(key), Miss)
    memo.close()
