import gc
import sys
from types import FunctionType, ModuleType
from typing import Any
from weakref import ref

import pytest

from lamina.codec_cloudpickle.snapshot import Snapshot


def function(source: str, **more: Any) -> FunctionType:
    names: dict[str, Any] = {"__name__": "__main__", **more}
    exec(source, names)
    made = names["f"]
    assert isinstance(made, FunctionType)
    return made


class Thing:
    pass


def test_it_holds_while_all_parts_are_the_same_objects() -> None:
    f = function("def f(a=1): return [K for _ in L]", K=Thing(), L=[1])
    assert Snapshot(f).holds(f)
    f.__globals__["L"].append(2)  # the same list
    f.__globals__["other"] = 3
    assert Snapshot(f).holds(f)


def test_a_thing_that_is_gone_is_not_the_none_that_came_after_it() -> None:
    f = function("def f(): return K", K=Thing())
    snapshot = Snapshot(f)
    f.__globals__["K"] = None
    assert not snapshot.holds(f)


def test_more_or_fewer_parts_are_a_difference() -> None:
    f = function("def f(): return K")
    snapshot = Snapshot(f)
    f.__globals__["K"] = None
    assert not snapshot.holds(f)
    snapshot = Snapshot(f)
    del f.__globals__["K"]
    assert not snapshot.holds(f)


def test_names_within_inner_functions_count() -> None:
    f = function("def f(): return lambda: K", K=1)
    snapshot = Snapshot(f)
    f.__globals__["K"] = 2
    assert not snapshot.holds(f)


def test_an_empty_closure_cell_is_no_error() -> None:
    def outer() -> Any:
        def inner() -> object:
            return later

        snapshot = Snapshot(inner)  # type: ignore[arg-type]  # a function it is
        later = 1
        return snapshot.holds(inner)  # type: ignore[arg-type]

    assert outer() is False


def test_what_a_function_reaches_counts_as_well() -> None:
    f = function("def f(): return g()\ndef g(a=1): return h()\ndef h(): return K", K=1)
    for change in ({"K": 2}, {"h": function("def f(): pass")}):
        snapshot = Snapshot(f)
        assert snapshot.holds(f)
        f.__globals__.update(change)
        assert not snapshot.holds(f)
    snapshot = Snapshot(f)
    f.__globals__["g"].__defaults__ = (2,)
    assert not snapshot.holds(f)
    snapshot = Snapshot(f)
    f.__globals__["g"].__code__ = f.__code__
    assert not snapshot.holds(f)


def test_a_function_that_loses_its_name_travels_by_value_from_then_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = ModuleType("a_module_of_a_test")
    exec("def plain(): pass", vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    f = function("def f(): return plain()", plain=module.plain)
    snapshot = Snapshot(f)
    assert snapshot.holds(f)
    module.plain = None  # type: ignore[attr-defined]  # a module may have any attribute
    assert not snapshot.holds(f)


def test_neither_the_function_nor_its_globals_are_kept_alive() -> None:
    f = function("def f(): return f, K", K=Thing())
    snapshot, gone = Snapshot(f), ref(f)
    del f
    gc.collect()
    assert gone() is None
    assert not snapshot.holds(function("def f(): return f, K", K=Thing()))
