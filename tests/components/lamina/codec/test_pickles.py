import os.path
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lamina.codec import OUT_OF_BAND, CallForm, PickleCodec
from lamina.vocabulary import HasStarted, SerializationError

CODEC = PickleCodec()


class Refuses:
    def __reduce__(self) -> str:
        raise ValueError("never")


def of_the_program(source: str, name: str) -> Any:
    """Make something that says that it was defined in __main__, as in a script."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(source, names)
    return names[name]


def come(call: CallForm) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
    function = None if call.function is None else CODEC.load_function(call.function.form)
    return CODEC.load_call(call.buffers, function)


def test_a_call_comes_back_whole() -> None:
    call = CODEC.dump_call(os.path.join, ("a", ["b"]), {"c": {"d": 1.5}})
    assert come(call) == (os.path.join, ("a", ["b"]), {"c": {"d": 1.5}})


def test_a_function_has_one_form_for_all_its_calls() -> None:
    first, second = (CODEC.dump_call(os.path.join, (name,), {}).function for name in "ab")
    assert first is second
    assert first is not None
    assert len(first.digest) == 16


def test_callables_that_are_no_functions_may_be_called() -> None:
    for callable_ in (len, Path, dict.fromkeys):
        call = CODEC.dump_call(callable_, (), {})
        assert CODEC.load_call(call.buffers, None)[0] == callable_


def test_a_function_sent_apart_takes_the_place() -> None:
    call = CODEC.dump_call(len, ([],), {})
    function = CODEC.load_function(pickle.dumps(abs))
    assert CODEC.load_call(call.buffers, function) == (abs, ([],), {})


def test_large_buffers_travel_beside_the_pickle_uncopied() -> None:
    large, small = bytearray(OUT_OF_BAND), bytearray(10)
    buffers = CODEC.dump([pickle.PickleBuffer(large), pickle.PickleBuffer(small)])
    assert len(buffers) == 2
    large[0] = 7  # seen through the view, so nothing was copied
    loaded = CODEC.load([bytes(buffer) for buffer in buffers])
    assert bytes(loaded[0]) == bytes(large)
    assert bytes(loaded[1]) == bytes(small)


def test_buffers_stay_writable_or_not_as_they_were() -> None:
    values = [pickle.PickleBuffer(bytearray(OUT_OF_BAND)), pickle.PickleBuffer(bytes(OUT_OF_BAND))]
    loaded = CODEC.load([bytes(buffer) for buffer in CODEC.dump(values)])
    assert [memoryview(one).readonly for one in loaded] == [False, True]


def local() -> Callable[[], None]:
    def inner() -> None: ...

    return inner


@pytest.mark.parametrize(
    "function",
    [lambda: 1, local(), of_the_program("def f(): pass", "f")],
    ids=["lambda", "local", "main"],
)
def test_functions_that_workers_cannot_import_are_refused(function: Callable[[], None]) -> None:
    with pytest.raises(SerializationError, match="cloudpickle") as caught:
        CODEC.dump_call(function, (), {})
    assert caught.value.started is HasStarted.NO
    with pytest.raises(SerializationError, match=r"args\[0\].*cloudpickle"):
        CODEC.dump_call(len, (function,), {})


def test_a_class_of_the_program_is_refused_although_pickle_would_take_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cls = of_the_program("class Mine: pass", "Mine")
    import __main__

    monkeypatch.setattr(__main__, "Mine", cls, raising=False)
    assert pickle.dumps(cls())
    with pytest.raises(SerializationError, match="class Mine is defined in __main__"):
        CODEC.dump(cls())


def test_text_that_only_looks_like_the_program_is_fine() -> None:
    assert CODEC.load(CODEC.dump(["__main__", 1])) == ["__main__", 1]


def test_the_part_that_fails_is_named() -> None:
    with pytest.raises(SerializationError, match=r"kwargs\['x'\]\[1\]\['y'\] \(a Refuses\).*never"):
        CODEC.dump_call(len, (1,), {"x": [1, {"y": Refuses()}]})


class Leaves:
    def __reduce__(self) -> str:
        sys.exit(3)


def test_an_argument_that_exits_while_it_is_written_is_named() -> None:
    with pytest.raises(SerializationError, match=r"args\[1\] \(a Leaves\).*3") as caught:
        CODEC.dump_call(len, (1, Leaves()), {})
    assert caught.value.started is HasStarted.NO


def test_a_value_that_cannot_be_written_is_a_typed_error() -> None:
    with pytest.raises(SerializationError, match=r"Refuses cannot be pickled: never"):
        CODEC.dump(Refuses())


def test_a_decorated_function_travels_by_its_name(a_module: ModuleType) -> None:
    original = a_module.decorated.__wrapped__
    call = CODEC.dump_call(original, (original,), {})
    assert come(call) == (original, (original,), {})


def test_it_is_a_value_without_state() -> None:
    assert PickleCodec() == CODEC
    assert len({PickleCodec(), CODEC}) == 1
    assert repr(CODEC) == "PickleCodec()"
    assert CODEC.name == "pickle"
    assert pickle.loads(pickle.dumps(CODEC)) == CODEC
