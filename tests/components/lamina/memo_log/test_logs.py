import logging
from pathlib import Path

import pytest

from lamina.memo import StoredResult
from lamina.memo_log import Header
from lamina.memo_log.index import Index
from lamina.memo_log.logs import open_logs, read_log
from lamina.memo_log.writer import LogWriter


def made(folder: Path, count: int) -> Path:
    writer = LogWriter(folder, Header("log", 1.0, "host", ""))
    writer.put([StoredResult(b"%d" % n, "t", 1.0, "value", [b"x"]) for n in range(count)])
    writer.close()
    return folder


def test_a_log_is_read_from_where_the_index_ends(tmp_path: Path) -> None:
    (log,) = open_logs([made(tmp_path, 3)], named=True)
    index = Index(None)
    read_log(log, index)
    assert index.covered(log.name) == log.size()
    assert index.unpublished == 3
    read_log(log, index)
    assert index.unpublished == 3
    log.close()
    index.close()


def test_much_damage_is_summed_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = made(tmp_path, 50) / "results.log"
    data = bytearray(path.read_bytes())
    at = len(data)
    for _ in range(20):
        at = data.rindex(b"\xd7LM", 0, at)
        data[at + 30] ^= 1
        at = data.rindex(b"\xd7LM", 0, at)
    path.write_bytes(data)
    (log,) = open_logs([tmp_path], named=False)
    index = Index(None)
    with caplog.at_level(logging.WARNING):
        read_log(log, index)
    assert index.unpublished == 30
    assert len(caplog.records) == 6
    assert "20 pieces are damaged" in caplog.text
    log.close()
    index.close()


def test_one_that_cannot_be_opened_is_told_unless_it_was_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert open_logs([tmp_path], named=False) == []
    assert "cannot be read" in caplog.text
    with pytest.raises(FileNotFoundError):
        open_logs([tmp_path], named=True)
