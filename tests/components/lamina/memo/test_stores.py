import pytest

from lamina.memo import InMemoryResultStore, StoredResult
from lamina.vocabulary import ConfigError


def result(key: bytes, size: int = 10) -> StoredResult:
    return StoredResult(key, "task", 1.0, "value", [b"x" * size])


def kept(store: InMemoryResultStore, keys: str) -> str:
    return "".join(key for key in keys if store.get(key.encode()))


def test_the_least_recently_used_goes_when_there_are_too_many() -> None:
    store = InMemoryResultStore(max_entries=2)
    store.put([result(b"a"), result(b"b")])
    store.get(b"a")
    store.put([result(b"c")])
    assert kept(store, "abc") == "ac"


def test_the_least_recently_used_go_when_they_hold_too_much() -> None:
    store = InMemoryResultStore(max_bytes=100)
    store.put([result(b"a", 40), result(b"b", 40), result(b"c", 40)])
    assert kept(store, "abc") == "bc"
    store.put([result(b"b", 90)])
    assert kept(store, "abc") == "b"
    store.put([result(b"d", 101)])
    assert kept(store, "abcd") == ""
    store.put([result(b"a", 100)])
    assert kept(store, "abcd") == "a"


def test_a_result_knows_its_size() -> None:
    assert result(b"a", 7).size == 7
    assert StoredResult(b"a", "t", 1.0, "value", (b"12", memoryview(b"345"))).size == 5


def test_limits_of_nothing_are_refused() -> None:
    for name in ("max_entries", "max_bytes"):
        with pytest.raises(ConfigError, match=name):
            InMemoryResultStore(**{name: 0})
