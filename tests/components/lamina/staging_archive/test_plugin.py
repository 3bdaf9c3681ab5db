import io
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest

from lamina.staging import Direction, Mode, Place
from lamina.staging_archive import ArchiveStaging
from lamina.staging_archive.plugin import split_member
from lamina.vocabulary import ConfigError, File, StagingFailed

PLUGIN = ArchiveStaging()


def zipped(path: Path, **members: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def tarred(path: Path, members: dict[str, str], **special: bytes) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content.encode()))
        for name, kind in special.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    return path


def test_the_archive_is_the_first_part_with_its_ending() -> None:
    assert split_member(File("zip:/a/b.zip/c/d.zip")) == (Path("/a/b.zip"), "c/d.zip")
    assert split_member(File("tar:/a/b.tar.gz/c/")) == (Path("/a/b.tar.gz"), "c")
    for url in ("zip:/a/b", "zip://host/b.zip/c", "zip:/a/b.zip/../c"):
        with pytest.raises(StagingFailed) as caught:
            split_member(File(url))
        assert not caught.value.again


def test_it_says_where_and_how_it_works() -> None:
    assert (PLUGIN.mode, PLUGIN.place) == (Mode.IN_TASK, Place.NODES)
    assert ArchiveStaging(mode="separate").mode is Mode.SEPARATE
    assert PLUGIN.serves(File("zip:/a.zip/x"), Direction.OUT)
    assert not PLUGIN.serves(File("tar:/a.tar/x"), Direction.OUT)
    with pytest.raises(ConfigError):
        ArchiveStaging(mode="both")


def test_a_member_is_unpacked(tmp_path: Path) -> None:
    zipped(tmp_path / "a.zip", **{"d/x": "1"})
    tarred(tmp_path / "a.tar.gz", {"./d/x": "2"})
    PLUGIN.fetch(File(f"zip:{tmp_path}/a.zip/d/x"), tmp_path / "one")
    PLUGIN.fetch(File(f"tar:{tmp_path}/a.tar.gz/d/x"), tmp_path / "two")
    assert [(tmp_path / name).read_text() for name in ("one", "two")] == ["1", "2"]


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_directory_is_unpacked_with_all_below_it(tmp_path: Path, kind: str) -> None:
    members = {"d/x": "1", "d/e/y": "2", "other": "3"}
    zipped(tmp_path / "a.zip", **members)
    tarred(tmp_path / "a.tar", members)
    PLUGIN.fetch(File(f"{kind}:{tmp_path}/a.{kind}/d/"), tmp_path / "new")
    found = sorted(
        str(path.relative_to(tmp_path / "new")) for path in (tmp_path / "new").rglob("*")
    )
    assert found == ["e", "e/y", "x"]
    PLUGIN.fetch(File(f"{kind}:{tmp_path}/a.{kind}/"), tmp_path / "all")
    assert (tmp_path / "all" / "other").read_text() == "3"


@pytest.mark.parametrize("name", ["../out", "/out", "d/../../out", "..\\out"])
def test_what_would_be_written_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    zipped(tmp_path / "a.zip", **{name: "bad"})
    tarred(tmp_path / "a.tar", {name: "bad"})
    (tmp_path / "new").mkdir()
    for kind in ("zip", "tar"):
        with pytest.raises(StagingFailed, match="is not unpacked"):
            PLUGIN.fetch(File(f"{kind}:{tmp_path}/a.{kind}/"), tmp_path / "new" / "d")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar", "a.zip", "new"]


def test_links_and_devices_are_refused(tmp_path: Path) -> None:
    tarred(tmp_path / "a.tar", {}, link=tarfile.SYMTYPE)
    tarred(tmp_path / "b.tar", {}, device=tarfile.CHRTYPE)
    info = zipfile.ZipInfo("link")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    for url in ("tar:{}/a.tar/", "tar:{}/a.tar/link", "tar:{}/b.tar/device", "zip:{}/a.zip/"):
        with pytest.raises(StagingFailed, match="is not unpacked"):
            PLUGIN.fetch(File(url.format(tmp_path)), tmp_path / "new")


def test_what_is_missing_or_damaged_is_told(tmp_path: Path) -> None:
    zipped(tmp_path / "a.zip", x="1")
    tarred(tmp_path / "a.tar", {"x": "1"})
    (tmp_path / "b.zip").write_text("no archive")
    for url in (
        "zip:{}/a.zip/none",
        "zip:{}/a.zip/none/",
        "tar:{}/a.tar/none",
        "zip:{}/b.zip/x",
        "zip:{}/c.zip/x",
    ):
        file = File(url.format(tmp_path))
        with pytest.raises(StagingFailed) as caught:
            PLUGIN.fetch(file, tmp_path / "new")
        assert (caught.value.url, caught.value.again) == (file.url, False)


def test_what_cannot_be_unpacked_is_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", "".join(map(str, range(9000))))
    whole = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "flipped.zip").write_bytes(whole[:40] + bytes([whole[40] ^ 0xFF]) + whole[41:])
    listed = whole.index(b"PK\x01\x02")
    locked = bytearray(whole)
    locked[6] |= 1
    locked[listed + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(locked)
    tarred(tmp_path / "a.tar.gz", {"x": "".join(map(str, range(9000)))})
    whole = (tmp_path / "a.tar.gz").read_bytes()
    (tmp_path / "b.tar.gz").write_bytes(whole[:1000] + bytes(200) + whole[1200:])
    for url in ("zip:{}/flipped.zip/x", "zip:{}/locked.zip/x", "tar:{}/b.tar.gz/x"):
        file = File(url.format(tmp_path))
        with pytest.raises(StagingFailed) as caught:
            PLUGIN.fetch(file, tmp_path / "new")
        assert (caught.value.url, caught.value.again) == (file.url, False)


def test_of_a_member_that_was_added_twice_the_later_counts(tmp_path: Path) -> None:
    tarred(tmp_path / "a.tar.gz", {"x": "old", "./x": "new", "y": "2"})
    PLUGIN.fetch(File(f"tar:{tmp_path}/a.tar.gz/x"), tmp_path / "new")
    assert (tmp_path / "new").read_text() == "new"


def test_tasks_that_write_to_one_archive_take_turns(tmp_path: Path) -> None:
    def put(number: int) -> None:
        source = tmp_path / f"made{number}"
        source.write_text(str(number))
        PLUGIN.store(source, File(f"zip:{tmp_path}/new/out.zip/d/{number % 4}"))

    threads = [threading.Thread(target=put, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with zipfile.ZipFile(tmp_path / "new" / "out.zip") as archive:
        assert sorted(archive.namelist()) == ["d/0", "d/1", "d/2", "d/3"]
        assert archive.testzip() is None
