import os
import stat
from pathlib import Path

import pytest

from lamina.memo import StoredResult
from lamina.memo_log import Damage, Header, Log
from lamina.memo_log.writer import LogWriter
from tests.fakes.files import file_limit

HEADER = Header("log", 1.0, "host", "")


def result(key: bytes, data: bytes = b"data") -> StoredResult:
    return StoredResult(key, "task", 1.0, "value", [data])


def keys(folder: Path) -> list[bytes]:
    log = Log(folder)
    try:
        return [found[1].key for found in log.results() if not isinstance(found, Damage)]
    finally:
        log.close()


def test_what_is_put_can_be_read_at_once(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path / "c", HEADER)
    places = writer.put([result(b"a"), result(b"b")])
    log = Log(tmp_path / "c")
    assert log.header == HEADER
    assert [log.read(*place).key for place in places] == [b"a", b"b"]
    assert writer.end == log.size()
    log.close()
    writer.close()
    writer.close()


def test_only_the_user_can_read_it(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path / "c", HEADER, large=10)
    writer.put([result(b"a", b"x" * 100)])
    writer.close()
    for path in (tmp_path / "c").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_the_way_to_it_is_forced_to_disk_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced: set[Path] = set()
    fsync = os.fsync

    def watched(handle: int) -> None:
        forced.add(Path(os.readlink(f"/proc/self/fd/{handle}")))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    folder = tmp_path / "runs" / "000" / "checkpoint"
    writer = LogWriter(folder, HEADER)
    writer.sync()
    assert forced >= {folder / "results.log", folder, *folder.parents[:3]}
    forced.clear()
    writer.sync()
    assert not forced
    writer.close()


def test_a_log_is_never_continued(tmp_path: Path) -> None:
    LogWriter(tmp_path, HEADER).close()
    with pytest.raises(FileExistsError):
        LogWriter(tmp_path, HEADER)


def test_with_a_buffer_it_is_written_when_there_is_enough_or_when_told(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, HEADER, buffer=1000)
    writer.put([result(b"a")])
    assert keys(tmp_path) == []
    writer.put([result(b"b", b"x" * 1000)])
    assert keys(tmp_path) == [b"a", b"b"]
    writer.put([result(b"c")])
    writer.flush()
    assert keys(tmp_path) == [b"a", b"b", b"c"]
    writer.put([result(b"d")])
    writer.close()
    assert keys(tmp_path) == [b"a", b"b", b"c", b"d"]


def test_large_results_lie_beside_and_equal_ones_share_a_file(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, HEADER, large=100)
    places = writer.put([result(b"a", b"x" * 100), result(b"b", b"x" * 100), result(b"c")])
    writer.close()
    assert len(list((tmp_path / "large").iterdir())) == 1
    log = Log(tmp_path)
    assert bytes(log.read(*places[1]).data[0]) == b"x" * 100
    log.close()


def test_a_write_that_fails_costs_what_it_was_to_write(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, HEADER)
    writer.put([result(b"a")])
    with file_limit(writer.end + 50), pytest.raises(OSError, match="large"):
        writer.put([result(b"b", b"x" * 200)])
    assert writer.end == os.path.getsize(tmp_path / "results.log")
    place = writer.put([result(b"c")])[0]
    writer.close()
    assert keys(tmp_path) == [b"a", b"c"]
    log = Log(tmp_path)
    assert log.read(*place).key == b"c"
    log.close()
