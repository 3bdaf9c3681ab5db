import os
from pathlib import Path

import pytest

from lamina.memo import InMemoryMemo, Subject, id_for_memo, memo_key
from lamina.memo.files import FilePolicy, counting_files
from lamina.vocabulary import ConfigError, File


def use(data: File, outputs: list[File], stdout: File | None = None) -> None:
    pass


def key(path: Path, policy: FilePolicy, out: Path | None = None) -> bytes:
    outputs = [File(path if out is None else out)]
    subject = Subject(use, (File(path),), {"outputs": outputs, "stdout": outputs[0]})
    return memo_key(subject, policy)


def again_as_old(path: Path, text: str) -> None:
    """Write it, and have it look as old as it was."""
    before = path.stat().st_mtime_ns
    path.write_text(text)
    os.utime(path, ns=(before, before))


def test_by_name_only_the_name_counts(tmp_path: Path) -> None:
    path = tmp_path / "in"
    absent = key(path, "name")
    path.write_text("a")
    assert key(path, "name") == absent
    assert key(tmp_path / "other", "name") != absent


def test_by_stat_size_and_time_count_too(tmp_path: Path) -> None:
    path, out = tmp_path / "in", tmp_path / "out"
    path.write_text("a")
    first = key(path, "stat", out)
    again_as_old(path, "b")
    assert key(path, "stat", out) == first
    again_as_old(path, "longer")
    assert key(path, "stat", out) != first
    again_as_old(path, "a")
    os.utime(path, ns=(1, 1))
    assert key(path, "stat", out) != first


def test_by_content_what_is_in_it_counts_and_not_its_time(tmp_path: Path) -> None:
    path, out = tmp_path / "in", tmp_path / "out"
    path.write_text("a")
    first = key(path, "content", out)
    os.utime(path, ns=(1, 1))
    assert key(path, "content", out) == first
    again_as_old(path, "b")
    assert key(path, "content", out) != first


def test_what_is_in_a_file_that_is_written_does_not_count(tmp_path: Path) -> None:
    path, out = tmp_path / "in", tmp_path / "out"
    path.write_text("a")
    first = key(path, "content", out)
    out.write_text("there now")
    assert key(path, "content", out) == first


def test_of_what_the_call_makes_the_name_alone_counts_wherever_it_stands(tmp_path: Path) -> None:
    out = File(tmp_path / "out")
    with counting_files("stat", (out,)):
        before = id_for_memo([out])
        (tmp_path / "out").write_text("there now")
        assert id_for_memo([out]) == before
    with counting_files("stat"):
        assert id_for_memo([out]) != before


def test_a_directory_a_remote_file_and_one_that_is_not_there_have_keys(tmp_path: Path) -> None:
    for policy in ("stat", "content"):
        with counting_files(policy):
            found = {id_for_memo(File(one)) for one in (tmp_path, "http://host/x", "/nowhere")}
        assert len(found) == 3


def test_what_is_asked_of_a_file_counts() -> None:
    url = "http://host/x"
    asked = [
        File(url),
        File(url, size=1),
        File(url, size=2),
        File(url, checksum="sha256:" + "0" * 64),
        File(url, checksum="sha256:" + "1" * 64),
    ]
    for policy in ("name", "stat", "content"):
        assert len({memo_key(Subject(use, (one, []), {}), policy) for one in asked}) == len(asked)


def test_a_policy_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match="files is 'date'; it must be one of 'name', 'stat'"):
        InMemoryMemo(files="date")  # type: ignore[arg-type]
