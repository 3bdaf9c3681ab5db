"""What the body of a join app may return: a future, or a list, tuple or dict of them."""

from concurrent.futures import Future
from typing import Any

__all__ = ["futures_in", "results_in"]


def futures_in(value: Any) -> list[Future[Any]]:
    """The futures to wait for.

    Raises:
        TypeError: It holds, or is, something else.
    """
    if isinstance(value, Future):
        return [value]
    if isinstance(value, list | tuple):
        parts = [(f"[{index}]", part) for index, part in enumerate(value)]
    elif isinstance(value, dict):
        parts = [(f"[{key!r}]", part) for key, part in value.items()]
    else:
        parts = [("", value)]
    for path, part in parts:
        if not isinstance(part, Future):
            where = f" at {path}" if path else ""
            msg = (
                "a join_app must return a future, or a list, tuple or dict of futures; this one "
                f"returned {type(part).__qualname__} {_short(part)}{where}"
            )
            raise TypeError(msg)
    return [part for _, part in parts]


def results_in(value: Any) -> Any:
    """The same with results in the place of futures; all are done."""
    if isinstance(value, Future):
        return value.result(timeout=0)
    if isinstance(value, dict):
        return {key: future.result(timeout=0) for key, future in value.items()}
    results = [future.result(timeout=0) for future in value]
    return results if isinstance(value, list) else tuple(results)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
