import logging
import os
import resource
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lamina.memo import CallPrint, ResultDamaged, StoredResult
from lamina.memo_log import LogResultStore
from lamina.memo_log.framing import MARKER
from lamina.memo_log.index import Index
from lamina.vocabulary import ConfigError, SystemClock
from tests.fakes.files import file_limit

CALL = CallPrint("m.f", b"12345678", "", (("x", b"abcdefgh"),), b"")


def key(number: int) -> bytes:
    return b"%020d" % number


def result(number: int, data: bytes = b"", at: float | None = None) -> StoredResult:
    when = float(number) if at is None else at
    return StoredResult(key(number), "f", when, "value", [data or b"%d" % number], (), CALL)


def opened(run_dir: Path, **options: Any) -> LogResultStore:
    store = LogResultStore(**options)
    run_dir.mkdir(parents=True, exist_ok=True)
    store.open(run_dir, SystemClock())
    return store


def fill(run_dir: Path, *numbers: int, **options: Any) -> Path:
    store = opened(run_dir, **options)
    store.put([result(number) for number in numbers])
    store.close()
    return run_dir / "checkpoint" / "results.log"


def known(run_dir: Path, count: int, **options: Any) -> list[int]:
    store = opened(run_dir, **options)
    try:
        return [n for n in range(count) if had(store, n)]
    finally:
        store.close()


def had(store: LogResultStore, number: int) -> bool:
    try:
        found = store.get(key(number))
    except ResultDamaged:
        return False
    assert found is None or bytes(found.data[0]) == b"%d" % number
    return found is not None


def test_a_run_begins_with_what_all_runs_before_it_have_left(tmp_path: Path) -> None:
    fill(tmp_path / "000", 0, 1)
    fill(tmp_path / "001", 2)
    assert known(tmp_path / "002", 4) == [0, 1, 2]


def test_a_run_begins_with_the_runs_that_are_named_or_with_none(tmp_path: Path) -> None:
    for number in (0, 1, 2):
        fill(tmp_path / f"00{number}", number, index_after=1)
    named = [tmp_path / "001", tmp_path / "002" / "checkpoint"]
    assert known(tmp_path / "003", 3, resume=named) == [1, 2]
    assert known(tmp_path / "004", 3, resume=None) == []
    with pytest.raises(ConfigError, match="holds no checkpoint"):
        opened(tmp_path / "005", resume=[tmp_path / "nowhere"])


def test_the_latest_of_several_results_counts_whichever_run_had_it(tmp_path: Path) -> None:
    for number, (run, at) in enumerate([("000", 5.0), ("001", 9.0), ("002", 7.0)]):
        store = opened(tmp_path / run, resume=None)
        store.put([result(1, b"%d" % number, at)])
        store.close()
    for options in ({}, {"index_after": 1}, {}):
        store = opened(tmp_path / f"1{len(list(tmp_path.iterdir()))}", **options)
        found = store.get(key(1))
        assert found is not None
        assert bytes(found.data[0]) == b"1"
        store.close()


def test_a_cut_at_any_byte_of_the_last_record_costs_that_record_only(tmp_path: Path) -> None:
    log = fill(tmp_path / "000", 0, 1, 2)
    whole = log.read_bytes()
    for number, end in enumerate(range(whole.rindex(MARKER), len(whole)), 1):
        log.write_bytes(whole[:end])
        found = known(tmp_path / f"{number:03d}", 3, resume=[tmp_path / "000"])
        assert found == [0, 1], end


