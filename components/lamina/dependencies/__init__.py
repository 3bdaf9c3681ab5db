"""Which futures hide in the arguments of a call, and how their results take their place."""

from lamina.dependencies.builtin import BUILTIN
from lamina.dependencies.deep import find_futures, replace_futures
from lamina.dependencies.protocol import DependencyResolver
from lamina.dependencies.resolvers import DeepResolver, ShallowResolver, resolver_named

__all__ = [
    "BUILTIN",
    "DeepResolver",
    "DependencyResolver",
    "ShallowResolver",
    "find_futures",
    "replace_futures",
    "resolver_named",
]
