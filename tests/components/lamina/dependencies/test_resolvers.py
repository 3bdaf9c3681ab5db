from concurrent.futures import Future
from typing import Any

import pytest

from lamina.dependencies import DeepResolver, ShallowResolver, resolver_named
from lamina.vocabulary import ConfigError


def done(value: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future


def test_shallow_sees_the_argument_alone() -> None:
    future = done(1)
    resolver = ShallowResolver()
    assert resolver.gather(future) == [future]
    assert resolver.gather([future]) == []
    assert resolver.unwrap(future) == 1
    held = [future]
    assert resolver.unwrap(held) is held


def test_deep_sees_inside() -> None:
    future = done(1)
    resolver = DeepResolver()
    assert resolver.gather({"a": [future]}) == [future]
    assert resolver.unwrap({"a": [future]}) == {"a": [1]}
    assert resolver.unwrap(future) == 1


@pytest.mark.parametrize("name", ["shallow", "deep"])
def test_resolvers_have_names(name: str) -> None:
    assert resolver_named(name).name == name


def test_an_unknown_name_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ConfigError, match='"shallow", "deep"'):
        resolver_named("deeper")
