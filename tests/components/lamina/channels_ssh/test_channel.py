import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from lamina.channels import ChannelError
from lamina.channels_ssh import ConnectionFailed, SSHChannel
from lamina.plugins import construct, resolve
from lamina.vocabulary import ConfigError
from tests.components.lamina.channels_ssh.server import PATIENCE, Server


def test_equal_options_make_equal_channels_so_that_they_share_questions() -> None:
    one, other = SSHChannel("h", "u", envs={"A": "1"}), SSHChannel("h", "u", envs={"A": "1"})
    assert one == other
    assert hash(one) == hash(other)
    assert one != SSHChannel("h", "u", envs={"A": "2"})


def test_secrets_are_not_shown() -> None:
    shown = repr(
        SSHChannel("h", password="hidden-1", passphrase="hidden-2", envs={"K": "hidden-3"})
    )
    assert "hidden" not in shown


@pytest.mark.parametrize(
    "options, says",
    [
        ({"hostname": ""}, "hostname is ''"),
        ({"hostname": "-oProxyCommand=x"}, "must be the name of a host"),
        ({"hostname": None}, "hostname is of type NoneType"),
        ({"password": b"secret"}, "password is of type bytes; it must be text"),
        ({"script_dir": 5}, "script_dir is of type int"),
        ({"port": "22"}, "port is '22'"),
        ({"port": True}, "port is True"),
        ({"envs": {1: "1"}}, "envs has 1"),
        ({"port": 0}, "between 1 and 65535"),
        ({"port": 70000}, "between 1 and 65535"),
        ({"tunnel": "bridge"}, "relay, gateway, loopback"),
        ({"prompt": "hello"}, "must be a function"),
        ({"keep_alive": 0}, "keep_alive is 0"),
        ({"connect_timeout": 0}, "connect_timeout is 0"),
        ({"envs": {"A B": "1"}}, "'A B'"),
    ],
)
def test_what_cannot_work_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        SSHChannel(**{"hostname": "h", **options})


def test_durations_may_be_text() -> None:
    assert SSHChannel("h", keep_alive="2 min").keep_alive == 120


def test_it_is_made_from_a_mapping() -> None:
    options: Mapping[str, Any] = {"hostname": "h", "username": "u", "key_filename": ["~/.ssh/k"]}
    channel = construct("channels", {"use": "ssh", **options})
    assert channel == SSHChannel(**options)
    assert resolve("channels", "ssh") is SSHChannel


def test_variables_of_the_channel_are_added_to_those_of_the_command(server: Server) -> None:
    channel = server.channel(envs={"ONE": "1", "TWO": "2"})
    command = ["sh", "-c", "echo $ONE $TWO"]
    assert channel.run(command, timeout=PATIENCE).stdout == "1 2\n"
    assert channel.run(command, env={"TWO": "3"}, timeout=PATIENCE).stdout == "1 3\n"


def test_a_closed_channel_is_opened_by_its_next_use(server: Server) -> None:
    channel = server.channel()
    channel.close()
    assert channel.run(["true"], timeout=PATIENCE).status == 0
    channel.close()
    channel.close()
    assert channel.run(["true"], timeout=PATIENCE).status == 0
    assert server.logins == 2


def test_a_channel_that_is_closed_meanwhile_makes_no_connection(server: Server) -> None:
    channel = server.channel()
    connection = channel._opened().connection
    connection.close()
    with pytest.raises(ConnectionFailed, match="has been closed"):
        connection.transport()
    assert server.logins == 0


def test_a_configuration_that_cannot_be_read_is_told_when_it_is_needed() -> None:
    with pytest.raises(ChannelError, match="No such file"):
        SSHChannel("h", config_file="/no/such/file").run(["true"], timeout=PATIENCE)


def test_the_public_face_imports_its_library_only_for_it() -> None:
    there = "'paramiko' in sys.modules"
    check = f"import sys; from lamina import flow; print({there}); flow.SSHChannel; print({there})"
    command = [sys.executable, "-c", check]
    done = subprocess.run(command, check=True, timeout=60, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "True"]
