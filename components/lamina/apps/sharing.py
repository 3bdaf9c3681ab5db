"""``share``: an object that many tasks are given, sent to each node once."""

from typing import TypeVar

from lamina.codec import Shared
from lamina.plugins import resolve

__all__ = ["share"]

_T = TypeVar("_T")


def share(value: _T) -> Shared[_T]:
    """A handle to give to tasks in the place of a large object; each of them gets the object.

    It may stand anywhere among the arguments of a call. It is pickled here and now, once; each
    node is sent it once, when its first task asks for it, and keeps it while a handle or an
    unresolved task needs it. Two handles to what gives the same pickle share one content, and
    are one value to memo. Tasks must not change what they get: those on one worker get the same.

    On threads, and where the pool is not ours, a handle in a list, tuple, dict or set becomes the
    object as well; elsewhere ask for its ``value``.

    Raises:
        SerializationError: It cannot be pickled; the text says why.
    """
    return Shared(value, resolve("codecs", "cloudpickle")().dump)
