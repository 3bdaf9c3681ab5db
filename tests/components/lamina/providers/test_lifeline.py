import os

import pytest

from lamina.providers.lifeline import Lifeline


def test_its_end_is_told_once_and_a_fork_has_another() -> None:
    life = Lifeline()
    end = life.read_end()
    assert life.read_end() == end
    watched = os.dup(end)
    os.set_blocking(watched, False)
    try:
        with pytest.raises(BlockingIOError):
            os.read(watched, 1)
        life.let_go()
        assert os.read(watched, 1) == b""
        life.let_go()  # of nothing
        other = life.read_end()
        os.set_blocking(other, False)
        with pytest.raises(BlockingIOError):
            os.read(other, 1)
    finally:
        os.close(watched)
        life.let_go()
