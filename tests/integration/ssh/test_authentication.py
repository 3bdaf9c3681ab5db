"""Each way of being let in, and the ways of not being let in, by OpenSSH itself."""

import subprocess
from pathlib import Path

import pytest

from lamina.channels_ssh import (
    AuthenticationFailed,
    HostKeyRefused,
    SSHChannel,
    UnknownHostKey,
)
from lamina.conformance import CHANNEL
from tests.integration.batch import environment
from tests.integration.ssh.hosts import PATIENCE, Hosts, once
from tests.kits import as_tests

pytestmark = pytest.mark.service


def user_and_host(channel: SSHChannel) -> str:
    asked = ["sh", "-c", "echo $(id -un)@$(hostname)"]
    return channel.run(asked, timeout=PATIENCE).stdout.strip()


def test_a_key_lets_in(hosts: Hosts) -> None:
    assert user_and_host(hosts.channel("key")) == "root@ssh-key"


def test_a_locked_key_lets_in_with_its_passphrase(hosts: Hosts) -> None:
    channel = hosts.channel(
        "key", key_filename=f"{hosts.folder}/id_locked", passphrase="locked away"
    )
    assert user_and_host(channel) == "root@ssh-key"


def test_a_password_lets_in(hosts: Hosts) -> None:
    channel = hosts.channel("pw", password=hosts.password)
    assert user_and_host(channel) == f"{hosts.user}@ssh-pw"


def test_a_password_and_a_one_time_password_let_in(hosts: Hosts) -> None:
    questions: list[str] = []

    def prompt(question: str) -> str:
        questions.append(question)
        return once()

    channel = hosts.channel("otp", password=hosts.password, prompt=prompt)
    assert user_and_host(channel) == f"{hosts.user}@ssh-otp"
    assert len(questions) == 1
    assert "One-time password" in questions[0]


def test_a_key_and_then_a_one_time_password_let_in(hosts: Hosts) -> None:
    channel = hosts.channel("both", prompt=lambda question: once())
    assert user_and_host(channel) == f"{hosts.user}@ssh-both"


def test_a_host_on_the_way_is_passed_through(hosts: Hosts) -> None:
    assert user_and_host(hosts.channel("far")) == "root@ssh-wide"


def test_a_key_of_an_agent_lets_in(
    hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = tmp_path / "agent"
    with subprocess.Popen(
        ["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL
    ) as agent:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        command = ["ssh-add", "-q", f"{hosts.folder}/id"]
        while subprocess.run(command, capture_output=True, check=False).returncode:
            assert agent.poll() is None
        known = Path(hosts.config).read_text().replace(f"{hosts.folder}/id\n", "/no/such/key\n")
        config = tmp_path / "config"
        config.write_text(known.replace("IdentitiesOnly yes", "IdentitiesOnly no"))
        assert user_and_host(hosts.channel("key", config_file=str(config))) == "root@ssh-key"
        agent.terminate()


def test_a_wrong_password_lets_nobody_in(hosts: Hosts) -> None:
    with pytest.raises(AuthenticationFailed, match=f"let nobody in as {hosts.user}"):
        user_and_host(hosts.channel("pw", password="wrong"))


def test_a_one_time_password_is_good_once(hosts: Hosts) -> None:
    code = once()
    channel = hosts.channel("both", prompt=lambda question: code)
    assert user_and_host(channel) == f"{hosts.user}@ssh-both"
    channel.close()
    with pytest.raises(AuthenticationFailed):
        user_and_host(channel)


def test_without_what_it_asks_for_nobody_is_let_in(hosts: Hosts) -> None:
    with pytest.raises(AuthenticationFailed, match="neither password nor prompt"):
        user_and_host(hosts.channel("otp"))
    with pytest.raises(AuthenticationFailed, match="no prompt to answer it"):
        user_and_host(hosts.channel("otp", password=hosts.password))


def test_an_unknown_host_is_told_with_the_fingerprint_that_ssh_keygen_prints(
    hosts: Hosts, tmp_path: Path
) -> None:
    known = tmp_path / "known_hosts"
    with pytest.raises(UnknownHostKey) as caught:
        user_and_host(hosts.channel("key", host_keys_filename=str(known)))
    command = ["ssh-keygen", "-l", "-f", f"{hosts.folder}/host_key.pub"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert caught.value.fingerprint == said.split()[1]
    known.write_text(caught.value.line + "\n")
    assert user_and_host(hosts.channel("key", host_keys_filename=str(known))) == "root@ssh-key"


def test_a_host_with_a_wrong_key_is_refused(hosts: Hosts, tmp_path: Path) -> None:
    other = Path(f"{hosts.folder}/id.pub").read_text().split()
    known = tmp_path / "known_hosts"
    known.write_text(f"testbed {other[0]} {other[1]}\n")
    with pytest.raises(HostKeyRefused, match="somebody is in between") as caught:
        user_and_host(hosts.channel("key", host_keys_filename=str(known)))
    assert not isinstance(caught.value, UnknownHostKey)


def key_channel() -> SSHChannel:
    return SSHChannel("key", config_file=environment("sshd.sh")["TESTBED_SSH_CONFIG"])


TestConformance = as_tests(CHANNEL, key_channel)
