"""A call as bytes, and what came of it, for pools whose own pickling is not enough.

It knows nothing of decorated functions; and a result that cannot be unpickled breaks a
``ProcessPoolExecutor``, with all that it holds.
"""

import pickle
from typing import Any, NamedTuple

from lamina.codec import Codec, dump_error, load_call, load_error, load_function, load_value
from lamina.executors.protocol import Call, Payload
from lamina.plugins import resolve
from lamina.vocabulary import ConfigError

__all__ = ["PackedEnd", "end_of", "packed", "packed_end", "run_packed"]


class PackedEnd(NamedTuple):
    """What a call came to: a value or an exception, as bytes that any pool can carry."""

    value: list[bytes]
    error: bytes | None


def packed(call: Call) -> Payload:
    """The call for another process, by the codec that can write most of those that are installed.

    Raises:
        SerializationError: It cannot be written; the text names the part that cannot.
    """
    named, buffers = _codec().dump_call(call.function, call.args, call.kwargs)
    form = None if named is None else named.form
    data = pickle.dumps((form, [bytes(buffer) for buffer in buffers]), protocol=5)
    return Payload(f"{__name__}:{run_packed.__name__}", data)


def run_packed(data: bytes) -> Any:
    """Run a call that was packed."""
    form, buffers = pickle.loads(data)
    function, args, kwargs = load_call(buffers, None if form is None else load_function(form))
    return function(*args, **kwargs)


def packed_end(value: Any, error: BaseException | None) -> PackedEnd:
    """What came of a call, for the way home.

    Raises:
        SerializationError: The value cannot be written; the text names the part that cannot.
    """
    codec = _codec()
    if error is not None:
        return PackedEnd([], dump_error(error, codec.dump))
    return PackedEnd([bytes(buffer) for buffer in codec.dump(value)], None)


def end_of(end: PackedEnd) -> tuple[Any, BaseException | None]:
    """The value, or the exception, of a call that was packed.

    Raises:
        Exception: Whatever the value raises when it is unpickled.
    """
    if end.error is not None:
        return None, load_error(end.error)
    return load_value(end.value), None


def _codec() -> Codec:
    codec: Codec
    try:
        codec = resolve("codecs", "cloudpickle")()
    except ConfigError:  # the slim bundle has none
        codec = resolve("codecs", "pickle")()
    return codec
