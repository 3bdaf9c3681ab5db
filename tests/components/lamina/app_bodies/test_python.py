import asyncio
import inspect
import os
from pathlib import Path

import pytest

from lamina.app_bodies import PythonBody, StdStream, inside_task, plain_body, run_to_end


def shout(word: str, times: int = 1) -> tuple[str, bool]:
    """Make it loud."""
    return word.upper() * times, inside_task()


async def later(word: str) -> tuple[str, bool]:
    await asyncio.sleep(0)
    return word, inside_task()


def raises() -> None:
    raise OSError("no")


def test_a_body_bears_the_name_of_the_function_and_marks_a_task() -> None:
    body = plain_body(shout)
    assert body("a", times=2) == ("AA", True)
    assert not inside_task()
    assert body.__qualname__ == shout.__qualname__
    assert inspect.signature(body) == inspect.signature(shout)


def test_an_async_function_runs_to_its_end() -> None:
    assert plain_body(later)("a") == ("a", True)
    assert run_to_end(later, ("a",), {}) == ("a", False)


def test_the_mark_goes_when_the_function_raises() -> None:
    with pytest.raises(OSError, match="no"):
        plain_body(raises)()
    assert not inside_task()


def test_keywords_that_are_not_for_the_function_are_dropped() -> None:
    assert PythonBody(shout, frozenset({"inputs"}))("a", inputs=[1])[0] == "A"


def test_what_it_prints_goes_where_it_was_sent(tmp_path: Path) -> None:
    path = tmp_path / "out"
    PythonBody(lambda: os.write(1, b"hello"), stdout=StdStream(str(path)))()
    assert path.read_text() == "hello"
