"""A call as bytes, for pools whose own pickling knows nothing of decorated functions."""

import pickle
from typing import Any

from lamina.codec import Codec, load_call, load_function
from lamina.executors.protocol import Call, Payload
from lamina.plugins import resolve
from lamina.vocabulary import ConfigError

__all__ = ["packed", "run_packed"]


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
    """Run a call that was packed; what it returns is for the pool to send."""
    form, buffers = pickle.loads(data)
    function, args, kwargs = load_call(buffers, None if form is None else load_function(form))
    return function(*args, **kwargs)


def _codec() -> Codec:
    codec: Codec
    try:
        codec = resolve("codecs", "cloudpickle")()
    except ConfigError:  # the slim bundle has none
        codec = resolve("codecs", "pickle")()
    return codec
