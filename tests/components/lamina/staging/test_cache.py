import fcntl
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lamina.staging import Cache, cache_key
from lamina.staging.cache import _locked, private_folder, safe_name
from lamina.vocabulary import File, StagingFailed


def writing(text: str) -> Callable[[Path], None]:
    def fill(target: Path) -> None:
        target.write_text(text)

    return fill


def hold(cache: Cache, key: str, text: str) -> None:
    with cache.holding(key, "x", writing(text)) as path:
        assert path.read_text() == text


def test_a_copy_is_made_once_and_keeps_its_name(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c", 100)
    with cache.holding("k", "data.csv", writing("one")) as path:
        assert path.name == "data.csv"
    with cache.holding("k", "data.csv", None) as again:
        assert again == path
        assert again.read_text() == "one"


def test_a_copy_is_on_the_disk_before_others_take_it_for_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced: list[Path] = []
    fsync = os.fsync

    def watched(handle: int) -> None:
        forced.append(Path(os.readlink(f"/proc/self/fd/{handle}")))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    hold(Cache(tmp_path / "c", 100), "k", "one")
    assert forced == [tmp_path / "c" / "parts" / "k" / "x"]


def test_equal_names_of_different_files_do_not_collide(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c", 100)
    keys = [cache_key(File(f"http://h/{number}/x"), "v", "r") for number in (1, 2)]
    with cache.holding(keys[0], "x", writing("1")) as one:
        with cache.holding(keys[1], "x", writing("2")) as two:
            assert (one.read_text(), two.read_text()) == ("1", "2")


def test_keys_go_by_checksum_then_by_version_then_by_run() -> None:
    total = "sha256:" + "0" * 64
    one, two = File("http://h/x", checksum=total), File("ftp://g/x", checksum=total)
    assert cache_key(one, None, "r") == cache_key(two, None, "s")
    plain = File("http://h/x")
    assert cache_key(plain, "1", "r") == cache_key(plain, "1", "s") != cache_key(plain, "2", "r")
    assert cache_key(plain, None, "r") != cache_key(plain, None, "s")


def test_what_is_not_there_and_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="not in"):
        with Cache(tmp_path / "c", 1).holding("k", "x", None):
            pass


def test_a_failed_copy_is_not_there_and_its_beginning_is_kept(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c", 100)

    def breaks(target: Path) -> None:
        target.write_text("half")
        raise OSError("broke off")

    with pytest.raises(OSError, match="broke off"):
        with cache.holding("k", "x", breaks):
            pass
    seen = []

    def goes_on(target: Path) -> None:
        seen.append(target.read_text())
        target.write_text("whole")

    with cache.holding("k", "x", goes_on) as path:
        assert path.read_text() == "whole"
    assert seen == ["half"]


def test_beyond_the_limit_the_longest_unused_goes(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c", 25)
    for moment, key in enumerate("abc"):
        hold(cache, key, key * 10)
        os.utime(tmp_path / "c" / "locks" / key, (moment, moment))
    assert sorted(os.listdir(tmp_path / "c" / "objects")) == ["b", "c"]
    with cache.holding("b", "x", None):  # used again, so c is the longest unused
        pass
    hold(cache, "d", "d" * 10)
    assert sorted(os.listdir(tmp_path / "c" / "objects")) == ["b", "d"]


def test_what_is_in_use_is_never_removed(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c", 5)
    with cache.holding("a", "x", writing("a" * 10)) as path:
        hold(cache, "b", "b" * 10)
        assert path.read_text() == "a" * 10
    hold(cache, "c", "c" * 10)
    assert sorted(os.listdir(tmp_path / "c" / "objects")) == ["c"]


def test_a_shared_copy_cannot_be_written_but_a_linked_original_can(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c", 100)
    original = tmp_path / "mine"
    original.write_text("x")
    with cache.holding("a", "x", writing("1")) as path:
        assert path.stat().st_mode & 0o222 == 0
    with cache.holding("b", "x", lambda target: os.link(original, target)):
        assert original.stat().st_mode & 0o200


def _make(
    folder: str, started: "multiprocessing.Queue[int]", count: "multiprocessing.Queue[int]"
) -> None:
    started.put(1)

    def fill(target: Path) -> None:
        count.put(os.getpid())
        target.write_text("one" * 1000)

    with Cache(Path(folder), 10**6).holding("k", "x", fill) as path:
        assert path.read_text() == "one" * 1000


def test_processes_that_want_one_file_at_once_make_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    started, made = context.Queue(), context.Queue()
    processes = [
        context.Process(target=_make, args=(str(tmp_path / "c"), started, made)) for _ in range(4)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    made.get(timeout=30)
    assert made.empty()


def _hang(folder: str, ready: "multiprocessing.Queue[int]") -> None:
    def fill(target: Path) -> None:
        target.write_text("half")
        ready.put(1)
        signal.pause()

    with Cache(Path(folder), 100).holding("k", "x", fill):
        pass


def test_a_maker_that_is_killed_leaves_no_lock_behind(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Queue()
    process = context.Process(target=_hang, args=(str(tmp_path / "c"), ready))
    process.start()
    ready.get(timeout=60)
    process.kill()
    process.join(60)
    hold(Cache(tmp_path / "c", 100), "k", "whole")


def test_threads_share_a_copy_and_one_of_them_makes_it(tmp_path: Path) -> None:
    cache, made = Cache(tmp_path / "c", 100), []
    together = threading.Barrier(4)

    def use() -> None:
        together.wait(30)
        with cache.holding("k", "x", lambda target: made.append(target.write_text("1"))):
            pass

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert made == [1]


def test_whoever_would_make_a_copy_that_is_there_by_now_waits_for_no_user(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c", 100)
    with cache.holding("k", "x", writing("1")) as path:
        # As one that had looked before the copy was made.
        cache._make("k", "x", writing("2"))
        assert path.read_text() == "1"


def test_what_is_being_made_is_not_removed(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c", 5)

    def fill(target: Path) -> None:
        target.write_text("half")
        hold(cache, "other", "o" * 10)  # which is too much, so that what can go goes
        assert target.read_text() == "half"

    with cache.holding("k", "x", fill) as path:
        assert path.read_text() == "half"


def test_a_lock_whose_file_was_removed_meanwhile_is_none(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held = _locked(path, fcntl.LOCK_EX)
    found: list[bool] = []

    def want() -> None:
        lock = _locked(path, fcntl.LOCK_EX)
        found.append(os.path.samestat(os.fstat(lock), path.stat()))
        os.close(lock)

    thread = threading.Thread(target=want)
    thread.start()
    deadline = time.monotonic() + 30
    while Path("/proc/locks").read_text().count(f":{path.stat().st_ino} ") < 2:
        assert time.monotonic() < deadline
    path.unlink()
    os.close(held)
    thread.join(30)
    assert found == [True]


def test_a_size_that_cannot_be_read_is_not_counted(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c", 5)
    hold(cache, "a", "a" * 10)
    (tmp_path / "c" / "locks" / "a").write_text("damaged")
    hold(cache, "b", "b" * 3)
    assert sorted(os.listdir(tmp_path / "c" / "objects")) == ["a", "b"]


def test_keys_tell_sizes_apart() -> None:
    assert cache_key(File("http://h/x"), "1", "r") != cache_key(
        File("http://h/x", size=3), "1", "r"
    )


def test_names_are_safe_ones() -> None:
    assert safe_name(File("http://h/a%20b.csv?x=1")) == "a b.csv"
    assert safe_name(File("http://h/a%2Fb")) == "a_b"
    assert [safe_name(File(f"http://h/{end}")) for end in ("", "..", "%2E%2E")] == ["data"] * 3


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(StagingFailed, match="not a directory of this user's own"):
        private_folder(tmp_path / "link")
    assert private_folder(tmp_path / "new").stat().st_mode & 0o777 == 0o700
