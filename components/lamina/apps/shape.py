"""What a function can be called with, read once when it is decorated."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from lamina.vocabulary import UsageError

__all__ = ["SPECIAL", "Shape"]

SPECIAL = frozenset(
    {"inputs", "outputs", "parsl_resource_specification", "stderr", "stdout", "walltime"}
)
"""Keywords that every call takes; they reach the function only if it declares them."""

_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_ANYTHING = inspect.Signature(
    [
        inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL),
        inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD),
    ]
)


class Shape:
    """The parameters of a function, in the form in which a call asks for them.

    Some functions written in C do not say what they take. They take what they like, as far as
    a call can tell, and none of the special keywords.

    Raises:
        UsageError: What it says of its parameters makes no sense.
    """

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self.name = name
        try:
            self.signature = inspect.signature(function)
        except ValueError:  # such as time.sleep; only its own code knows
            self.signature = _ANYTHING
        except TypeError as error:
            msg = f"{name} cannot be an app, for its parameters cannot be known: {error}"
            raise UsageError(msg) from error
        parameters = self.signature.parameters.values()
        kinds = {parameter.kind for parameter in parameters}
        self.open = inspect.Parameter.VAR_KEYWORD in kinds
        """Whether it takes any keyword."""
        self.names = frozenset(parameter.name for parameter in parameters)
        self.declared = self.names & SPECIAL
        empty = inspect.Parameter.empty
        self.defaults: dict[str, Any] = {
            parameter.name: parameter.default
            for parameter in parameters
            if parameter.name in SPECIAL
            and parameter.default is not empty
            and parameter.default is not None
        }
        positional = [parameter for parameter in parameters if parameter.kind in _BY_POSITION]
        self.positional = tuple(parameter.name for parameter in positional)
        """Those that may be given by position, in order."""
        self.by_keyword = self.declared.difference(
            parameter.name
            for parameter in parameters
            if parameter.kind is inspect.Parameter.POSITIONAL_ONLY
        )
        """The special keywords that the function takes as such."""
        must = [parameter for parameter in positional if parameter.default is empty]
        late = any(
            parameter.kind is inspect.Parameter.KEYWORD_ONLY and parameter.default is empty
            for parameter in parameters
        )
        # How many arguments a call without keywords may have; an empty range where one is needed.
        unlimited = inspect.Parameter.VAR_POSITIONAL in kinds
        self.least = len(must)
        self.most = -1 if late else (2**31 if unlimited else len(positional))

    def check(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Refuse a call that the function would refuse.

        Raises:
            TypeError: The arguments do not fit.
        """
        if not kwargs and self.least <= len(args) <= self.most:
            return
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError as error:
            msg = f"{self.name}() {error}"
            raise TypeError(msg) from None

    def at_position(self, args: tuple[Any, ...]) -> Mapping[str, Any]:
        """The special keywords among the arguments that are given by position."""
        return {
            name: value
            for name, value in zip(self.positional, args, strict=False)
            if name in SPECIAL
        }

    def placed(self, args: tuple[Any, ...], values: Mapping[str, Any]) -> tuple[Any, ...]:
        """The arguments by position, with the special keywords among them as they were read."""
        read = (
            values[name] if name in SPECIAL else value
            for name, value in zip(self.positional, args, strict=False)
        )
        return (*read, *args[len(self.positional) :])
