"""The two resolvers: one looks at the arguments themselves, the other inside them too."""

from concurrent.futures import Future
from typing import Any

import attrs

from lamina.dependencies.deep import find_futures, replace_futures
from lamina.dependencies.protocol import DependencyResolver
from lamina.vocabulary import ConfigError

__all__ = ["DeepResolver", "ShallowResolver", "resolver_named"]


@attrs.frozen
class ShallowResolver:
    """An argument counts when it is a future itself. This is the default."""

    @property
    def name(self) -> str:
        """What messages call it."""
        return "shallow"

    def gather(self, argument: object) -> list[Future[Any]]:
        """The argument, if it is a future."""
        return [argument] if isinstance(argument, Future) else []

    def unwrap(self, argument: Any) -> Any:
        """The future's result, or the argument as it is.

        Raises:
            Exception: The exception of a future that failed.
        """
        return argument.result(timeout=0) if isinstance(argument, Future) else argument


@attrs.frozen
class DeepResolver:
    """Futures count at any depth of the containers that ``find_futures`` looks into."""

    @property
    def name(self) -> str:
        """What messages call it."""
        return "deep"

    def gather(self, argument: object) -> list[Future[Any]]:
        """All futures in the argument, in the order of the elements that hold them."""
        return [future for _, future in find_futures(argument)]

    def unwrap(self, argument: Any) -> Any:
        """The argument with results for futures; what holds a future is made anew.

        Raises:
            Exception: The exception of a future that failed.
        """
        return replace_futures(argument)


def resolver_named(name: str) -> DependencyResolver:
    """The resolver that a configuration names.

    Raises:
        ConfigError: There is none of that name.
    """
    if name == "shallow":
        return ShallowResolver()
    if name == "deep":
        return DeepResolver()
    msg = f'dependency_resolver is {name!r}; write "shallow", "deep", or give an object'
    raise ConfigError(msg)