@pytest.mark.parametrize("indexed", [False, True])
def test_a_flipped_byte_in_any_record_costs_that_record_only(tmp_path: Path, indexed: bool) -> None:
    options = {"index_after": 1} if indexed else {}
    log = fill(tmp_path / "000", 0, 1, 2, **options)
    whole = log.read_bytes()
    starts = [whole.index(key(n)) for n in range(3)]
    for number, at in enumerate(range(0, len(whole), 13), 1):  # test_framing has every byte
        log.write_bytes(whole[:at] + bytes([whole[at] ^ 0x20]) + whole[at + 1 :])
        found = known(tmp_path / f"{number:03d}", 3, resume=[tmp_path / "000"], **options)
        assert len(found) >= 2, at
        hit = [n for n in range(3) if starts[n] <= at < starts[n] + 20]
        assert not set(hit) & set(found), at


def test_damage_is_told_and_never_a_refusal_to_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = fill(tmp_path / "000", 0, 1)
    log.write_bytes(log.read_bytes()[:-3])
    garbage = fill(tmp_path / "001", 2)
    garbage.write_bytes(b"no log at all")
    with caplog.at_level(logging.WARNING):
        assert known(tmp_path / "002", 3) == [0]
    assert "the torn end" in caplog.text
    assert "holds no record that is whole" in caplog.text


def test_an_index_that_is_gone_or_garbage_is_made_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(tmp_path / "000", *range(10), index_after=1)
    index = tmp_path / "memo.index"
    whole = index.read_bytes()
    for number, content in enumerate((None, b"", b"garbage" * 1000, whole[:5000]), 1):
        index.unlink()
        if content is not None:
            index.write_bytes(content)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert known(tmp_path / f"{number:03d}", 11, index_after=1) == list(range(10))
        assert ("is made anew from the logs" in caplog.text) == (content is not None)
        assert index.stat().st_size > 5000


def test_an_index_of_other_logs_only_costs_the_reading_of_these(tmp_path: Path) -> None:
    fill(tmp_path / "a" / "000", 0, index_after=1)
    fill(tmp_path / "b" / "000", 1, index_after=1)
    (tmp_path / "a" / "memo.index").replace(tmp_path / "b" / "memo.index")
    assert known(tmp_path / "b" / "001", 2) == [1]


def test_an_index_that_says_more_than_there_is_is_made_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = fill(tmp_path / "000", 0, 1, 2, index_after=1)
    log.write_bytes(log.read_bytes()[:-1])
    with caplog.at_level(logging.WARNING):
        assert known(tmp_path / "001", 3) == [0, 1]
    assert "it says more of" in caplog.text


def test_an_index_that_breaks_while_it_is_used_is_made_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(tmp_path / "000", *range(5000), index_after=1)
    index = tmp_path / "memo.index"
    whole = index.read_bytes()
    index.write_bytes(whole[:40960] + b"\xff" * (len(whole) - 40960))
    with caplog.at_level(logging.WARNING):
        assert known(tmp_path / "001", 5000) == list(range(5000))
    assert "is made anew from the logs" in caplog.text


def bytes_read() -> int:
    """By this process, from files, so far."""
    facts = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(facts["rchar"])


def test_what_the_index_covers_is_not_read_when_a_run_begins(tmp_path: Path) -> None:
    log = fill(tmp_path / "000", *range(20_000))
    before = bytes_read()
    store = opened(tmp_path / "001")
    assert bytes_read() - before < log.stat().st_size / 5
    assert [n for n in (0, 7, 19_999, 20_000) if had(store, n)] == [0, 7, 19_999]
    store.close()


def test_the_index_is_written_during_a_long_run_too(tmp_path: Path) -> None:
    store = opened(tmp_path / "000", index_after=2)
    for number in range(60):
        store.put([result(number)])
    deadline = time.monotonic() + 30
    while not (tmp_path / "memo.index").exists() and time.monotonic() < deadline:
        store.get(key(0))
    index = Index(tmp_path / "memo.index")
    assert index.load()
    assert index.rows >= 50
    assert index.find(key(7))
    index.close()
    assert all(had(store, number) for number in range(60))
    store.close()
    assert known(tmp_path / "001", 61) == list(range(60))


