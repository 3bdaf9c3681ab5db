import subprocess
import sys
from typing import Any

import numpy
import pandas
import pytest

from lamina.memo import MemoKeyError, Subject, memo_key
from lamina.memo.arrays import foreign_rule


def f(value: Any) -> None:
    pass


def key(value: Any) -> bytes:
    return memo_key(Subject(f, (value,), {}))


ARRAYS: list[Any] = [
    numpy.arange(6),
    numpy.arange(6).reshape(2, 3),
    numpy.arange(6).reshape(3, 2),
    numpy.arange(6.0),
    numpy.arange(6, dtype="int32"),
    numpy.arange(6, dtype=">i8"),
    numpy.array([]),
    numpy.array(1),
    numpy.array(["a", "b"]),
    numpy.array(["a", None], dtype=object),
    numpy.array(["a", "b"], dtype=object),
    numpy.array([(1, 2.0)], dtype=[("x", int), ("y", float)]),
    numpy.array([(1, 2.0)], dtype=[("x", int), ("z", float)]),
    numpy.array(["2024-01-01"], dtype="datetime64[D]"),
    numpy.array(["2024-01-01"], dtype="datetime64[s]"),
    numpy.ma.masked_array([1, 2], [True, False]),
    numpy.ma.masked_array([1, 2], [False, True]),
    numpy.int64(1),
    numpy.int32(1),
    numpy.float64(1),
    numpy.bool_(True),
    numpy.datetime64("2024-01-01"),
    numpy.dtype("int64"),
    [0, 1, 2, 3, 4, 5],
]
FRAMES: list[Any] = [
    pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]}),
    pandas.DataFrame({"a": [1, 2], "b": ["x", "z"]}),
    pandas.DataFrame({"b": ["x", "y"], "a": [1, 2]}),
    pandas.DataFrame({"a": [1.0, 2], "b": ["x", "y"]}),
    pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]}, index=[5, 6]),
    pandas.DataFrame(),
    pandas.Series([1, 2]),
    pandas.Series([1, 2], name="n"),
    pandas.Series([1, None], dtype="Int64"),
    pandas.Series([1, 2], dtype="Int64"),
    pandas.Series(["a", "b"], dtype="category"),
    pandas.Series(pandas.Categorical(["a", "b"], categories=["b", "a"])),
    pandas.Series(pandas.to_datetime(["2024-01-01", None])),
    pandas.Series(pandas.to_datetime(["2024-01-01", None]).tz_localize("UTC")),
    pandas.Index([1, 2]),
    pandas.RangeIndex(1, 3),
    pandas.MultiIndex.from_tuples([(1, "a"), (2, "b")]),
    pandas.Timestamp("2024-01-01"),
    pandas.Timestamp("2024-01-01 00:00:00.000000001"),
    pandas.NA,
    pandas.NaT,
]


@pytest.mark.parametrize("values", [ARRAYS, FRAMES])
def test_different_values_have_different_keys_and_copies_equal_ones(values: list[Any]) -> None:
    import copy

    keys = [key(value) for value in values]
    assert len(set(keys)) == len(values)
    assert [key(copy.deepcopy(value)) for value in values] == keys


def test_how_an_array_lies_in_memory_does_not_count() -> None:
    square = numpy.arange(9).reshape(3, 3)
    assert key(square) == key(numpy.asfortranarray(square))
    assert key(square.T) == key(square.T.copy())
    assert key(numpy.arange(10)[::2]) == key(numpy.array([0, 2, 4, 6, 8]))


def test_what_has_no_rule_inside_an_array_is_named() -> None:
    with pytest.raises(MemoKeyError, match=r"builtins\.object"):
        key(numpy.array([object()]))

    class Mine(numpy.ndarray):
        pass

    with pytest.raises(MemoKeyError, match="Mine"):
        key(numpy.arange(3).view(Mine))


def test_types_of_other_modules_have_no_rule_here() -> None:
    assert foreign_rule(int) is None
    assert foreign_rule(numpy.random.Generator) is None


def test_no_library_is_imported_for_its_rules() -> None:
    program = "import sys, lamina.memo; print({'numpy', 'pandas'} & set(sys.modules))"
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "set()"
