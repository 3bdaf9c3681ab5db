"""Which part of a call or value it is that cannot be written."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["describe_culprit"]

_WIDEST = 1000  # items of one container that are tried, one after the other
_DEEPEST = 4


def describe_culprit(
    dump: Callable[[Any], object], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> str | None:
    """Name the smallest part that ``dump`` refuses when it is alone, such as ``args[0]['x']``.

    ``None`` when each part can be written.
    """
    parts = [(f"args[{index}]", value) for index, value in enumerate(args)]
    parts += [(f"kwargs[{name!r}]", value) for name, value in kwargs.items()]
    for path, value in parts:
        if _refused(dump, value):
            return _narrow(dump, path, value)
    return None


def _narrow(dump: Callable[[Any], object], path: str, value: Any) -> str:
    for _ in range(_DEEPEST):
        for step, item in _items(value):
            if _refused(dump, item):
                path, value = path + step, item
                break
        else:
            break
    return f"{path} (a {type(value).__qualname__})"


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list | tuple):
        for index, item in enumerate(value[:_WIDEST]):
            yield f"[{index}]", item
    elif type(value) is dict and len(value) <= _WIDEST:
        for key, item in value.items():
            yield f"[{key!r}]", item


def _refused(dump: Callable[[Any], object], value: Any) -> bool:
    try:
        dump(value)
    except (Exception, SystemExit):  # whatever the objects' own code raises: it cannot be written
        return True
    return False
