"""Objects to bytes and back: the contract, the standard-library codec, and errors sent home."""

from lamina.codec.builtin import BUILTIN
from lamina.codec.culprit import describe_culprit
from lamina.codec.errors import RemoteError, dump_error, load_error
from lamina.codec.pickles import OUT_OF_BAND, PickleCodec, load_value
from lamina.codec.protocol import Buffer, Buffers, CallForm, Codec, FunctionForm
from lamina.codec.references import Reference, reference_to

__all__ = [
    "BUILTIN",
    "Buffer",
    "Buffers",
    "CallForm",
    "Codec",
    "FunctionForm",
    "OUT_OF_BAND",
    "PickleCodec",
    "Reference",
    "RemoteError",
    "describe_culprit",
    "dump_error",
    "load_error",
    "load_value",
    "reference_to",
]
