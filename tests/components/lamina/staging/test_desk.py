import hashlib
import tempfile
from pathlib import Path

import pytest

from lamina.staging import Desk
from lamina.staging.desk import is_pattern, matching
from lamina.vocabulary import File, StagingFailed
from tests.fakes.staging import FolderStaging

WRONG = "sha256:" + "0" * 64


def test_a_copy_is_verified_before_anybody_gets_it(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("abc")
    plugin, desk = FolderStaging(str(tmp_path)), Desk("r", 100, str(tmp_path / "w"))
    right = "sha256:" + hashlib.sha256(b"abc").hexdigest()
    for _ in range(2):
        with pytest.raises(StagingFailed, match="its sha256 is"):
            with desk.holding(File("fake://h/x", WRONG), "k", plugin.fetch):
                pass
    with desk.holding(File("fake://h/x", right), "k", plugin.fetch) as path:
        assert path.read_text() == "abc"


def test_a_file_with_a_checksum_needs_no_question(tmp_path: Path) -> None:
    desk, plugin = Desk("r", 1), FolderStaging(str(tmp_path))
    assert desk.key(File("fake://h/none", WRONG), plugin)
    with pytest.raises(StagingFailed, match="no such file"):
        desk.key(File("fake://h/none"), plugin)


def test_without_a_folder_it_is_one_of_the_user_s_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    place = Desk("r", 1).place
    assert place.parent == tmp_path
    assert place.stat().st_mode & 0o777 == 0o700


def test_a_room_is_new_and_removed(tmp_path: Path) -> None:
    desk = Desk("r", 1, str(tmp_path / "w"))
    with desk.room() as one, desk.room() as two:
        assert one != two
        (one / "x").write_text("1")
    assert not one.exists()


def test_patterns_match_in_the_last_part_only(tmp_path: Path) -> None:
    folder = tmp_path / "a[1]"
    folder.mkdir()
    for name in ("b.csv", "a.csv", "c.txt"):
        (folder / name).touch()
    assert [one.name for one in matching(folder / "*.csv")] == ["a.csv", "b.csv"]
    assert is_pattern(File("http://h/*.csv"))
    assert not is_pattern(File("http://h*/x.csv"))