def test_the_index_is_never_far_behind(tmp_path: Path) -> None:
    store = opened(tmp_path / "000", index_after=2)
    behind = []
    for number in range(700):
        store.put([result(number)])
        store._wait_for_publisher()
        index = store._index
        assert index is not None
        behind.append(index.unpublished - max(50, index.rows // 20))
    assert max(behind) <= 0
    store.close()


def test_an_index_that_breaks_while_the_next_one_is_written_is_made_anew(tmp_path: Path) -> None:
    fill(tmp_path / "000", *range(5000), index_after=1)
    index = tmp_path / "memo.index"
    whole = index.read_bytes()
    index.write_bytes(whole[:40960] + b"\xff" * (len(whole) - 40960))
    store = opened(tmp_path / "001", index_after=2)
    for number in range(5000, 5600):
        store.put([result(number)])
        assert had(store, number - 5000)
    assert all(had(store, number) for number in range(5600))
    store.close()
    assert known(tmp_path / "002", 5601) == list(range(5600))


def test_the_index_may_live_elsewhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "deep"
    fill(tmp_path / "000", 0, index_after=1, index_dir=elsewhere)
    assert [one.name for one in elsewhere.iterdir()] == ["memo.index"]
    assert not (tmp_path / "memo.index").exists()
    with sqlite3.connect(elsewhere / "memo.index") as index:
        assert index.execute("SELECT count(*) FROM places").fetchone() == (1,)
    index.close()
    assert known(tmp_path / "001", 2, index_dir=elsewhere) == [0]


def test_an_index_that_cannot_be_written_is_only_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "in_the_way").touch()
    with caplog.at_level(logging.WARNING):
        fill(tmp_path / "000", 0, index_after=1, index_dir=tmp_path / "in_the_way")
    assert "is not written" in caplog.text
    assert known(tmp_path / "001", 1) == [0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_results_of_another_user_are_not_loaded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    foreign = fill(tmp_path / "000", 0, index_after=1)
    fill(tmp_path / "001", 1)
    os.chown(foreign, 12345, -1)
    os.chown(tmp_path / "memo.index", 12345, -1)
    with caplog.at_level(logging.WARNING):
        assert known(tmp_path / "002", 2) == [1]
    assert "belongs to user 12345" in caplog.text
    with pytest.raises(ConfigError, match="belongs to user 12345"):
        opened(tmp_path / "003", resume=[tmp_path / "000"])


def test_a_result_that_was_whole_and_is_damaged_later_is_told_when_it_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = opened(tmp_path / "000")
    store.put([result(0)])
    log = tmp_path / "000" / "checkpoint" / "results.log"
    log.write_bytes(log.read_bytes()[:-1] + b"?")
    with caplog.at_level(logging.WARNING), pytest.raises(ResultDamaged, match="it is damaged"):
        store.get(key(0))
    assert "cannot be read: it is damaged" in caplog.text
    store.close()


def test_an_older_result_serves_where_the_latest_is_damaged(tmp_path: Path) -> None:
    fill(tmp_path / "000", 0, index_after=1)
    store = opened(tmp_path / "001", index_after=1)
    store.put([result(0, at=99.0)])
    store.close()
    log = tmp_path / "001" / "checkpoint" / "results.log"
    log.write_bytes(log.read_bytes()[:-1] + b"?")
    assert known(tmp_path / "002", 1) == [0]


def test_large_results_lie_beside(tmp_path: Path) -> None:
    store = opened(tmp_path / "000", large="1 kB")
    store.put([result(0, b"x" * 5000)])
    store.close()
    store = opened(tmp_path / "001")
    found = store.get(key(0))
    assert found is not None
    assert bytes(found.data[0]) == b"x" * 5000
    store.close()


def test_calls_can_be_compared_also_with_those_of_earlier_runs(tmp_path: Path) -> None:
    fill(tmp_path / "000", 0, index_after=1)
    store = opened(tmp_path / "001", durability="close")
    store.put([result(1)])
    assert store.recent("m.f") == [CALL, CALL]
    assert store.recent("m.g") == []
    store.close()


def test_more_logs_than_may_be_open_are_read_all_the_same(tmp_path: Path) -> None:
    for number in range(70):
        fill(tmp_path / f"{number:03d}", number, resume=None)
    store = opened(tmp_path / "100")
    before = len(os.listdir("/proc/self/fd"))
    assert all(had(store, number) for number in range(70))
    assert len(os.listdir("/proc/self/fd")) - before <= 64
    store.close()


def test_more_runs_than_files_may_be_open_are_begun_with(tmp_path: Path) -> None:
    for number in range(60):
        fill(tmp_path / f"{number:03d}", number, resume=None)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 40, before[1]))
    try:
        store = opened(tmp_path / "100")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert all(had(store, number) for number in range(60))
    store.close()


