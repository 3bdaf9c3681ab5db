import dataclasses
import json
import math
from typing import Any

import attrs
import pytest

from lamina.htex_core import RandomManagerSelector, WrittenCall, make_plugin, write_plugin
from lamina.vocabulary import ConfigError


@attrs.frozen
class WithOptions:
    _weight: float
    names: tuple[str, ...] = ()
    made: int = attrs.field(default=3, init=False)


@dataclasses.dataclass
class AsData:
    table: dict[str, Any]
    kept: list[int] = dataclasses.field(default_factory=list, init=False)


class Plain:
    pass


class Stateful:
    def __init__(self) -> None:
        self.state = 1


class Slotted:
    __slots__ = ("state",)


class Outer:
    @attrs.frozen
    class Inner:
        size: int


@pytest.mark.parametrize(
    "plugin, options",
    [
        (WithOptions(1.5, ("a", "b")), {"weight": 1.5, "names": ("a", "b")}),
        (AsData({"a": [1, None, True, b"x"]}), {"table": {"a": [1, None, True, b"x"]}}),
        (Plain(), {}),
        (Outer.Inner(2**64 - 1), {"size": 2**64 - 1}),
        (RandomManagerSelector(), {}),
    ],
)
def test_what_is_written_makes_another_one_like_it(plugin: Any, options: dict[str, Any]) -> None:
    place, written = write_plugin(plugin, "it")
    assert place == f"{type(plugin).__module__}:{type(plugin).__qualname__}"
    assert written == options
    again = make_plugin((place, written))
    assert type(again) is type(plugin)
    assert write_plugin(again, "it") == (place, written)


def local() -> Any:
    class Local:
        pass

    return Local()


class Impostor:
    pass


Impostor.__qualname__ = "Plain"


@pytest.mark.parametrize(
    "plugin, says",
    [
        (Plain, r"write Plain\(\.\.\.\)"),
        (local(), "no class of a module"),
        (Impostor(), "or another one"),
        (Stateful(), "attrs class or a dataclass"),
        (Slotted(), "attrs class or a dataclass"),
        (WithOptions(1.0, (object(),)), "its names is"),  # type: ignore[arg-type]
        (Outer.Inner(2**64), "its size is"),
        (AsData({1: 2}), "its table is"),  # type: ignore[dict-item]
    ],
)
def test_what_cannot_be_written_is_refused_with_the_reason(plugin: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        write_plugin(plugin, "manager_selector")


class Bytes(int):
    """A whole number that says what it counts."""


def test_a_whole_number_of_another_type_may_travel_at_once() -> None:
    _, options = write_plugin(Outer.Inner(Bytes(2**40)), "it")
    assert options["size"] == 2**40


def test_a_number_that_is_none_may_travel() -> None:
    _, options = write_plugin(WithOptions(math.inf), "it")
    assert options["weight"] == math.inf


def test_what_is_not_there_is_an_import_error() -> None:
    with pytest.raises(ImportError):
        make_plugin(("no_such_module:It", {}))
    with pytest.raises(AttributeError):
        make_plugin((f"{__name__}:Nothing", {}))


@pytest.mark.parametrize(
    "call", [WrittenCall(None, None, [b"a", b"\xff"]), WrittenCall(b"d" * 16, b"\x00form", [])]
)
def test_a_call_for_every_worker_survives_json(call: WrittenCall) -> None:
    assert WrittenCall.read(json.loads(json.dumps(call.as_json()))) == call
