"""Rules for the values of numpy and pandas, where those are in use; neither is imported here.

A type is known by the name of its module, so a program that has no arrays pays nothing.
"""

import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

__all__ = ["foreign_rule"]

PartOf: TypeAlias = Callable[[object, str], bytes]
Rule: TypeAlias = Callable[[Any, PartOf], bytes]


def foreign_rule(kind: type) -> Rule | None:
    """The rule for a type of numpy or pandas; None for any other, their subclasses too."""
    library = kind.__module__.partition(".")[0]
    rules = _RULES.get(library)
    module: Any = sys.modules.get(library)
    if rules is None or module is None:
        return None
    return next((rule for fits, rule in rules if fits(module, kind)), None)


def _array(value: Any, part_of: PartOf) -> bytes:
    if value.dtype.hasobject:
        content = part_of(value.tolist(), ".tolist()")
    else:
        content = part_of(value.tobytes("C"), ".tobytes()")
    return b"".join(
        (part_of(_dtype_name(value.dtype), ".dtype"), part_of(value.shape, ".shape"), content)
    )


def _masked(value: Any, part_of: PartOf) -> bytes:
    mask = part_of(value.mask.tobytes("C"), ".mask") + part_of(value.mask.shape, ".mask")
    return mask + _array(value.filled(), part_of)


def _dtype_name(dtype: Any) -> str:
    return repr(dtype.descr) if dtype.names else str(dtype.str)


def _scalar(value: Any, part_of: PartOf) -> bytes:
    if value.dtype.hasobject:
        return part_of(value.tolist(), ".item()")
    return part_of(_dtype_name(value.dtype), ".dtype") + part_of(value.tobytes(), ".tobytes()")


def _dtype(value: Any, part_of: PartOf) -> bytes:
    return part_of(_dtype_name(value), ".descr")


def _frame(value: Any, part_of: PartOf) -> bytes:
    def parts() -> Iterator[bytes]:
        yield part_of(value.index, ".index")
        yield part_of(value.columns, ".columns")
        for number in range(value.shape[1]):
            yield part_of(value.iloc[:, number].array, f".iloc[:, {number}]")

    return b"".join(parts())


def _series(value: Any, part_of: PartOf) -> bytes:
    return b"".join(
        (
            part_of(value.name, ".name"),
            part_of(value.index, ".index"),
            part_of(value.array, ".array"),
        )
    )


def _index(value: Any, part_of: PartOf) -> bytes:
    if value.nlevels > 1:
        content = part_of(value.tolist(), ".tolist()")
    else:
        content = part_of(value.array, ".array")
    return part_of(list(value.names), ".names") + content


def _extension(value: Any, part_of: PartOf) -> bytes:
    dtype = value.dtype
    name = repr(dtype) if hasattr(dtype, "categories") else str(dtype)
    numpy: Any = sys.modules["numpy"]
    if isinstance(dtype, numpy.dtype) and not dtype.hasobject:
        return part_of(name, ".dtype") + part_of(value.to_numpy(), ".to_numpy()")
    return part_of(name, ".dtype") + part_of(list(value), "")


def _nothing(value: Any, part_of: PartOf) -> bytes:
    return b""


Fits: TypeAlias = Callable[[Any, type], bool]

_RULES: dict[str, list[tuple[Fits, Rule]]] = {
    "numpy": [
        (lambda numpy, kind: kind is numpy.ndarray, _array),
        (lambda numpy, kind: kind is numpy.ma.MaskedArray, _masked),
        (lambda numpy, kind: issubclass(kind, numpy.generic), _scalar),
        (lambda numpy, kind: issubclass(kind, numpy.dtype), _dtype),
    ],
    "pandas": [
        (lambda pandas, kind: kind is pandas.DataFrame, _frame),
        (lambda pandas, kind: kind is pandas.Series, _series),
        (lambda pandas, kind: issubclass(kind, pandas.Index), _index),
        (lambda pandas, kind: issubclass(kind, pandas.api.extensions.ExtensionArray), _extension),
        (lambda pandas, kind: kind is type(pandas.NA), _nothing),
    ],
}
