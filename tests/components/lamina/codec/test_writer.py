import io
import os.path
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from lamina.codec import (
    OUT_OF_BAND,
    FunctionForm,
    Writer,
    in_words,
    load_call,
    load_function,
    load_value,
)
from lamina.vocabulary import HasStarted, SerializationError


class Slow(pickle.Pickler):
    """Counts what it is asked for, and knows how to write a generator: as None."""

    used = 0

    def __init__(self, file: io.BytesIO, **options: Any) -> None:
        super().__init__(file, **options)
        Slow.used += 1

    def reducer_override(self, obj: Any) -> Any:
        return (bool, ()) if hasattr(obj, "gi_frame") else NotImplemented


@pytest.fixture
def writer() -> Writer:
    Slow.used = 0
    return Writer(Slow, ["suspect"])


def generator() -> object:
    return (item for item in ())


def test_the_slow_pickler_is_not_asked_for_what_plain_pickle_can_do(writer: Writer) -> None:
    assert load_value(writer.write({"a": [1, 2.5]})) == {"a": [1, 2.5]}
    assert Slow.used == 0


def test_the_slow_pickler_writes_what_plain_pickle_refuses_or_what_is_marked(
    writer: Writer,
) -> None:
    assert load_value(writer.write([generator()])) == [False]
    assert Slow.used == 1
    assert load_value(writer.write("only text that is suspect")) == "only text that is suspect"
    assert Slow.used == 2


def test_buffers_are_beside_the_pickle_once_whoever_wrote_it(writer: Writer) -> None:
    large = pickle.PickleBuffer(bytearray(OUT_OF_BAND))
    for value in ([large], [large, "suspect"], [large, generator()]):
        assert len(writer.write(value)) == 2


def test_what_neither_can_write_is_named(writer: Writer) -> None:
    with pytest.raises(SerializationError, match=r"args\[0\] \(a frame\) cannot be pickled"):
        writer.dump_call(None, len, (generator().gi_frame,), {})  # type: ignore[attr-defined]
    with pytest.raises(SerializationError, match="a value of type frame cannot be pickled"):
        writer.dump(generator().gi_frame)  # type: ignore[attr-defined]


def test_a_function_that_cannot_be_written_is_named(writer: Writer) -> None:
    with pytest.raises(SerializationError, match=r"<lambda> of \S*test_writer, which") as it:
        writer.dump_call(None, lambda: 1, (), {})
    assert it.value.started is HasStarted.NO


def test_a_call_holds_what_is_called_or_has_a_form_beside_it(writer: Writer) -> None:
    named = writer.dump_call(None, os.path.join, ("a",), {"b": 1})
    assert named.function is None
    assert load_call(named.buffers, None) == (os.path.join, ("a",), {"b": 1})
    form = FunctionForm(b"digest", pickle.dumps(abs))
    apart = writer.dump_call(form, generator, (), {})
    assert apart.function is form
    assert load_call(apart.buffers, load_function(form.form)) == (abs, (), {})


def of_the_program() -> Callable[[], None]:
    names: dict[str, Any] = {"__name__": "__main__"}
    exec("def f(): pass", names)
    found: Callable[[], None] = names["f"]
    return found


def test_messages_say_where_a_function_is_from() -> None:
    assert in_words(of_the_program()) == "function f of the program itself (__main__)"
    assert in_words(OSError) == "class OSError of builtins"
    assert in_words(os.path.join) == "function join of posixpath"
