import datetime
import decimal
import enum
import functools
import os
import pickle
import subprocess
import sys
import types
import uuid
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import attrs
import pytest

from lamina.codec import PickleCodec, Shared
from lamina.memo import MemoKeyError, Subject, id_for_memo, memo_key
from lamina.vocabulary import File


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Level(enum.IntEnum):
    LOW = 1


class Point(NamedTuple):
    x: Any
    y: Any


@dataclass
class Data:
    x: Any


@attrs.define
class Attrs:
    x: Any


class Opaque:
    pass


class Tagged(str):
    tag: str


class Measured(list):  # type: ignore[type-arg]
    __slots__ = ("unit",)


def add(a: Any, b: Any = 2, *rest: Any, scale: Any = 1, **more: Any) -> Any:
    return a


def key(*args: Any, ignored: tuple[str, ...] = (), **kwargs: Any) -> bytes:
    return memo_key(Subject(add, args, kwargs, ignored=frozenset(ignored)))


NOON = datetime.datetime(2024, 1, 2, 12, tzinfo=datetime.UTC)
VALUES: list[Any] = [
    None, ..., True, False, 0, 1, 2, 1.0, 1j, "1", b"1", bytearray(b"1"), "", b"",
    [1], (1,), {1}, frozenset({1}), {1: 2}, [[1], []], [[], [1]], ["ab", "c"], ["a", "bc"],
    OrderedDict({1: 2}), OrderedDict({1: 2, 3: 4}), OrderedDict({3: 4, 1: 2}),
    defaultdict(None, {1: 2}), defaultdict(int, {1: 2}), defaultdict(list, {1: 2}),
    Path("1"), File("1"), Colour.RED, Colour.BLUE, Level.LOW,
    NOON, NOON.date(), NOON.time(), datetime.timedelta(1), decimal.Decimal("1"), uuid.UUID(int=1),
    range(3), Point(1, 2), (1, 2), Data(1), Data(2), Attrs(1), functools.partial(add, 1),
    functools.partial(add, 2), add, len, "x".upper, "y".upper, Data, Attrs, 10**5000,
    types.MappingProxyType({1: 2}), Data(1).__eq__, float("nan"),
]  # fmt: skip


def test_different_values_have_different_keys() -> None:
    keys = [key(value) for value in VALUES]
    assert len(set(keys)) == len(VALUES)


def test_equal_values_have_equal_keys() -> None:
    for value in VALUES:
        assert key(value) == key(value)
    for value in [{"a": 1, "b": [2]}, Data([1]), Attrs({"x"}), Point(1, 2), File("/x")]:
        assert key(value) == key(pickle.loads(pickle.dumps(value)))


def test_the_order_in_which_a_dict_or_set_was_filled_does_not_count() -> None:
    assert key({"a": 1, "b": 2}) == key({"b": 2, "a": 1})
    assert key(set("abcdef")) == key(set("fedcba"))


def test_spelling_does_not_count() -> None:
    assert key(1) == key(a=1) == key(1, 2) == key(b=2, a=1) == key(1, scale=1)
    assert key(1, x=1, y=2) == key(1, y=2, x=1)


def test_arguments_under_other_names_are_other_calls() -> None:
    assert key(1, x=1) != key(1, y=1)
    assert key(1, 2, 3) != key(1, 2, scale=3)


def test_ignored_names_are_ignored_however_they_are_passed() -> None:
    for calls in (
        [key(1, 5, ignored=("b",)), key(1, b=6, ignored=("b",)), key(1, ignored=("b",))],
        [key(1, extra=1, ignored=("extra",)), key(1, ignored=("extra",))],
    ):
        assert len(set(calls)) == 1


def test_the_version_and_the_outputs_count() -> None:
    plain = Subject(add, (1,), {})
    keys = {
        memo_key(plain),
        memo_key(plain._replace(version="2")),
        memo_key(plain._replace(outputs=(File("/x"),))),
    }
    assert len(keys) == 3


