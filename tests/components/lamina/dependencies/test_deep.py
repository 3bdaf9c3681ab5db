import time
from collections import Counter, OrderedDict, defaultdict, deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

import attrs
import pytest

from lamina.dependencies import find_futures, replace_futures


def done(value: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future


class Point(NamedTuple):
    x: Any
    y: Any


@dataclass(frozen=True, slots=True)
class Frozen:
    x: Any
    late: Any = field(default=None, init=False)


@dataclass
class Unset:
    x: Any
    missing: Any = field(init=False)


@attrs.frozen
class Attrs:
    x: Any = attrs.field(validator=attrs.validators.instance_of((int, Future)))


CASES = [
    (lambda f: [1, f], [1, 7], "[1]"),
    (lambda f: (f,), (7,), "[0]"),
    (lambda f: {"a": {"b": f}}, {"a": {"b": 7}}, "['a']['b']"),
    (lambda f: {f: 1}, {7: 1}, ".keys()"),
    (lambda f: {f}, {7}, "{…}"),
    (lambda f: frozenset({f}), frozenset({7}), "{…}"),
    (lambda f: Point(1, f), Point(1, 7), ".y"),
    (lambda f: Frozen(f), Frozen(7), ".x"),
    (lambda f: Attrs(f), Attrs(7), ".x"),
    (lambda f: Unset([f]).x, [7], "[0]"),
    (lambda f: OrderedDict(a=f), OrderedDict(a=7), "['a']"),
    (lambda f: Counter({"a": f}), Counter(a=7), "['a']"),
    (lambda f: deque([1, f], 5), deque([1, 7], 5), "[1]"),
    (lambda f: MappingProxyType({"a": f}), MappingProxyType({"a": 7}), "['a']"),
    (lambda f: SimpleNamespace(a=f), SimpleNamespace(a=7), ".a"),
]


@pytest.mark.parametrize("make, wanted, path", CASES)
def test_a_future_is_found_and_replaced_in_each_kind_of_container(
    make: Any, wanted: Any, path: str
) -> None:
    future = done(7)
    value = make(future)
    assert list(find_futures(value)) == [(path, future)]
    result = replace_futures(value)
    assert result == wanted
    assert type(result) is type(wanted)
    assert list(find_futures(value)) == [(path, future)], "the caller's own was changed"


def test_a_partial_has_its_futures_replaced() -> None:
    future = done(7)
    value = partial(max, future, key=[future])
    assert [path for path, _ in find_futures(value)] == [".args[0]", ".keywords['key'][0]"]
    result = replace_futures(value)
    assert (result.func, result.args, result.keywords) == (max, (7,), {"key": [7]})
    plain = partial(max, 1)
    assert replace_futures(plain) is plain


def test_what_holds_no_future_stays_the_same_object() -> None:
    kept = [1, {"a": (2, 3)}]
    value = [kept, done(1)]
    assert replace_futures(value)[0] is kept
    assert replace_futures(kept) is kept


def test_a_default_dict_keeps_its_factory() -> None:
    value: defaultdict[str, Any] = defaultdict(list, a=done(1))
    result = replace_futures(value)
    assert result == {"a": 1}
    assert result["new"] == []


def test_a_field_that_nobody_has_set_is_passed_over() -> None:
    assert replace_futures(Unset(done(3))).x == 3


def test_an_object_held_twice_is_remade_once() -> None:
    shared = [done(1)]
    first, second = replace_futures([shared, shared])
    assert first is second


def test_a_container_that_holds_itself_does_no_harm() -> None:
    value: list[Any] = [done(1)]
    value.append(value)
    assert [path for path, _ in find_futures(value)] == ["[0]"]
    assert replace_futures(value)[0] == 1


def test_subclasses_of_lists_and_sets_keep_their_type() -> None:
    class Mine(list[Any]):
        pass

    class Yours(set[Any]):
        pass

    class Hers(tuple[Any, ...]):
        pass

    class His(frozenset[Any]):
        pass

    for kind in (Mine, Yours, Hers, His):
        result = replace_futures(kind([done(1)]))
        assert type(result) is kind
        assert list(result) == [1]


def test_the_exception_of_a_failed_future_comes_out() -> None:
    future: Future[Any] = Future()
    future.set_exception(KeyError("x"))
    with pytest.raises(KeyError):
        replace_futures({"a": [future]})


def test_futures_come_in_the_order_of_the_elements() -> None:
    futures = [done(n) for n in range(4)]
    value = [futures[0], {"k": futures[1]}, (futures[2],), futures[3]]
    assert [future for _, future in find_futures(value)] == futures


def test_a_big_list_of_numbers_is_searched_fast() -> None:
    numbers = list(range(1_000_000))
    began = time.perf_counter()
    assert list(find_futures(numbers)) == []
    assert time.perf_counter() - began < 2  # about 0.02 s; a walk in Python takes far longer


def test_five_thousand_levels_deep_are_no_matter_for_finding() -> None:
    value: list[Any] = [done(1)]
    for _ in range(5000):
        value = [value]
    assert len(list(find_futures(value))) == 1
