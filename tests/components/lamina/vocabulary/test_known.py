import inspect

import attrs
import pytest

from lamina.vocabulary import ConfigError, explains


@explains(colour="nobody can see it; leave it out")
@attrs.frozen
class _Thing:
    size: int = 1


def test_a_known_option_is_refused_with_what_to_do_instead() -> None:
    with pytest.raises(ConfigError, match="_Thing has no option colour: nobody can see it; leave"):
        _Thing(colour="red")  # type: ignore[arg-type]


def test_all_else_is_as_it_was() -> None:
    assert _Thing(2) == _Thing(size=2) == attrs.evolve(_Thing(), size=2)
    assert list(inspect.signature(_Thing).parameters) == ["size"]
    with pytest.raises(TypeError, match="taste"):
        _Thing(taste=1)
