import os
from pathlib import Path

import pytest

from lamina.staging import Direction, FileCopyStaging, Mode, Place, SharedFileStaging
from lamina.vocabulary import ConfigError, File, StagingFailed


def test_shared_files_stay_where_they_are() -> None:
    plugin = SharedFileStaging()
    assert (plugin.mode, plugin.place) == (Mode.IN_PLACE, Place.NODES)
    assert plugin.serves(File("x"), Direction.IN)


def test_a_copy_is_made_by_the_client_or_by_the_nodes() -> None:
    assert FileCopyStaging().place is Place.CLIENT
    assert FileCopyStaging(where="nodes").place is Place.NODES
    with pytest.raises(ConfigError, match='"nodes" or "client"'):
        FileCopyStaging(where="moon")  # type: ignore[arg-type]  # as a user may write it


def test_a_link_is_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("1")
    FileCopyStaging(where="nodes", link=True).fetch(File(tmp_path / "x"), tmp_path / "y")
    assert os.path.samefile(tmp_path / "x", tmp_path / "y")


def test_a_directory_comes_and_goes_whole(tmp_path: Path) -> None:
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "e" / "x").write_text("1")
    plugin = FileCopyStaging(where="nodes")
    plugin.fetch(File(f"{tmp_path}/d/"), tmp_path / "here")
    assert (tmp_path / "here" / "e" / "x").read_text() == "1"
    plugin.store(tmp_path / "here", File(f"{tmp_path}/out/"))
    assert (tmp_path / "out" / "e" / "x").read_text() == "1"
    assert plugin.version(File(f"{tmp_path}/d/")) is None


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("1")
    with pytest.raises(StagingFailed, match="cannot be written"):
        FileCopyStaging().store(tmp_path / "x", File(tmp_path / "x" / "below"))


def test_where_no_link_can_be_made_it_is_a_copy(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("1")
    plugin = FileCopyStaging(where="nodes", link=True)
    plugin.fetch(File(tmp_path / "x"), Path("/dev/shm") / f"lamina-{os.getpid()}")
    copy = Path("/dev/shm") / f"lamina-{os.getpid()}"
    try:
        assert not os.path.samefile(tmp_path / "x", copy)
    finally:
        copy.unlink()


def test_what_came_short_is_never_seen(tmp_path: Path) -> None:
    with pytest.raises(StagingFailed, match="cannot be written"):
        SharedFileStaging().store(tmp_path / "none", File(tmp_path / "new"))
    assert not list(tmp_path.iterdir())
    with pytest.raises(StagingFailed, match="cannot be read") as caught:
        SharedFileStaging().version(File(tmp_path / "none"))
    assert not caught.value.again
