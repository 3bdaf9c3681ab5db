import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest

from lamina.staging import Direction, Mode, Place
from lamina.staging_sftp import SFTPStaging
from lamina.vocabulary import ConfigError, File, StagingFailed
from tests.components.lamina.channels_ssh.server import Server

CONTENT = bytes(range(256)) * 20_000  # 5 MB


def plugin_for(server: Server, **more: Any) -> SFTPStaging:
    ssh = {
        "key_filename": str(server.key_file),
        "host_keys_filename": str(server.known_hosts),
        "allow_agent": False,
        "config_file": os.devnull,
        "connect_timeout": 10,
    }
    return SFTPStaging(ssh={**ssh, **more})


def url(server: Server, name: str) -> File:
    return File(f"sftp://somebody@127.0.0.1:{server.port}/~/{name}")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    (server.home / "x").write_bytes(CONTENT)
    yield server
    server.close()


def test_it_says_where_and_how_it_works() -> None:
    assert (SFTPStaging().place, SFTPStaging().mode) == (Place.CLIENT, Mode.SEPARATE)
    assert SFTPStaging(where="nodes", mode="in-task").mode is Mode.IN_TASK
    assert SFTPStaging(where="nodes").place is Place.NODES
    assert not SFTPStaging().serves(File("sftp://h/d/"), Direction.IN)


@pytest.mark.parametrize(
    "options, says",
    [
        ({"where": "moon"}, '"nodes" or "client"'),
        ({"mode": "both"}, '"separate" or "in-task"'),
        ({"ssh": {"port": 22}}, "which the URL of a file says"),
        ({"ssh": {"colour": "red"}}, "no option of SSHChannel"),
    ],
)
def test_what_cannot_work_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        SFTPStaging(**options)


def test_what_breaks_off_is_continued(server: Server, tmp_path: Path) -> None:
    server.cut_after(len(CONTENT) // 2)
    plugin_for(server).fetch(url(server, "x"), tmp_path / "new")
    assert (tmp_path / "new").read_bytes() == CONTENT
    assert server.logins == 2


def test_what_is_not_there_and_who_lets_nobody_in_is_told(server: Server, tmp_path: Path) -> None:
    server.know(paramiko.ECDSAKey.generate())
    with pytest.raises(StagingFailed, match="connecting to") as caught:
        plugin_for(server).fetch(url(server, "x"), tmp_path / "new")
    assert not caught.value.again
    server.know(server.host_key)
    server.keys.clear()
    with pytest.raises(StagingFailed) as caught:
        plugin_for(server).version(url(server, "x"))
    assert not caught.value.again


def test_a_host_that_is_not_there_may_come_back(server: Server, tmp_path: Path) -> None:
    file = url(server, "x")
    server.close()
    with pytest.raises(StagingFailed) as caught:
        plugin_for(server).version(file)
    assert caught.value.again


def test_a_password_may_stand_in_the_url(server: Server, tmp_path: Path) -> None:
    server.steps = ["password"]
    file = File(f"sftp://somebody:correct%20horse@127.0.0.1:{server.port}/~/x")
    plugin_for(server).fetch(file, tmp_path / "new")
    assert (tmp_path / "new").read_bytes() == CONTENT


def test_a_port_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(StagingFailed, match="Port") as caught:
        SFTPStaging().fetch(File("sftp://h:x/y"), tmp_path / "new")
    assert not caught.value.again
