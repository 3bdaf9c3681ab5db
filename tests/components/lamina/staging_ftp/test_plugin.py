import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lamina.staging import Mode, Place
from lamina.staging_ftp import FTPStaging
from lamina.vocabulary import ConfigError, File, StagingFailed
from tests.fakes.certificates import certificate_of_this_host
from tests.fakes.ftp_server import FTPServer, serving_ftp

CONTENT = bytes(range(256)) * 20_000  # 5 MB
QUICK = FTPStaging(pauses=(0.01, 0.01), timeout=15)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FTPServer]:
    logging.getLogger("pyftpdlib").setLevel(logging.CRITICAL)
    folder = tmp_path / "there"
    folder.mkdir()
    (folder / "x").write_bytes(CONTENT)
    with serving_ftp(folder) as made:
        yield made


def test_it_says_where_and_how_it_works() -> None:
    assert (FTPStaging().mode, FTPStaging().place) == (Mode.SEPARATE, Place.NODES)
    assert FTPStaging(mode="in-task").mode is Mode.IN_TASK
    for options in ({"mode": "both"}, {"timeout": 0}):
        with pytest.raises(ConfigError):
            FTPStaging(**options)  # type: ignore[arg-type]  # as a user may write them


def test_what_breaks_off_is_continued(server: FTPServer, tmp_path: Path) -> None:
    server.cuts = [len(CONTENT) // 2]
    QUICK.fetch(File(server.url("x")), tmp_path / "new")
    assert (tmp_path / "new").read_bytes() == CONTENT
    (rest,) = [line for line in server.said if line.startswith("REST")]
    assert int(rest.split()[1]) >= len(CONTENT) // 2


def test_what_has_changed_meanwhile_is_begun_anew(server: FTPServer, tmp_path: Path) -> None:
    other = bytes(reversed(CONTENT))
    source = tmp_path / "there" / "x"
    os.utime(source, (1e9, 1e9))
    server.cuts = [len(CONTENT) // 2]

    def change(line: str) -> None:
        # The second time that it is asked for, it is another file of the same size.
        if sum(one.startswith("MDTM") for one in server.said) == 2:
            source.write_bytes(other)

    server.before = change
    QUICK.fetch(File(server.url("x")), tmp_path / "new")
    assert (tmp_path / "new").read_bytes() == other


def test_what_never_comes_whole_is_a_failure(server: FTPServer, tmp_path: Path) -> None:
    server.cuts = [0, 0, 0]
    with pytest.raises(StagingFailed) as caught:
        QUICK.fetch(File(server.url("x")), tmp_path / "new")
    assert (caught.value.attempt, caught.value.again) == (3, True)


def test_what_is_not_there_is_told_with_the_status(server: FTPServer, tmp_path: Path) -> None:
    with pytest.raises(StagingFailed) as caught:
        QUICK.fetch(File(server.url("none")), tmp_path / "new")
    assert (caught.value.status, caught.value.attempt, caught.value.again) == (550, 1, False)


def test_an_output_appears_whole_and_replaces_the_old_one(
    server: FTPServer, tmp_path: Path
) -> None:
    (tmp_path / "made").write_bytes(b"12345")
    QUICK.store(tmp_path / "made", File(server.url("x", "user:secret@")))
    assert (server.folder / "x").read_bytes() == b"12345"
    assert [path.name for path in server.folder.iterdir()] == ["x"]
    stored = next(line for line in server.said if line.startswith("STOR"))
    assert "/.x." in stored


def test_who_logs_in_is_said_by_the_url_or_by_netrc(
    server: FTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    QUICK.fetch(File(server.url("x", "user:secret@")), tmp_path / "one")
    with pytest.raises(StagingFailed) as caught:
        QUICK.fetch(File(server.url("x", "user:wrong@")), tmp_path / "two")
    assert (caught.value.status, caught.value.again) == (530, False)
    secrets = tmp_path / "netrc"
    secrets.write_text("machine 127.0.0.1 login user password secret\n")
    secrets.chmod(0o600)
    monkeypatch.setenv("NETRC", str(secrets))
    QUICK.fetch(File(server.url("x")), tmp_path / "three")
    assert [line for line in server.said if line == "USER user"] == ["USER user"] * 3


def test_a_name_that_could_be_another_command_is_refused(server: FTPServer, tmp_path: Path) -> None:
    with pytest.raises(StagingFailed, match="newline") as caught:
        QUICK.fetch(File(server.url("x%0D%0ADELE%20x", "user:secret@")), tmp_path / "new")
    assert not caught.value.again
    assert (server.folder / "x").exists()


def test_with_tls_nothing_goes_in_the_clear(tmp_path: Path) -> None:
    logging.getLogger("pyftpdlib").setLevel(logging.CRITICAL)
    folder = tmp_path / "there"
    folder.mkdir()
    (folder / "x").write_bytes(b"secret")
    certificate = certificate_of_this_host(tmp_path)
    with serving_ftp(folder, certificate) as server:
        plugin = FTPStaging(pauses=(), verify=str(certificate[0]))
        plugin.fetch(File(server.url("x")), tmp_path / "new")
        assert (tmp_path / "new").read_bytes() == b"secret"
        plugin.store(tmp_path / "new", File(server.url("y", "user:secret@")))
        assert (folder / "y").read_bytes() == b"secret"
        with pytest.raises(StagingFailed, match="certificate") as caught:
            FTPStaging(pauses=(0.01,)).fetch(File(server.url("x")), tmp_path / "other")
        assert (caught.value.attempt, caught.value.again) == (1, False)
        FTPStaging(pauses=(), verify=False).fetch(File(server.url("x")), tmp_path / "third")


def test_a_silent_server_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ftp://127.0.0.1:{silent.getsockname()[1]}/x"
        with pytest.raises(StagingFailed, match="timed out") as caught:
            FTPStaging(timeout=0.2, pauses=()).fetch(File(url), tmp_path / "new")
    assert caught.value.again
