"""Objects to bytes and back."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

__all__ = ["Buffer", "Buffers", "CallForm", "Codec", "FunctionForm"]

Buffer: TypeAlias = bytes | bytearray | memoryview
Buffers: TypeAlias = Sequence[Buffer]
"""A pickle first, then the large buffers that it refers to, out of band and uncopied."""


class FunctionForm(NamedTuple):
    """A function, by value or by its name, addressed by a digest so that it travels once."""

    digest: bytes
    """16 bytes that name the content."""
    form: bytes


class CallForm(NamedTuple):
    """A call, ready to travel. ``function`` is None where what is called is in the buffers."""

    function: FunctionForm | None
    buffers: Buffers


class Codec(Protocol):
    """**Protocol:** turns calls and values into bytes, and back on the other side.

    It runs in the client and in the worker, so it travels as ``module:name``. All methods may
    be called from any thread. Each may raise whatever the objects' own code raises.
    """

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    def dump_call(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> CallForm:
        """Write down a call. An importable function goes by its name.

        Raises:
            SerializationError: It cannot be written; the text names the part that cannot.
        """
        ...

    def load_function(self, form: bytes) -> Callable[..., Any]:
        """Make a function from its form."""
        ...

    def load_call(
        self, buffers: Buffers, function: Callable[..., Any] | None
    ) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
        """Read a call; ``function`` is what the digest beside it stood for, if there was one."""
        ...

    def dump(self, value: Any) -> Buffers:
        """Write down a value."""
        ...

    def load(self, buffers: Buffers) -> Any:
        """Read a value."""
        ...
