import os
import socket
import threading
import time
from pathlib import Path

import paramiko
import pytest

from lamina.channels import ChannelError
from lamina.channels_ssh import (
    AuthenticationFailed,
    ConnectionFailed,
    HostKeyRefused,
    SSHChannel,
    UnknownHostKey,
)
from tests.components.lamina.channels_ssh.server import PATIENCE, Server, until


def test_constructing_a_channel_contacts_nobody(server: Server) -> None:
    server.stop()
    assert server.channel() == server.channel()


def test_an_unknown_host_is_an_error_that_says_how_to_accept_it(server: Server) -> None:
    server.known_hosts.write_text("")
    with pytest.raises(UnknownHostKey) as caught:
        server.channel().run(["true"], timeout=PATIENCE)
    assert server.attempts == []
    assert caught.value.fingerprint == server.host_key.fingerprint
    server.known_hosts.write_text(caught.value.line + "\n")
    assert server.channel().run(["true"], timeout=PATIENCE).status == 0


def test_without_any_file_of_known_hosts_a_host_is_unknown(server: Server) -> None:
    with pytest.raises(UnknownHostKey):
        server.channel(host_keys_filename="/no/such/file").run(["true"], timeout=PATIENCE)


def test_a_host_with_another_key_than_the_known_one_is_refused(server: Server) -> None:
    server.know(paramiko.ECDSAKey.generate())
    with pytest.raises(HostKeyRefused, match="ssh-keygen -R") as caught:
        server.channel().run(["true"], timeout=PATIENCE)
    assert not isinstance(caught.value, UnknownHostKey)
    assert server.attempts == []


def test_a_host_with_a_revoked_key_is_refused(server: Server) -> None:
    line = server.known_hosts.read_text()
    server.known_hosts.write_text(f"{line}@revoked {line}")
    with pytest.raises(HostKeyRefused, match="revoked"):
        server.channel().run(["true"], timeout=PATIENCE)


def test_a_host_that_does_not_listen_is_a_connection_that_failed(server: Server) -> None:
    server.stop()
    with pytest.raises(ConnectionFailed, match="refused"):
        server.channel().run(["true"], timeout=PATIENCE)


def test_a_name_that_no_host_can_have_is_a_connection_that_failed() -> None:
    for name in ("a..b", "a" * 64):
        with pytest.raises(ConnectionFailed, match=name):
            SSHChannel(name, config_file=os.devnull).run(["true"], timeout=PATIENCE)


