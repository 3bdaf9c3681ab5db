import pickle
import sys
import traceback
from collections.abc import Callable

import pytest

from lamina.codec import PickleCodec, RemoteError, dump_error, load_error
from lamina.vocabulary import LaminaError

dump = PickleCodec().dump


class TwoArguments(Exception):
    """Is pickled and cannot be unpickled."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError

    def __reduce__(self) -> str:
        raise RuntimeError


class Vanishes(Exception):
    """Can be read where it was raised, and not at home."""

    at_home = False

    def __init__(self, text: str) -> None:
        if Vanishes.at_home:
            raise RuntimeError
        super().__init__(text)


class Frozen(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except BaseException as caught:
        return caught


def test_an_exception_comes_home_with_its_traceback_as_a_note() -> None:
    home = load_error(dump_error(raised(ValueError("bad", 3)), dump))
    assert type(home) is ValueError
    assert home.args == ("bad", 3)
    assert "in raised" in home.__notes__[-1]


def test_an_exception_that_is_frozen_comes_home_as_others_do() -> None:
    home = load_error(dump_error(raised(Frozen("bad"), KeyError("cause")), dump))
    assert type(home) is Frozen
    assert isinstance(home.__cause__, KeyError)
    assert "in raised" in home.__notes__[-1]


def test_the_chain_comes_too() -> None:
    try:
        try:
            raise KeyError("context")
        except KeyError:
            raise ValueError("head") from OSError("cause")
    except ValueError as error:
        home = load_error(dump_error(error, dump))
    assert isinstance(home.__cause__, OSError)
    assert isinstance(home.__context__, KeyError)
    assert home.__suppress_context__


def test_a_part_of_the_chain_that_cannot_travel_is_replaced_alone() -> None:
    home = load_error(dump_error(raised(ValueError("head"), TwoArguments("a", "b")), dump))
    assert type(home) is ValueError
    assert isinstance(home.__cause__, RemoteError)
    assert home.__cause__.type_name.endswith("TwoArguments")
    assert home.__cause__.message == "a b"


def test_an_exception_that_resists_is_told_in_words() -> None:
    error = Unspeakable()
    error.add_note("a note")
    home = load_error(dump_error(raised(error), dump))
    assert isinstance(home, RemoteError)
    assert "RuntimeError" in home.message
    assert home.__notes__[0] == "a note"


def test_an_exception_that_cannot_be_read_at_home_is_told_in_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = dump_error(raised(Vanishes("was here")), dump)
    monkeypatch.setattr(Vanishes, "at_home", True)
    home = load_error(data)
    assert isinstance(home, RemoteError)
    assert home.message == "was here"


def test_a_circle_of_causes_is_kept() -> None:
    one, other = ValueError("one"), KeyError("other")
    one.__cause__, other.__cause__ = other, one
    home = load_error(dump_error(one, dump))
    assert home.__cause__ is not None
    assert home.__cause__.__cause__ is home


def test_groups_and_exits_come_home() -> None:
    group = load_error(dump_error(ExceptionGroup("many", [ValueError(1)]), dump))
    assert isinstance(group, ExceptionGroup)
    assert isinstance(load_error(dump_error(SystemExit(3), dump)), SystemExit)


def test_a_very_long_chain_is_cut() -> None:
    error = ValueError("last")
    for number in range(200):
        outer = ValueError(number)
        outer.__cause__ = error
        error = outer
    home = load_error(dump_error(error, dump))
    assert 10 < len(list(traceback.TracebackException.from_exception(home).format())) < 1000


def test_bytes_that_are_no_exception_give_one_all_the_same() -> None:
    assert isinstance(load_error(b"nonsense"), RemoteError)
    assert isinstance(load_error(pickle.dumps(([], [], ""))), RemoteError)


def test_the_stand_in_survives_pickle_and_names_the_type() -> None:
    error = RemoteError("pkg.Odd", "text")
    assert isinstance(error, LaminaError)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert "pkg.Odd: text" in str(error)


class LeavesWhenWritten(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)

    def __reduce__(self) -> str:
        raise SystemExit(3)


class LeavesWhenRead(Exception):
    def __reduce__(self) -> tuple[Callable[..., object], tuple[int]]:
        return sys.exit, (3,)


def test_exceptions_that_exit_end_nobody_on_either_side() -> None:
    written = load_error(dump_error(raised(LeavesWhenWritten("a")), dump))
    assert isinstance(written, RemoteError)
    assert "SystemExit" in written.message
    assert isinstance(load_error(dump_error(raised(LeavesWhenRead("b")), dump)), RemoteError)
    with_bytes = pickle.dumps(([LeavesWhenRead("b")], [], ""))
    assert "SystemExit" in str(load_error(with_bytes))
