"""What the body of a join app may return: a future, or a list, tuple or dict of them."""

from concurrent.futures import Future
from typing import Any

from lamina.dependencies import replace_futures

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
    """The same, of the same type, with results in the place of futures; all are done."""
    return replace_futures(value)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