def test_one_that_listens_and_says_nothing_is_given_up(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        channel = server.channel(port=mute.getsockname()[1], connect_timeout=0.3)
        with pytest.raises(ConnectionFailed):
            channel.run(["true"], timeout=PATIENCE)


def test_a_broken_connection_is_made_again_by_the_next_use(server: Server) -> None:
    channel = server.channel()
    channel.run(["true"], timeout=PATIENCE)
    server.cut()
    assert channel.run(["echo", "on"], timeout=PATIENCE).stdout == "on\n"
    assert server.logins == 2


def test_a_refused_login_is_not_tried_again_at_once(server: Server) -> None:
    server.steps = ["password"]
    channel = server.channel(password="wrong")
    for _ in range(3):
        with pytest.raises(AuthenticationFailed):
            channel.run(["true"], timeout=PATIENCE)
    assert server.attempts == ["password"]


def test_hosts_on_the_way_are_passed_through(server: Server, tmp_path: Path) -> None:
    gate = Server(tmp_path, "gate")
    try:
        gate.keys |= server.keys
        known = server.known_hosts.read_text() + gate.known_hosts.read_text()
        server.known_hosts.write_text(known)
        channel = server.channel(
            key_filename=[str(gate.key_file), str(server.key_file)],
            proxy_jump=f"somebody@127.0.0.1:{gate.port}",
            config_file=str(_config(tmp_path, gate, server)),
        )
        assert channel.run(["echo", "far"], timeout=PATIENCE).stdout == "far\n"
        assert gate.jumps == [("127.0.0.1", server.port)]
        gate.cut()
        assert channel.run(["echo", "again"], timeout=PATIENCE).stdout == "again\n"
    finally:
        gate.close()


def _config(folder: Path, *servers: Server) -> Path:
    file = folder / "config"
    keys = "".join(f"  IdentityFile {server.key_file}\n" for server in servers)
    file.write_text(f"Host *\n{keys}  IdentitiesOnly yes\n")
    return file


def test_a_command_may_be_the_way(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "config"
    program = f"exec 3<>/dev/tcp/127.0.0.1/{server.port}; cat <&3 & exec cat >&3"
    file.write_text(f"Host *\n  ProxyCommand bash -c '{program}'\n")
    channel = server.channel(config_file=str(file), port=1, host_keys_filename=None)
    with pytest.raises(UnknownHostKey) as caught:
        channel.run(["true"], timeout=PATIENCE)
    assert caught.value.host == "[127.0.0.1]:1"
    (tmp_path / "known").write_text(caught.value.line)
    known = server.channel(
        config_file=str(file), port=1, host_keys_filename=str(tmp_path / "known")
    )
    assert known.run(["echo", "there"], timeout=PATIENCE).stdout == "there\n"
    known.close()


def test_a_command_on_the_way_is_told_the_port_and_the_user_of_the_channel(
    server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "config"
    program = "exec 3<>/dev/tcp/%h/%p; echo %r > $0; cat <&3 & exec cat >&3"
    file.write_text(f"Port 1\nUser other\nProxyCommand bash -c '{program}' {tmp_path}/user\n")
    channel = server.channel(config_file=str(file))
    assert channel.run(["echo", "there"], timeout=PATIENCE).stdout == "there\n"
    assert (tmp_path / "user").read_text() == "somebody\n"
    channel.close()


def test_a_command_that_leads_nowhere_is_a_connection_that_failed(
    server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "config"
    file.write_text("Host *\n  ProxyCommand false\n")
    with pytest.raises(ConnectionFailed):
        server.channel(config_file=str(file), connect_timeout=3).run(["true"], timeout=PATIENCE)


def test_a_host_that_gives_no_sign_of_life_is_given_up(server: Server) -> None:
    gate = Gate(server.port)
    server.known_hosts.write_text(
        server.known_hosts.read_text().replace(str(server.port), str(gate.port))
    )
    channel = server.channel(port=gate.port, keep_alive=0.2, connect_timeout=0.5)
    assert channel.run(["true"], timeout=PATIENCE).status == 0
    gate.hold()
    began = time.monotonic()
    with pytest.raises(ChannelError):
        channel.run(["true"], timeout=PATIENCE)
    assert time.monotonic() - began < 10
    gate.close()


def test_a_host_that_gives_signs_of_life_is_kept(server: Server) -> None:
    channel = server.channel(keep_alive=0.3)
    began = time.monotonic()
    while time.monotonic() - began < 1.5:
        channel.run(["true"], timeout=PATIENCE)
    assert server.logins == 1


def test_where_there_is_no_room_for_a_session_its_time_is_over(server: Server) -> None:
    channel = server.channel()
    threads = [
        threading.Thread(target=channel.run, args=(["sleep", "2"],), kwargs={"timeout": PATIENCE})
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    until(lambda: len(server.processes) == 8)
    with pytest.raises(ConnectionFailed, match="under way"):
        channel.run(["true"], timeout=0.1)
    for thread in threads:
        thread.join(PATIENCE)


def test_a_session_that_is_refused_leaves_the_connection_alone(server: Server) -> None:
    server.sessions_left = 0
    channel = server.channel()
    with pytest.raises(ConnectionFailed, match="opening a session"):
        channel.run(["true"], timeout=PATIENCE)
    server.sessions_left = -1
    assert channel.run(["true"], timeout=PATIENCE).status == 0
    assert server.logins == 1


def test_sessions_that_are_refused_for_a_moment_cost_nothing(server: Server) -> None:
    """As by OpenSSH's server, which counts one that was closed until its process has ended."""
    channel = server.channel()
    statuses: list[int] = []

    def run(*command: str) -> threading.Thread:
        def once() -> None:
            statuses.append(channel.run(command, timeout=PATIENCE).status)

        thread = threading.Thread(target=once)
        thread.start()
        return thread

    threads = [run("sh", "-c", "until [ -e go ]; do sleep 0.01; done")]
    until(lambda: server.processes)
    server.sessions_left = 0
    threads += [run("true") for _ in range(7)]
    until(lambda: server.refusals > 20)
    server.sessions_left = -1
    (server.home / "go").touch()
    for thread in threads:
        thread.join(PATIENCE)
    assert statuses == [0] * 8
    assert server.logins == 1


def test_a_host_that_hangs_up_on_each_session_is_not_logged_in_to_again_and_again(
    server: Server,
) -> None:
    server.drops_sessions = True
    channel = server.channel()
    with pytest.raises(ConnectionFailed, match="opening a session"):
        channel.run(["true"], timeout=PATIENCE)
    assert server.logins == 2
    server.drops_sessions = False
    assert channel.run(["true"], timeout=PATIENCE).status == 0


def test_a_command_has_its_whole_time_however_long_the_login_took(server: Server) -> None:
    server.steps = ["keyboard-interactive"]
    began = time.monotonic()

    def prompt(question: str) -> str:
        until(lambda: time.monotonic() - began > 1.5)  # somebody looks for the phone
        return "correct horse"

    assert server.channel(prompt=prompt).run(["true"], timeout=1.0).status == 0


class Gate:
    """Hands on everything to a port, until it holds it back."""

    def __init__(self, target: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._links: list[socket.socket] = []
        self._open = threading.Event()
        self._open.set()
        threading.Thread(target=self._accept, args=(target,), daemon=True).start()

    def hold(self) -> None:
        self._open.clear()

    def close(self) -> None:
        self._listener.close()
        self._open.set()
        for link in self._links:
            link.close()

    def _accept(self, target: int) -> None:
        near, _ = self._listener.accept()
        far = socket.create_connection(("127.0.0.1", target))
        self._links += [near, far]
        for one, other in ((near, far), (far, near)):
            threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(2**16):
                self._open.wait()
                sink.sendall(data)
        except OSError:
            pass