def make(text: str) -> Callable[..., Any]:
    space: dict[str, Any] = {"__name__": "made"}
    exec(text, space)
    made: Callable[..., Any] = space["f"]
    return made


def function_key(text: str) -> bytes:
    return memo_key(Subject(make(text), (), {"x": 1}))


def test_a_function_counts_by_what_it_does() -> None:
    plain = function_key("def f(x): return x + 1")
    assert plain == function_key("\n\n\ndef f(x):\n    # comment\n    return x + 1")
    assert plain != function_key("def f(x): return x + 2")
    assert plain != function_key("def f(x): return x - 1")
    assert plain != function_key("def f(x):\n return (lambda: x + 1)()")
    one, two = (f"def f(x, y={n}): return x" for n in (1, 2))
    assert function_key(one) != function_key(two)


def closure(number: int) -> Callable[[], int]:
    return lambda: number


def test_what_a_closure_holds_counts() -> None:
    assert id_for_memo(closure(1)) == id_for_memo(closure(1))
    assert id_for_memo(closure(1)) != id_for_memo(closure(2))


def test_defaults_that_are_equal_and_not_the_same_count() -> None:
    defaults = (1, True, 1.0, 0, False, 0.0, -0.0, None, "", b"", (), [])
    assert len({key(with_default(one)) for one in defaults}) == len(defaults)
    assert key(with_default("a")) == key(with_default("a"))


def with_default(value: Any) -> Callable[[Any], Any]:
    def function(x: Any = value) -> Any:
        return x

    return function


def test_a_closure_that_holds_itself_has_a_key() -> None:
    def outer() -> Callable[[int], int]:
        def loop(n: int) -> int:
            return loop(n - 1)

        return loop

    assert id_for_memo(outer()) == id_for_memo(outer())


def test_a_type_without_a_rule_is_named_with_the_path_to_it() -> None:
    with pytest.raises(MemoKeyError) as caught:
        key({"rows": [1, Data(Opaque())]})
    text = str(caught.value)
    assert "a['rows'][1].x" in text
    assert "Opaque" in text
    assert "id_for_memo.register" in text
    assert str(pickle.loads(pickle.dumps(caught.value))) == text


def test_what_a_rule_would_not_see_is_refused() -> None:
    tagged = Tagged("x")
    tagged.tag = "y"
    measured = Measured([1])
    measured.unit = "m"
    for value in (tagged, measured):
        with pytest.raises(MemoKeyError, match="attributes besides"):
            key(value)


def test_a_value_that_holds_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(MemoKeyError, match="holds itself"):
        key(value)


def test_a_registered_rule_is_used_and_the_type_is_added() -> None:
    class One(Opaque):
        pass

    class Two(Opaque):
        pass

    for kind in (One, Two):
        id_for_memo.register(kind, lambda _: b"same")
    assert key(One()) == key(One())
    assert key(One()) != key(Two())


def test_a_call_that_does_not_fit_its_signature_still_has_a_key() -> None:
    subject = Subject(closure(1), (1,), {"x": 2})
    assert memo_key(subject) == memo_key(subject)
    assert memo_key(subject) != memo_key(subject._replace(args=(2,)))


PROGRAM = """
from lamina.memo import memo_key, Subject
def f(x, y=frozenset("abcdef")):
    return x in {"a", "b", "c", "d"}
print(memo_key(Subject(f, ({"x", "y", "z", "w"}, {"k": {1, "2"}}), {})).hex())
"""


def test_a_key_is_the_same_in_every_process() -> None:
    keys = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "42")
    }
    assert len(keys) == 1


def test_a_shared_object_is_known_by_its_digest() -> None:
    one, two = (Shared([1, 2], PickleCodec().dump) for _ in range(2))
    assert id_for_memo(one) == id_for_memo(two) == one.digest
