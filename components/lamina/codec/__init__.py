"""Objects to bytes and back: the contract, the standard-library codec, and errors sent home."""

from lamina.codec.builtin import BUILTIN
from lamina.codec.errors import RemoteError, dump_error, load_error
from lamina.codec.pickles import PickleCodec
from lamina.codec.protocol import Buffer, Buffers, CallForm, Codec, FunctionForm
from lamina.codec.references import Reference, form_by_name, made_of, reference_to
from lamina.codec.shared import (
    Content,
    Shared,
    any_shared,
    fetch_from,
    gather_again,
    gathering,
    is_gathering,
    load_content,
    resolved,
)
from lamina.codec.writer import (
    OUT_OF_BAND,
    Writer,
    in_words,
    load_call,
    load_function,
    load_value,
)

__all__ = [
    "BUILTIN",
    "Buffer",
    "Buffers",
    "CallForm",
    "Codec",
    "Content",
    "FunctionForm",
    "OUT_OF_BAND",
    "PickleCodec",
    "Reference",
    "RemoteError",
    "Shared",
    "Writer",
    "any_shared",
    "dump_error",
    "fetch_from",
    "form_by_name",
    "gather_again",
    "gathering",
    "in_words",
    "is_gathering",
    "load_call",
    "load_content",
    "load_error",
    "load_function",
    "load_value",
    "made_of",
    "reference_to",
    "resolved",
]