def test_what_cannot_be_written_is_an_error_and_the_store_goes_on(tmp_path: Path) -> None:
    store = opened(tmp_path / "000")
    store.put([result(0)])
    with file_limit(2000), pytest.raises(OSError, match="large"):
        store.put([result(1, b"x" * 5000)])
    store.put([result(2)])
    assert [n for n in range(3) if had(store, n)] == [0, 2]
    store.close()
    assert known(tmp_path / "001", 3) == [0, 2]
    with pytest.raises(OSError, match="closed"):
        store.put([result(3)])
    assert store.get(key(0)) is None
    store.sync()


def test_a_store_that_could_not_be_opened_can_be_opened_elsewhere(tmp_path: Path) -> None:
    fill(tmp_path / "000", 0, index_after=1)
    store = LogResultStore()
    with pytest.raises(FileExistsError):
        store.open(tmp_path / "000", SystemClock())
    assert store.get(key(0)) is None
    (tmp_path / "001").mkdir()
    store.open(tmp_path / "001", SystemClock())
    assert had(store, 0)
    store.close()


def test_settings_that_cannot_work_are_refused() -> None:
    for options, says in (
        ({"durability": "soon"}, "must be one of 'result'"),
        ({"resume": "runinfo"}, r"or a list, as \['runinfo'\]"),
        ({"interval": "soon"}, "interval is"),
        ({"large": "x"}, "large is"),
        ({"large": "1 GiB"}, "512 MiB"),
    ):
        with pytest.raises(ConfigError, match=says):
            LogResultStore(**options)


COUNTING = """
import os, sys
from pathlib import Path
from lamina.memo import StoredResult
from lamina.memo_log import LogResultStore
from lamina.memo_log.framing import MARKER
from lamina.memo_log.index import Index
from lamina.vocabulary import SystemClock
syncs = 0
real = os.fsync
def counted(handle):
    global syncs
    syncs += 1
    real(handle)
os.fsync = counted
store = LogResultStore(durability=sys.argv[2], interval=3600)
store.open(Path(sys.argv[1]), SystemClock())
store.sync()
before = syncs
for number in range(5):
    store.put([StoredResult(b"%020d" % number, "f", 1.0, "value", [b"x"])])
print(syncs - before)
store.close()
print(syncs - before)
"""


@pytest.mark.parametrize(
    "durability, during, after", [("result", 5, 5), ("interval", 0, 1), ("close", 0, 1)]
)
def test_results_are_forced_to_disk_as_often_as_the_level_says(
    tmp_path: Path, durability: str, during: int, after: int
) -> None:
    said = subprocess.run(
        [sys.executable, "-c", COUNTING, str(tmp_path), durability],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.split() == [str(during), str(after)]


def test_within_the_interval_results_are_safe_without_anybody_asking(tmp_path: Path) -> None:
    store = opened(tmp_path / "000", interval=0.0)
    store.put([result(0)])
    writer = store._writer
    assert writer is not None
    deadline = time.monotonic() + 30
    while writer._unsynced and time.monotonic() < deadline:
        store.get(key(0))
    assert not writer._unsynced
    store.close()
