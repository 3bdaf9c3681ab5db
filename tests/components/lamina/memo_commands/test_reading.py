import os
from pathlib import Path

import pytest

from lamina.memo import StoredResult
from lamina.memo_commands.reading import Record, folders_of, open_log, records, run_of, with_key
from lamina.memo_log import Damage, LogResultStore
from lamina.vocabulary import ConfigError, SystemClock, UsageError


def fill(run_dir: Path, *keys: bytes) -> Path:
    store = LogResultStore()
    run_dir.mkdir(parents=True)
    store.open(run_dir, SystemClock())
    store.put([StoredResult(key, "task", 1.0, "value", [b"data"]) for key in keys])
    store.close()
    return run_dir / "checkpoint"


def test_runs_are_found_below_a_run_dir_or_alone(tmp_path: Path) -> None:
    folders = [fill(tmp_path / name, b"a") for name in ("000", "001")]
    assert folders_of(tmp_path) == folders
    assert folders_of(tmp_path / "001") == [folders[1]]
    with pytest.raises(ConfigError, match="holds no checkpoint"):
        folders_of(tmp_path / "002")


def test_records_come_in_order_with_damage_between(tmp_path: Path) -> None:
    folder = fill(tmp_path / "000", b"a", b"b")
    path = folder / "results.log"
    path.write_bytes(path.read_bytes()[:-1])
    log = open_log(folder)
    found = list(records(log))
    assert isinstance(found[0], Record)
    assert (found[0].run, found[0].result.key) == ("000", b"a")
    assert bytes(found[0].load().data[0]) == b"data"
    assert isinstance(found[1], Damage)
    assert run_of(log) == "000"
    log.close()


def test_a_log_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    folder = fill(tmp_path / "000", b"a")
    os.remove(folder / "results.log")
    with pytest.raises(UsageError, match="No such file"):
        open_log(folder)


def test_a_call_is_named_by_the_beginning_of_its_key(tmp_path: Path) -> None:
    fill(tmp_path / "000", b"\x12\x34", b"\x12\x56")
    fill(tmp_path / "001", b"\x12\x34")
    assert [one.run for one in with_key(tmp_path, "123")] == ["000", "001"]
    with pytest.raises(UsageError, match="2 keys begin with '12': 1234, 1256; write more"):
        with_key(tmp_path, "12")
    with pytest.raises(UsageError, match="no result below"):
        with_key(tmp_path, "99")
