import pickle
import threading

from lamina.codec.culprit import describe_culprit

LOCK = threading.Lock()


def test_the_smallest_part_is_named() -> None:
    found = describe_culprit(pickle.dumps, (1, [2, (3, {"k": LOCK})]), {})
    assert found == "args[1][1][1]['k'] (a lock)"


def test_keyword_arguments_are_named_by_their_word() -> None:
    assert describe_culprit(pickle.dumps, (1,), {"a": 1, "b": LOCK}) == "kwargs['b'] (a lock)"


def test_nothing_is_named_when_each_part_is_fine() -> None:
    assert describe_culprit(pickle.dumps, (1, [2]), {"a": 3}) is None


def test_the_search_goes_only_so_deep() -> None:
    value: object = LOCK
    for _ in range(10):
        value = [value]
    assert describe_culprit(pickle.dumps, (value,), {}) == "args[0][0][0][0][0] (a list)"
