import logging
from pathlib import Path

import pytest

from lamina.demo.store import ResultsInDirectory, StoreDamage
from lamina.memo import Entry, Hit, Miss, OutputMark, Subject
from lamina.vocabulary import SystemClock


def opened(directory: Path) -> ResultsInDirectory:
    store = ResultsInDirectory(directory)
    store.start(directory, SystemClock())
    return store


def filled(directory: Path, count: int = 3) -> Path:
    store = opened(directory)
    for n in range(count):
        store.record([Entry(f"key {n}".encode(), {"n": n}, "task")])
    store.close()
    store.close()
    return store.path


def known(directory: Path, count: int = 3) -> list[int]:
    store = opened(directory)
    found = [n for n in range(count) if isinstance(store.look_up(f"key {n}".encode()), Hit)]
    store.close()
    return found


def test_what_one_program_records_another_knows(tmp_path: Path) -> None:
    filled(tmp_path)
    store = opened(tmp_path)
    assert store.look_up(b"key 1") == Hit({"n": 1})
    assert isinstance(store.look_up(b"key 9"), Miss)
    assert store.hits == 1
    assert store.damage == StoreDamage(0, 0)
    store.close()


def test_a_torn_end_costs_only_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = filled(tmp_path)
    path.write_bytes(path.read_bytes()[:-3])
    with caplog.at_level(logging.WARNING):
        assert known(tmp_path) == [0, 1]
    assert "damaged" in caplog.text
    store = opened(tmp_path)
    store.record([Entry(b"key 2", 2, "task")])
    store.close()
    assert known(tmp_path) == [0, 1, 2]


@pytest.mark.parametrize("offset", [0, 5, 9, 14, 20])
def test_a_damaged_record_costs_only_itself(tmp_path: Path, offset: int) -> None:
    path = filled(tmp_path)
    data = bytearray(path.read_bytes())
    data[len(data) // 3 + offset] ^= 0xFF
    path.write_bytes(data)
    assert known(tmp_path) == [0, 2]


def test_a_file_of_rubbish_is_as_good_as_empty(tmp_path: Path) -> None:
    (tmp_path / "results.lamina").write_bytes(b"lam1" * 50)
    assert known(tmp_path) == []
    filled(tmp_path)
    assert known(tmp_path) == [0, 1, 2]


def test_a_hit_counts_only_while_its_output_is_the_same(tmp_path: Path) -> None:
    output = tmp_path / "out.txt"
    output.write_text("first", encoding="utf-8")
    about = output.stat()
    mark = OutputMark(str(output), about.st_size, about.st_mtime_ns)
    store = opened(tmp_path)
    store.record([Entry(b"key", 0, "task", (mark,))])
    assert isinstance(store.look_up(b"key"), Hit)
    output.write_text("changed", encoding="utf-8")
    assert isinstance(store.look_up(b"key"), Miss)
    output.unlink()
    assert isinstance(store.look_up(b"key"), Miss)
    store.close()


def test_a_value_that_cannot_be_written_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = opened(tmp_path)
    with caplog.at_level(logging.WARNING):
        store.record([Entry(b"bad", lambda: 0, "task"), Entry(b"good", 1, "task")])
    assert "cannot be remembered" in caplog.text
    assert isinstance(store.look_up(b"bad"), Miss)
    assert store.look_up(b"good") == Hit(1)
    store.close()


def test_equal_calls_have_equal_keys(tmp_path: Path) -> None:
    store = ResultsInDirectory(tmp_path)
    assert store.key(Subject(filled, (1,), {})) == store.key(Subject(filled, (1,), {}))
    assert store.key(Subject(filled, (1,), {})) != store.key(Subject(filled, (2,), {}))
