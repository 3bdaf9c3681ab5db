import os
import random
from pathlib import Path

import pytest

from lamina.channels import ChannelError
from lamina.channels_ssh import ConnectionFailed
from tests.components.lamina.channels_ssh.server import Server

SIZE = 3_000_000  # bytes


@pytest.fixture
def content(tmp_path: Path) -> Path:
    path = tmp_path / "content"
    path.write_bytes(os.urandom(SIZE))
    return path


def test_a_file_keeps_its_bytes_and_its_mode_both_ways(
    server: Server, content: Path, tmp_path: Path
) -> None:
    content.chmod(0o750)
    channel = server.channel()
    channel.put(content, "there")
    assert (server.home / "there").read_bytes() == content.read_bytes()
    assert (server.home / "there").stat().st_mode & 0o777 == 0o750
    channel.get("there", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == content.read_bytes()
    assert (tmp_path / "back").stat().st_mode & 0o777 == 0o750
    assert os.listdir(server.home) == ["there"]


def test_an_empty_file_is_one_too(server: Server, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    channel = server.channel()
    channel.put(tmp_path / "empty", "there")
    channel.get("there", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b""


def test_paths_are_below_the_home_directory_unless_they_are_whole(
    server: Server, content: Path, tmp_path: Path
) -> None:
    channel = server.channel()
    channel.put(content, "~/one")
    channel.put(content, str(tmp_path / "two"))
    assert (server.home / "one").exists()
    assert (tmp_path / "two").exists()


@pytest.mark.parametrize("replaces", [True, False])
def test_a_file_of_that_name_is_replaced(server: Server, content: Path, replaces: bool) -> None:
    server.replaces = replaces
    (server.home / "there").write_text("old")
    server.channel().put(content, "there")
    assert (server.home / "there").read_bytes() == content.read_bytes()
    server.channel().put(content, "new")
    assert sorted(os.listdir(server.home)) == ["new", "there"]


def test_a_connection_that_is_cut_on_the_way_there_costs_only_what_was_not_there_yet(
    server: Server, content: Path
) -> None:
    server.cut_after(1_000_000, 1_000_000)
    server.channel().put(content, "there")
    assert (server.home / "there").read_bytes() == content.read_bytes()
    assert os.listdir(server.home) == ["there"]
    assert server.logins == 3
    assert server.moved_since_cut < 1_500_000


def test_a_connection_that_is_cut_on_the_way_back_costs_only_what_was_not_here_yet(
    server: Server, tmp_path: Path
) -> None:
    # Larger than all that can be on its way, which is sent and not here when the cut comes.
    content = random.Random(SIZE).randbytes(8 * SIZE)
    (server.home / "there").write_bytes(content)
    server.cut_after(7 * SIZE)
    server.channel().get("there", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == content
    assert server.logins == 2
    # At a slow moment paramiko asks for some of it twice, so how much moved tells nothing.
    assert SIZE < server.read_from <= 7 * SIZE


def test_a_file_that_has_changed_meanwhile_is_fetched_from_its_beginning(
    server: Server, tmp_path: Path
) -> None:
    there = server.home / "there"
    there.write_bytes(b"a" * SIZE)

    def change() -> None:
        there.write_bytes(b"b" * (SIZE + 1))

    server.cut_after(1_000_000)
    server.when_cut = change
    server.channel().get("there", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"b" * (SIZE + 1)


def test_a_host_that_stays_away_ends_a_transfer_and_leaves_nothing_under_its_name(
    server: Server, content: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lamina.channels_ssh.transfers.PAUSES", (0.01, 0.01))
    server.cut_after(1_000_000)
    server.when_cut = server.refuse
    with pytest.raises(ConnectionFailed, match="copying"):
        server.channel().put(content, "there")
    assert not (server.home / "there").exists()


def test_what_the_host_refuses_to_write_is_an_error_and_leaves_nothing_behind(
    server: Server, content: Path
) -> None:
    channel = server.channel()
    with pytest.raises(ChannelError, match="no/such/folder"):
        channel.put(content, "no/such/folder/there")
    (server.home / "directory").mkdir()
    with pytest.raises(ChannelError):
        channel.put(content, "directory")
    server.full = True
    with pytest.raises(ChannelError):
        channel.put(content, "there")
    assert os.listdir(server.home) == ["directory"]


def test_what_cannot_be_read_here_is_an_error_before_anybody_is_contacted(
    server: Server, tmp_path: Path
) -> None:
    with pytest.raises(ChannelError, match="No such file"):
        server.channel().put(tmp_path / "none", "there")
    with pytest.raises(ChannelError):
        server.channel().get("there", tmp_path / "no folder" / "back")
    assert server.logins == 0


def test_what_cannot_be_written_here_is_an_error(
    server: Server, content: Path, tmp_path: Path
) -> None:
    channel = server.channel()
    channel.put(content, "there")
    (tmp_path / "directory").mkdir()
    with pytest.raises(ChannelError, match="directory"):
        channel.get("there", tmp_path / "directory")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_directories_are_made_with_their_parents_for_the_user_alone(server: Server) -> None:
    channel = server.channel()
    channel.make_directory("one/two")
    channel.make_directory("one/two/three/")
    for path in ("one", "one/two", "one/two/three"):
        assert (server.home / path).stat().st_mode & 0o777 == 0o700
    (server.home / "file").touch()
    with pytest.raises(ChannelError, match="file/below"):
        channel.make_directory("file/below")


def test_a_place_is_a_directory_that_is_called_by_its_whole_path(server: Server) -> None:
    assert server.channel().place("run-1") == str(server.home / ".lamina" / "run-1")
    place = str(server.home / "elsewhere" / "run-1")
    assert server.channel(script_dir="elsewhere").place("run-1") == place
    assert (server.home / "elsewhere" / "run-1").is_dir()


def test_a_host_without_sftp_is_told(
    server: Server, content: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lamina.channels_ssh.transfers.PAUSES", (0.01,))
    server.sftp = False
    with pytest.raises(ConnectionFailed, match="copying"):
        server.channel().put(content, "there")


def test_the_size_and_the_time_of_a_file_are_told(server: Server) -> None:
    (server.home / "x").write_bytes(b"12345")
    os.utime(server.home / "x", (7, 7))
    channel = server.channel()
    try:
        assert channel.facts("x") == (5, 7)
        with pytest.raises(ChannelError, match="No such file"):
            channel.facts("none")
    finally:
        channel.close()
