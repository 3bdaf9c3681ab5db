import os
from pathlib import Path

import pytest

from lamina.memo import ResultDamaged, StoredResult
from lamina.memo_log import Damage, ForeignFile, Header, Log
from lamina.memo_log.files import open_own, read_beside
from lamina.memo_log.writer import LogWriter, Place


def made(folder: Path, *data: bytes, large: int = 1000) -> list[Place]:
    writer = LogWriter(folder, Header("log", 1.0, "host", ""), large=large)
    results = [StoredResult(b"%d" % n, "task", 1.0, "value", [one]) for n, one in enumerate(data)]
    places = writer.put(results)
    writer.close()
    return places


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_belongs_to_somebody_else_is_not_read(tmp_path: Path) -> None:
    made(tmp_path, b"a")
    os.chown(tmp_path / "results.log", 12345, -1)
    with pytest.raises(ForeignFile) as caught:
        Log(tmp_path)
    assert "belongs to user 12345" in str(caught.value)
    with pytest.raises(ForeignFile):
        open_own(tmp_path / "results.log")


def test_a_log_whose_first_record_is_damaged_is_read_all_the_same(tmp_path: Path) -> None:
    (place,) = made(tmp_path, b"a")
    path = tmp_path / "results.log"
    path.write_bytes(b"\0" * 10 + path.read_bytes()[10:])
    log = Log(tmp_path)
    assert log.header is None
    assert log.name
    assert bytes(log.read(*place).data[0]) == b"a"
    found = list(log.results())
    assert isinstance(found[0], Damage)
    assert not isinstance(found[1], Damage)
    log.close()


def test_a_log_without_a_record_has_no_name(tmp_path: Path) -> None:
    (tmp_path / "results.log").write_bytes(b"garbage")
    log = Log(tmp_path)
    assert log.name == ""
    log.close()


def test_it_is_opened_again_when_it_is_read_after_it_was_closed(tmp_path: Path) -> None:
    (place,) = made(tmp_path, b"a")
    log = Log(tmp_path)
    log.close()
    log.close()
    assert bytes(log.read(*place).data[0]) == b"a"
    log.close()


def test_what_is_not_where_it_was_said_to_be_is_damaged(tmp_path: Path) -> None:
    (place,) = made(tmp_path, b"a")
    log = Log(tmp_path)
    for offset, size in ((place.offset + 1, place.size), (10**6, 50)):
        with pytest.raises(ResultDamaged, match="it is damaged"):
            log.read(offset, size)
    log.close()
    (tmp_path / "results.log").unlink()
    with pytest.raises(ResultDamaged, match="No such file"):
        log.read(*place)


def test_a_file_beside_that_is_gone_or_changed_is_damaged(tmp_path: Path) -> None:
    (place,) = made(tmp_path, b"x" * 100, large=10)
    log = Log(tmp_path)
    beside = next((tmp_path / "large").iterdir())
    beside.write_bytes(b"other")
    with pytest.raises(ResultDamaged, match="are not those that were written"):
        log.read(*place)
    beside.unlink()
    with pytest.raises(ResultDamaged, match="No such file"):
        log.read(*place)
    log.close()


def test_the_name_of_a_file_beside_leads_nowhere_else(tmp_path: Path) -> None:
    with pytest.raises(ResultDamaged, match="No such file"):
        read_beside(tmp_path, b"../../etc/passwd")
