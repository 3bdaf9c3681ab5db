import gc
import os.path
import pickle
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from lamina.codec import OUT_OF_BAND, Shared, gathering
from lamina.codec_cloudpickle import CloudpickleCodec
from lamina.vocabulary import HasStarted, SerializationError

CODEC = CloudpickleCodec()


def script(source: str) -> dict[str, Any]:
    """Run source as a program, whose functions say that they belong to __main__."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(source, names)
    return names


def run(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    call = CODEC.dump_call(function, args, kwargs)
    there = None if call.function is None else CODEC.load_function(call.function.form)
    loaded, args, kwargs = CODEC.load_call(call.buffers, there)
    return loaded(*args, **kwargs)


def digest(function: Callable[..., Any]) -> bytes:
    form = CODEC.dump_call(function, (), {}).function
    assert form is not None
    return form.digest


def test_an_importable_function_goes_by_its_name() -> None:
    call = CODEC.dump_call(os.path.join, ("a",), {})
    assert call.function is not None
    assert b"posixpath" in call.function.form
    assert CODEC.load_function(call.function.form) is os.path.join
    assert run(os.path.join, "a", "b") == "a/b"


def test_functions_of_the_program_and_local_ones_go_by_value() -> None:
    names = script("def f(x): return g(x) + 1\ndef g(x): return x * 10")
    offset = 5
    assert run(names["f"], 2) == 21
    assert run(lambda x: x + offset, x=1) == 6


def test_a_form_is_kept_for_as_long_as_it_is_true() -> None:
    names = script("def f(): return K\nK = object()")
    first = CODEC.dump_call(names["f"], (), {}).function
    assert CODEC.dump_call(names["f"], (1,), {}).function is first
    assert first is not None
    assert len(first.digest) == 16


def test_a_form_is_remade_when_what_it_names_is_another_object() -> None:
    names = script("def f(x=1, *, y=2): return x, y, K, g()\ndef g(): return L\nK, L = 3, 4")
    f = names["f"]
    seen = {digest(f)}
    assert run(f) == (1, 2, 3, 4)
    names["K"] = 30
    assert run(f) == (1, 2, 30, 4)
    seen.add(digest(f))
    names["L"] = 40  # named by what it calls only
    assert run(f) == (1, 2, 30, 40)
    seen.add(digest(f))
    f.__defaults__ = (10,)
    f.__kwdefaults__ = {"y": 20}
    assert run(f) == (10, 20, 30, 40)
    seen.add(digest(f))
    f.__code__ = (lambda x=1, *, y=2: "new").__code__
    assert run(f) == "new"
    seen.add(digest(f))
    assert len(seen) == 5


def test_what_a_function_names_and_changes_in_place_is_as_it_was_at_first() -> None:
    names = script("def f(): return K['k']\nK = {'k': 1}")
    assert run(names["f"]) == 1
    names["K"]["k"] = 2
    assert run(names["f"]) == 1
    names["K"] = {**names["K"]}
    assert run(names["f"]) == 2


def test_a_form_is_remade_when_a_closure_holds_something_else() -> None:
    value = 1

    def f() -> int:
        return value

    assert run(f) == 1
    value = 2
    assert run(f) == 2


def test_a_form_lives_no_longer_than_its_function() -> None:
    names = script("def f(n): return f(n - 1) if n else 'end'")
    assert run(names["f"], 3) == "end"
    gone = weakref.ref(names["f"])
    names.clear()
    gc.collect()
    assert gone() is None


def test_classes_of_the_program_go_by_value_into_another_process() -> None:
    names = script("class Mine:\n    def __init__(self): self.x = 7")
    import __main__

    __main__.Mine = names["Mine"]  # type: ignore[attr-defined]  # plain pickle would take it now
    try:
        (data,) = CODEC.dump(names["Mine"]())
    finally:
        del __main__.Mine
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).x)"
    done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True)
    assert done.stdout == b"7\n"


def test_large_buffers_travel_beside_the_pickle() -> None:
    large = bytearray(OUT_OF_BAND)
    for value in ([large], [lambda: 1]):
        buffers = CODEC.dump([*value, pickle.PickleBuffer(large)])
        assert len(buffers) == 2
        assert bytes(CODEC.load([bytes(one) for one in buffers])[-1]) == bytes(large)


def test_the_part_that_fails_is_named() -> None:
    with pytest.raises(SerializationError, match=r"args\[1\]\['k'\] \(a lock\)") as caught:
        CODEC.dump_call(len, (1, {"k": threading.Lock()}), {})
    assert caught.value.started is HasStarted.NO
    with pytest.raises(SerializationError, match="type lock"):
        CODEC.dump(threading.Lock())


def test_a_function_that_closes_over_what_cannot_travel_is_named() -> None:
    lock = threading.Lock()

    def holds_a_lock() -> object:
        return lock

    with pytest.raises(SerializationError, match="holds_a_lock"):
        CODEC.dump_call(holds_a_lock, (), {})


def test_it_is_a_value_without_state() -> None:
    assert CloudpickleCodec() == CODEC
    assert len({CloudpickleCodec(), CODEC}) == 1
    assert repr(CODEC) == "CloudpickleCodec()"
    assert CODEC.name == "cloudpickle"
    assert pickle.loads(pickle.dumps(CODEC)) == CODEC


def test_what_a_function_closes_over_is_shared_by_digest_each_time_it_goes() -> None:
    handle = Shared([1, 2], CODEC.dump)

    def count() -> int:
        return len(handle)  # type: ignore[arg-type]  # there it is the list

    for _ in range(2):
        with gathering() as found:
            call = CODEC.dump_call(count, (), {})
        assert [*found] == [handle.digest]
    by_value = CODEC.dump_call(count, (), {})
    assert call.function is not None
    assert by_value.function is not None
    assert by_value.function.digest != call.function.digest
    assert CODEC.load_function(by_value.function.form)() == 2
    with gathering() as found:
        again = CODEC.dump_call(count, (), {})
    assert again.function in (call.function, by_value.function)
    assert [*found] == ([handle.digest] if again.function == call.function else [])
