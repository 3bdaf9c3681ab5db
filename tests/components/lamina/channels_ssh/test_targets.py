import getpass
from pathlib import Path

import paramiko
import pytest

from lamina.channels_ssh.targets import hops_of, read_config, target_of
from lamina.vocabulary import ConfigError

CONFIG = """
Host cluster
  HostName login.site.org
  Port 2200
  User alice
  IdentityFile ~/.ssh/cluster
  IdentitiesOnly yes
  UserKnownHostsFile ~/one ~/two
  GlobalKnownHostsFile /etc/three
  ProxyJump gate,bob@[::1]:99
Host gate
  HostName gate.site.org
  ProxyJump nowhere
Host alias
  HostKeyAlias known
Host piped
  ProxyCommand nc %h %p
Host straight
  ProxyJump none
  ProxyCommand none
Host odd
  Port many
"""


@pytest.fixture
def config() -> paramiko.SSHConfig:
    return paramiko.SSHConfig.from_text(CONFIG)


def test_without_a_word_in_the_configuration_it_is_what_ssh_would_do() -> None:
    target = target_of(paramiko.SSHConfig(), "h")
    assert (target.host, target.port, target.user) == ("h", 22, getpass.getuser())
    assert target.known_as == "h"
    assert target.known_hosts[0] == Path("~/.ssh/known_hosts").expanduser()
    assert Path("~/.ssh/id_ed25519").expanduser() in target.keys
    assert not target.only_these_keys
    assert (target.jumps, target.proxy_command) == ((), "")


def test_the_configuration_is_heard(config: paramiko.SSHConfig) -> None:
    target = target_of(config, "cluster")
    assert str(target) == "alice@login.site.org:2200"
    assert target.known_as == "[login.site.org]:2200"
    files = (Path("~/one").expanduser(), Path("~/two").expanduser(), Path("/etc/three"))
    assert target.known_hosts == files
    assert target.keys == (Path("~/.ssh/cluster").expanduser(),)
    assert target.only_these_keys
    assert target.jumps == ("gate", "bob@[::1]:99")


def test_what_is_given_beats_the_configuration(config: paramiko.SSHConfig) -> None:
    target = target_of(
        config,
        "cluster",
        username="carol",
        port=9,
        keys=["~/k"],
        host_keys="/known",
        proxy_jump="",
    )
    assert str(target) == "carol@login.site.org:9"
    assert target.keys == (Path("~/k").expanduser(),)
    assert target.known_hosts == (Path("/known"),)
    assert target.jumps == ()


def test_an_alias_is_the_name_of_the_hosts_key(config: paramiko.SSHConfig) -> None:
    assert target_of(config, "alias", port=2200).known_as == "known"


def test_a_command_may_be_the_way(config: paramiko.SSHConfig) -> None:
    assert target_of(config, "piped").proxy_command == "nc piped 22"
    assert target_of(config, "piped", proxy_jump="").proxy_command == ""
    assert target_of(config, "piped", proxy_jump="gate").proxy_command == ""
    straight = target_of(config, "straight")
    assert (straight.jumps, straight.proxy_command) == ((), "")


def test_hops_have_a_configuration_of_their_own_but_no_further_jumps(
    config: paramiko.SSHConfig,
) -> None:
    gate, last = hops_of(config, target_of(config, "cluster"), "/known")
    assert (gate.host, gate.port, gate.jumps) == ("gate.site.org", 22, ())
    assert gate.known_hosts == (Path("/known"),)
    assert (last.host, last.port, last.user) == ("::1", 99, "bob")


@pytest.mark.parametrize("jump", ["a b", "host:port", "@"])
def test_a_hop_that_is_none_is_refused(config: paramiko.SSHConfig, jump: str) -> None:
    with pytest.raises(ConfigError, match="a hop is"):
        hops_of(config, target_of(config, "h", proxy_jump=jump), None)


def test_a_port_that_is_none_is_refused(config: paramiko.SSHConfig) -> None:
    with pytest.raises(ConfigError, match="'odd'"):
        target_of(config, "odd")


def test_the_users_own_configuration_may_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert target_of(read_config(None), "h").host == "h"
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host h\n  HostName real\n")
    assert target_of(read_config(None), "h").host == "real"


def test_one_that_is_named_must_be_there_and_make_sense(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_config(tmp_path / "none")
    (tmp_path / "odd").write_text("Host 'never closed\n")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config(tmp_path / "odd")
