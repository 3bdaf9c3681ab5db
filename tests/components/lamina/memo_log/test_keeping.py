import os
import subprocess
import sys
from pathlib import Path

import pytest

from lamina.memo import StoredResult
from lamina.memo_log import Damage, Header, Log, export_results, may_be_written, remove_checkpoint
from lamina.memo_log.writer import LogWriter
from lamina.processes import own_identity
from lamina.vocabulary import UsageError

NOW = 2e9  # seconds since the epoch
IDENTITY = "from lamina.processes import own_identity; print(own_identity().text)"


def made(folder: Path, *results: tuple[bytes, bytes, float], process: str = "") -> Path:
    writer = LogWriter(folder, Header("log", 1.0, "host", process), large=1000)
    writer.put([StoredResult(key, "t", at, "value", [data]) for key, data, at in results])
    writer.close()
    return folder


def held(folder: Path) -> dict[bytes, bytes]:
    log = Log(folder)
    found = {}
    for item in log.results():
        assert not isinstance(item, Damage)
        found[item[1].key] = bytes(log.complete(*item).data[0])
    log.close()
    return found


def written(folder: Path, now: float) -> bool:
    log = Log(folder)
    try:
        return may_be_written(log, now)
    finally:
        log.close()


def test_a_log_may_be_written_while_its_program_lives(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", IDENTITY], capture_output=True, check=True)
    own = made(tmp_path / "own", process=own_identity().text)
    gone = made(tmp_path / "gone", process=ended.stdout.decode().strip())
    elsewhere = made(tmp_path / "elsewhere", process="another-boot/1/2/3")
    for folder in (own, gone, elsewhere):
        os.utime(folder / "results.log", (NOW, NOW))
    assert [written(one, NOW + 10) for one in (own, gone, elsewhere)] == [True, False, True]
    assert [written(one, NOW + 1e6) for one in (own, gone, elsewhere)] == [True, False, False]


def test_a_checkpoint_goes_with_all_that_lies_beside_it(tmp_path: Path) -> None:
    folder = made(tmp_path / "000" / "checkpoint", (b"a", b"x" * 2000, 1.0))
    remove_checkpoint(folder)
    assert list(tmp_path.rglob("*")) == [tmp_path / "000"]


def test_the_latest_of_each_call_is_exported_and_damage_is_left(tmp_path: Path) -> None:
    one = made(tmp_path / "1", (b"a", b"old", 1.0), (b"b", b"x" * 2000, 1.0), (b"c", b"c", 1.0))
    two = made(tmp_path / "2", (b"a", b"new", 2.0), (b"d", b"y" * 2000, 1.0), (b"e", b"e", 1.0))
    next((two / "large").iterdir()).write_bytes(b"changed")
    log = two / "results.log"
    log.write_bytes(log.read_bytes()[:-1])
    to = tmp_path / "to"
    assert export_results([one, two], to) == (3, 3)
    assert held(to) == {b"a": b"new", b"b": b"x" * 2000, b"c": b"c"}
    with pytest.raises(UsageError, match="holds a checkpoint already"):
        export_results([one], to)
