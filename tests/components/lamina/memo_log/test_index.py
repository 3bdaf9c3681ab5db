from pathlib import Path

import pytest

from lamina.memo_log.index import FRESH, Found, Index, IndexUnusable, Where


def filled(path: Path | None, count: int = 3, log: str = "a") -> Index:
    index = Index(path)
    index.add(log, (Found(b"%d" % n, "f", float(n), n * 10, 10) for n in range(count)))
    index.cover(log, count * 10)
    return index


def published(path: Path, count: int = 3) -> None:
    index = filled(path, count)
    index.publish()
    index.close()


def test_what_was_added_is_found() -> None:
    index = filled(None)
    assert index.find(b"1") == [Where("a", 1.0, 10, 10)]
    assert index.find(b"9") == []
    assert index.covered("a") == 30
    assert index.covered("b") == 0
    index.publish()  # nowhere
    index.close()


def test_it_is_found_when_there_are_too_many_for_memory() -> None:
    index = filled(None, FRESH + 10)
    for n in (0, 1, FRESH - 1, FRESH, FRESH + 9):
        assert index.find(b"%d" % n) == [Where("a", float(n), n * 10, 10)]
    index.close()


def test_the_latest_is_first_and_a_log_has_one_place_for_a_key() -> None:
    index = filled(None)
    index.add("b", [Found(b"1", "f", 5.0, 0, 10)])
    index.add("a", [Found(b"1", "f", 6.0, 50, 10)])
    assert index.find(b"1") == [Where("a", 6.0, 50, 10), Where("b", 5.0, 0, 10)]
    index.close()


def test_what_is_published_is_found_by_others_with_what_comes_later(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "index"
    published(path, FRESH + 5)
    index = Index(path)
    assert index.load()
    assert index.rows == FRESH + 5
    assert index.covered("a") == (FRESH + 5) * 10
    index.add("b", [Found(b"new", "g", 1.0, 0, 10)])
    index.add("a", [Found(b"1", "f", 9.0, 10**6, 10)])
    index.publish()
    index.close()
    again = Index(path)
    assert again.load()
    assert again.rows == FRESH + 7
    assert again.find(b"new") == [Where("b", 1.0, 0, 10)]
    assert again.find(b"1") == [Where("a", 9.0, 10**6, 10)]
    assert [one.start for one in again.recent("g")] == [0]
    assert len(list(again.recent("f"))) == 16
    again.close()
    assert [one.name for one in path.parent.iterdir()] == ["index"]


def test_whose_index_wins_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "index"
    published(path)
    one, other = Index(path), Index(path)
    assert one.load()
    assert other.load()
    one.add("one", [Found(b"one", "f", 1.0, 0, 10)])
    other.add("other", [Found(b"other", "f", 1.0, 0, 10)])
    one.publish()
    other.publish()
    assert other.find(b"other")
    one.close()
    other.close()
    last = Index(path)
    assert last.load()
    assert last.find(b"other") == [Where("other", 1.0, 0, 10)]
    assert last.find(b"one") == []
    assert last.covered("one") == 0  # so its log is read
    last.close()


def found_by_others(path: Path, count: int) -> list[int]:
    index = Index(path)
    assert index.load()
    found = [n for n in range(count) if index.find(b"%d" % n)]
    index.close()
    return found


def test_it_can_be_published_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "index"
    index = Index(path)
    for turn in range(4):
        index.add("log", [Found(b"%d" % n, "f", 1.0, n, 5) for n in range(3 * turn, 3 * turn + 3)])
        index.publish()
        assert (index.rows, index.unpublished) == (3 * turn + 3, 0)
        assert all(index.find(b"%d" % n) for n in range(3 * turn + 3))
        assert found_by_others(path, 20) == list(range(3 * turn + 3))
    index.close()


def test_what_comes_while_it_is_written_is_in_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "index"
    index = Index(path)
    index.add("log", [Found(b"0", "f", 1.0, 0, 5)])
    snapshot = index.snapshot()
    index.add("log", [Found(b"%d" % n, "f", 1.0, n, 5) for n in range(1, FRESH + 5)])
    index.written(snapshot, index.write(snapshot))
    assert index.unpublished == FRESH + 4
    assert found_by_others(path, FRESH + 5) == [0]
    assert all(index.find(b"%d" % n) for n in range(FRESH + 5))
    index.publish()
    assert found_by_others(path, FRESH + 5) == list(range(FRESH + 5))
    index.close()


def test_what_could_not_be_written_is_in_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "index"
    path.parent.touch()
    index = Index(path)
    index.add("log", [Found(b"0", "f", 1.0, 0, 5)])
    snapshot = index.snapshot()
    with pytest.raises(OSError, match="folder"):
        index.write(snapshot)
    index.written(snapshot, None)
    assert index.find(b"0")
    path.parent.unlink()
    index.add("log", [Found(b"1", "f", 1.0, 1, 5)])
    index.publish()
    assert found_by_others(path, 3) == [0, 1]
    index.close()


def test_without_a_published_one_there_is_nothing_to_load(tmp_path: Path) -> None:
    assert not Index(None).load()
    assert not Index(tmp_path / "index").load()


def test_garbage_and_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "index"
    published(path)
    whole = path.read_bytes()
    for content in (b"", b"garbage" * 1000, whole[:100], whole[:60] + b"\0" * 12 + whole[72:]):
        path.write_bytes(content)
        index = Index(path)
        with pytest.raises(IndexUnusable):
            index.load()
        index.close()
    path.unlink()
    path.mkdir()
    index = Index(path)
    with pytest.raises(IndexUnusable):
        index.load()
    with pytest.raises(OSError, match="directory"):
        index.publish()
    index.close()


def test_what_breaks_later_is_refused_when_it_is_met(tmp_path: Path) -> None:
    path = tmp_path / "index"
    published(path, 20_000)
    whole = path.read_bytes()
    page = 4096
    first, last = 10 * page, 100 * page
    path.write_bytes(whole[:first] + b"\xff" * (last - first) + whole[last:])
    index = Index(path)
    assert index.load()
    with pytest.raises(IndexUnusable):
        list(map(index.find, (b"%d" % n for n in range(20_000))))
    index.close()
