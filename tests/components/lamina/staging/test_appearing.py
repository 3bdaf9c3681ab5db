import os
from pathlib import Path

import pytest

from lamina.staging import appearing, copy_whole, drop


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    final = tmp_path / "new" / "x"
    with appearing(final) as part:
        part.write_text("1")
        assert not final.exists()
    assert final.read_text() == "1"
    assert os.listdir(final.parent) == ["x"]


def test_what_breaks_off_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    final = tmp_path / "x"
    final.write_text("old")

    def break_off() -> None:
        with appearing(final) as part:
            part.write_text("half")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        break_off()
    assert final.read_text() == "old"
    assert os.listdir(tmp_path) == ["x"]


def test_all_of_it_is_on_the_disk_before_it_appears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced: list[str] = []
    fsync = os.fsync

    def watched(handle: int) -> None:
        forced.append(Path(os.readlink(f"/proc/self/fd/{handle}")).name)
        assert not (tmp_path / "d").exists()
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    with appearing(tmp_path / "d") as part:
        (part / "e").mkdir(parents=True)
        (part / "e" / "f").write_text("1")
        (part / "g").write_text("2")
        (part / "link").symlink_to("nowhere")
    assert sorted(forced) == ["f", "g"]


def test_a_directory_replaces_one(tmp_path: Path) -> None:
    source, final = tmp_path / "s", tmp_path / "d"
    (source / "e").mkdir(parents=True)
    (source / "e" / "f").write_text("new")
    final.mkdir()
    (final / "old").write_text("old")
    with appearing(final) as part:
        copy_whole(source, part)
    assert os.listdir(final) == ["e"]
    assert sorted(os.listdir(tmp_path)) == ["d", "s"]
    drop(final)
    drop(final)
    assert not final.exists()
