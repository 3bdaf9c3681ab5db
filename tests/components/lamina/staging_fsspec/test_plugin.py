import os
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from lamina.staging import Direction, Mode, Place
from lamina.staging_fsspec import FsspecStaging
from lamina.vocabulary import ConfigError, File, StagingFailed
from tests.fakes.s3_server import BUCKET, S3Server

MEMORY = FsspecStaging(protocols=["memory"], pauses=(0.01,))


def test_it_says_where_and_how_it_works() -> None:
    assert (MEMORY.mode, MEMORY.place) == (Mode.SEPARATE, Place.NODES)
    other = FsspecStaging(mode="in-task", where="client")
    assert (other.mode, other.place) == (Mode.IN_TASK, Place.CLIENT)
    assert {"s3", "gs", "abfs", "webdav"} <= other.schemes
    assert MEMORY.serves(File("memory://d/"), Direction.OUT)


@pytest.mark.parametrize(
    "options, says",
    [
        ({"mode": "both"}, '"separate" or "in-task"'),
        ({"where": "moon"}, '"nodes" or "client"'),
        ({"protocols": ["floppy"]}, "knows no protocol floppy"),
    ],
)
def test_what_cannot_work_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        FsspecStaging(**options)


def test_directories_come_and_go_whole(tmp_path: Path, s3: S3Server) -> None:
    plugin = FsspecStaging(options=s3.options, pauses=())
    (tmp_path / "made" / "e").mkdir(parents=True)
    (tmp_path / "made" / "x").write_text("1")
    (tmp_path / "made" / "e" / "y").write_text("2")
    file = File(f"s3://{BUCKET}/tree/")
    plugin.store(tmp_path / "made", file)
    plugin.fetch(file, tmp_path / "new")
    assert (tmp_path / "new" / "x").read_text() == "1"
    assert (tmp_path / "new" / "e" / "y").read_text() == "2"
    assert plugin.version(file) is None


class LosesTheEnd(MemoryFileSystem):  # type: ignore[misc]  # no types there
    """Keeps, and gives, no more than the first two bytes of files called ``cut``."""

    protocol = "lossy"
    store: ClassVar[dict[str, Any]] = {}

    def put_file(self, lpath: str, rpath: str, **options: Any) -> None:
        super().put_file(lpath, rpath, **options)
        if rpath.endswith("put/cut"):
            self.pipe_file(rpath, self.cat_file(rpath)[:2])

    def get_file(self, rpath: str, lpath: str, **options: Any) -> None:
        super().get_file(rpath, lpath, **options)
        if rpath.endswith("got/cut"):
            os.truncate(lpath, 2)


def test_each_file_of_a_directory_is_compared(tmp_path: Path) -> None:
    fsspec.register_implementation("lossy", LosesTheEnd, clobber=True)
    plugin = FsspecStaging(protocols=["lossy"], pauses=())
    (tmp_path / "made").mkdir()
    for name in ("cut", "whole"):
        (tmp_path / "made" / name).write_text("12345")
    with pytest.raises(StagingFailed, match="2 bytes have arrived of cut, of 5"):
        plugin.store(tmp_path / "made", File("lossy://put/"))
    plugin.store(tmp_path / "made", File("lossy://got/"))
    with pytest.raises(StagingFailed, match="2 bytes have come of cut, of 5"):
        plugin.fetch(File("lossy://got/"), tmp_path / "new")


def test_a_store_without_versions_has_none(tmp_path: Path) -> None:
    fsspec.filesystem("memory").pipe_file("/x", b"1")
    MEMORY.fetch(File("memory://x"), tmp_path / "new")
    assert (tmp_path / "new").read_text() == "1"
    assert MEMORY.version(File("memory://x")) is None


def test_a_store_that_cannot_be_reached_may_come_back(tmp_path: Path, s3: S3Server) -> None:
    options = {
        **s3.options,
        "endpoint_url": "http://127.0.0.1:1",
        "config_kwargs": {"retries": {"max_attempts": 1}, "connect_timeout": 1},
    }
    plugin = FsspecStaging(options=options, pauses=())
    with pytest.raises(StagingFailed) as caught:
        plugin.fetch(File(f"s3://{BUCKET}/x"), tmp_path / "new")
    assert caught.value.again


def test_a_library_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StagingFailed, match="lacks a library for gs") as caught:
        FsspecStaging(pauses=(0.01,)).fetch(File("gs://b/x"), tmp_path / "new")
    assert (caught.value.attempt, caught.value.again) == (1, False)


def test_what_is_missing_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(StagingFailed) as caught:
        MEMORY.store(tmp_path / "none", File("memory://y"))
    assert not caught.value.again
