from pathlib import Path

import pytest

from lamina.staging import Desk, bring, bring_content, take, take_content
from lamina.staging.carrying import Content
from lamina.vocabulary import File, HasStarted, StagingFailed
from tests.fakes.staging import FolderStaging

X, Y = File("fake://h/x"), File("fake://h/y")


def test_what_was_brought_is_in_the_cache(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("1")
    plugin, desk = FolderStaging(str(tmp_path)), Desk("r", 100, str(tmp_path / "w"))
    key = bring(X, plugin, desk).key
    with desk.holding(X, key, None) as path:
        assert path.read_text() == "1"
    found = bring_content(X, plugin, desk)
    assert found.key == key
    assert found.content is not None
    assert found.content.parts == (("", b"1"),)
    assert plugin.log() == ["fetch x"]


def test_what_is_taken_away_is_removed_unless_that_fails(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "y").write_text("1")
    (tmp_path / "refuse").write_text("y")
    plugin = FolderStaging(str(tmp_path))
    with pytest.raises(StagingFailed) as caught:
        take(Y, plugin, str(kept))
    assert caught.value.started is HasStarted.YES
    assert kept.exists()
    take(Y, plugin, str(kept))
    assert not kept.exists()
    assert (tmp_path / "y").read_text() == "1"


def test_what_came_with_a_result_is_taken_away(tmp_path: Path) -> None:
    plugin = FolderStaging(str(tmp_path))
    take_content(Y, plugin, Content(True, (("", b"1"),)))
    assert (tmp_path / "y").read_text() == "1"
    take_content(File("fake://h/*.csv"), plugin, Content(False, (("a.csv", b"2"),)))
    assert (tmp_path / "a.csv").read_text() == "2"
