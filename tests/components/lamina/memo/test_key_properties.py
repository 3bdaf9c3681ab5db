"""Equal values have equal keys, in any process and order; values that differ have other keys."""

import copy
import datetime
import enum
import functools
import json
import os
import pickle
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import attrs

from lamina.memo import Subject, memo_key
from lamina.vocabulary import File


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


@dataclass
class Data:
    x: Any
    y: Any


@attrs.frozen
class Attrs:
    x: Any
    y: Any


class Pair(NamedTuple):
    x: Any
    y: Any


def call(value: Any) -> None:
    pass


def key(value: Any) -> bytes:
    return memo_key(Subject(call, (value,), {}))


def atom(chance: random.Random) -> Any:
    return chance.choice(
        [
            lambda: None,
            lambda: chance.random() < 0.5,
            lambda: chance.randrange(-3, 3),
            lambda: chance.randrange(10**30),
            lambda: float(chance.randrange(1, 4)),
            lambda: chance.random(),
            lambda: chance.choice(["", "a", "ab", "ä", "\udc80", "1"]),
            lambda: chance.randbytes(chance.randrange(4)),
            lambda: Path(chance.choice("ab")),
            lambda: File(chance.choice("ab")),
            lambda: chance.choice(list(Colour)),
            lambda: datetime.date(2024, 1, chance.randrange(1, 4)),
            lambda: datetime.datetime(2024, 1, 1, chance.randrange(3), tzinfo=datetime.UTC),
            lambda: datetime.timedelta(chance.randrange(3), chance.randrange(3)),
        ]
    )()


def value(chance: random.Random, depth: int) -> Any:
    if depth == 0:
        return atom(chance)
    inner = [value(chance, depth - 1) for _ in range(chance.randrange(4))]
    two = [*inner, None, None][:2]
    hashable = [atom(chance) for _ in range(chance.randrange(5))]
    return chance.choice(
        [
            lambda: atom(chance),
            lambda: inner,
            lambda: tuple(inner),
            lambda: {atom(chance): part for part in inner},
            lambda: set(hashable),
            lambda: frozenset(hashable),
            lambda: Data(*two),
            lambda: Attrs(*two),
            lambda: Pair(*two),
            lambda: functools.partial(call, *inner),
        ]
    )()


def text(it: Any) -> str:
    """All of a value in words, for which equal means equal in type too."""
    kind = type(it).__name__
    if isinstance(it, dict):
        return kind + str(sorted((text(k), text(v)) for k, v in it.items()))
    if isinstance(it, set | frozenset):
        return kind + str(sorted(map(text, it)))
    if isinstance(it, list | tuple):
        return kind + str([text(part) for part in it])
    if isinstance(it, functools.partial):
        return kind + text(it.args)
    if isinstance(it, Data | Attrs):
        return kind + text([it.x, it.y])
    return kind + repr(it)


def made(count: int = 3000) -> list[Any]:
    chance = random.Random(20240229)
    return [value(chance, chance.randrange(4)) for _ in range(count)]


def test_keys_are_equal_exactly_where_values_are() -> None:
    keys: dict[str, bytes] = {}
    for one in made():
        known = keys.setdefault(text(one), key(one))
        assert known == key(one)
    assert len(set(keys.values())) == len(keys)
    assert len(keys) > 1000


def reordered(it: Any, chance: random.Random) -> Any:
    """The same, with every dict and set filled in another order."""
    if type(it) is dict:
        pairs = [(k, reordered(v, chance)) for k, v in it.items()]
        chance.shuffle(pairs)
        return dict(pairs)
    if type(it) in (set, frozenset):
        parts = list(it)
        chance.shuffle(parts)
        return type(it)(parts)
    if type(it) in (list, tuple):
        return type(it)(reordered(part, chance) for part in it)
    return copy.deepcopy(it)


def test_the_order_of_filling_never_counts() -> None:
    chance = random.Random(1)
    for one in made(1500):
        assert key(reordered(one, chance)) == key(one)


def test_a_copy_that_travelled_has_the_same_key() -> None:
    for one in made(1000):
        assert key(pickle.loads(pickle.dumps(one))) == key(one)


def test_keys_are_the_same_in_other_processes_with_other_hash_seeds() -> None:
    expected = [key(one).hex() for one in made(500)]
    program = (
        f"import json; from {__name__} import key, made; "
        "print(json.dumps([key(one).hex() for one in made(500)]))"
    )
    for seed in ("0", "1", "4242"):
        said = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert json.loads(said) == expected


BODIES = [
    "def f(x, y=1): return x + y",
    "def f(x, y=1): return x - y",
    "def f(x, y=1): return x + y + 0",
    "def f(x, y=2): return x + y",
    "def f(x, y=True): return x + y",
    "def f(x, *, y=1): return x + y",
    "def f(x, y=1): return len(x) + y",
    "def f(x, y=1): return sum(x) + y",
    "def f(x, y=1): return (lambda: x + y)()",
    "def f(x, y=1): return (lambda: x - y)()",
    "def f(x, y=1): return [a + y for a in x]",
    "def f(x, y=1): return [a - y for a in x]",
    "def f(x, y=1): return x in {'a', 'b'}",
    "def f(x, y=1): return x in {'a', 'c'}",
    "def f(x, y=1): yield x + y",
    "def o(z):\n def f(x, y=1): return x + z\n return f\nf = o(1)",
    "def o(z):\n def f(x, y=1): return x + z\n return f\nf = o(2)",
    "def o(z):\n def f(x, y=1): return x + z\n return f\nf = o([1])",
    "def g(x): return x\ndef o(z):\n def f(x, y=1): return z(x)\n return f\nf = o(g)",
    "def g(x): return -x\ndef o(z):\n def f(x, y=1): return z(x)\n return f\nf = o(g)",
]


def body_key(source: str) -> bytes:
    space: dict[str, Any] = {"__name__": "made"}
    exec(source, space)
    return memo_key(Subject(space["f"], (1,), {"y": 5}))


def test_a_body_a_default_or_a_closure_that_changes_changes_the_key() -> None:
    keys = [body_key(source) for source in BODIES]
    assert keys == [body_key("\n# moved down\n\n" + source) for source in BODIES]
    assert len(set(keys)) == len(BODIES)
