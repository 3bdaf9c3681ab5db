"""A small SSH server in this process: real connections, real commands, real files."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import paramiko

from lamina.channels_ssh import SSHChannel

PATIENCE = 20.0  # seconds


def until(what: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Wait for something, and return it."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"waited {seconds:g} s in vain"
        time.sleep(0.01)
    return found


class Door(paramiko.ServerInterface):
    """What one connection may do. What it is let in by, the server says."""

    def __init__(self, server: "Server") -> None:
        self.server = server
        self.transport: paramiko.Transport | None = None
        self.passed: list[str] = []
        self.listeners: dict[int, socket.socket] = {}

    # Being let in.

    def get_allowed_auths(self, username: str) -> str:
        return ",".join(self._wanted())

    def _wanted(self) -> list[str]:
        steps = self.server.steps
        return steps[len(self.passed) :][:1] if self.server.all_steps else steps

    def _pass(self, kind: str, right: bool) -> int:
        self.server.attempts.append(kind)
        if self.server.hangs_up_at == len(self.server.attempts):
            assert self.transport is not None
            self.transport.close()
        if not right or kind not in self._wanted():
            return paramiko.AUTH_FAILED
        self.passed.append(kind)
        if self.server.all_steps and len(self.passed) < len(self.server.steps):
            return paramiko.AUTH_PARTIALLY_SUCCESSFUL
        return paramiko.AUTH_SUCCESSFUL

    def check_auth_none(self, username: str) -> int:
        return paramiko.AUTH_SUCCESSFUL if not self.server.steps else paramiko.AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return self._pass("publickey", key.asbytes() in self.server.keys)

    def check_auth_password(self, username: str, password: str) -> int:
        return self._pass("password", password == self.server.password)

    def check_auth_interactive(self, username: str, submethods: str) -> Any:
        if "keyboard-interactive" not in self._wanted():
            return paramiko.AUTH_FAILED
        self.questions = list(self.server.questions)
        return self._next_question()

    def _next_question(self) -> Any:
        query = paramiko.InteractiveQuery("", self.server.instructions)
        query.add_prompt(self.questions[0][0], False)
        return query

    def check_auth_interactive_response(self, responses: list[str]) -> Any:
        _, answer = self.questions.pop(0)
        if responses != [answer]:
            return self._pass("keyboard-interactive", False)
        return self._next_question() if self.questions else self._pass("keyboard-interactive", True)

    # What may be done then.

    def check_channel_request(self, kind: str, chanid: int) -> int:
        if self.server.drops_sessions:
            assert self.transport is not None
            self.transport.close()
        if kind == "session" and self.server.sessions_left != 0:
            self.server.sessions_left -= 1
            return paramiko.OPEN_SUCCEEDED
        self.server.refusals += 1
        return paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        if self.server.refuses_commands:
            return False
        threading.Thread(target=self._serve, args=(channel, command), daemon=True).start()
        return True

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        self.server.jumps.append(destination)
        link = socket.create_connection(destination)
        threading.Thread(target=self._jump, args=(chanid, link), daemon=True).start()
        return paramiko.OPEN_SUCCEEDED

    def check_port_forward_request(self, address: str, port: int) -> int | bool:
        if not self.server.forwards or port in self.server.taken_ports:
            return False
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address or "0.0.0.0", port))
        except OSError:
            listener.close()
            return False
        listener.listen()
        number = listener.getsockname()[1]
        self.listeners[number] = listener
        self.server.listens(number)
        threading.Thread(target=self._listen, args=(listener, number), daemon=True).start()
        return int(number)

    def _serve(self, channel: paramiko.Channel, command: bytes) -> None:
        process = subprocess.Popen(
            ["/bin/sh", "-c", self.server.login_shell + command.decode()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            cwd=self.server.home,
            bufsize=0,
        )
        self.server.processes.append(process)
        with process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            threads = [
                threading.Thread(target=pump, args=arguments, daemon=True)
                for arguments in (
                    (process.stdout.read, channel.sendall),
                    (process.stderr.read, channel.sendall_stderr),
                )
            ]
            stdin = process.stdin

            def feed() -> None:
                pump(channel.recv, stdin.write)
                with suppress(OSError):
                    stdin.close()

            feeder = threading.Thread(target=feed, daemon=True)
            for thread in (*threads, feeder):
                thread.start()
            for thread in threads:
                thread.join()
            status = process.wait()
            # The request is answered when the thread that took it goes on, perhaps after all this.
            # Who has had the answer closes stdin; who has not must hear it before the end.
            feeder.join(1.0)
        with suppress(OSError, EOFError):
            if status >= 0:
                channel.send_exit_status(status)
            channel.close()

    def _jump(self, chanid: int, link: socket.socket) -> None:
        assert self.transport is not None
        channel = self.transport.accept(PATIENCE)
        with link, channel:
            back = threading.Thread(target=pump, args=(link.recv, channel.sendall), daemon=True)
            back.start()
            pump(channel.recv, link.sendall)
            link.shutdown(socket.SHUT_RDWR)
            back.join()

    def _listen(self, listener: socket.socket, port: int) -> None:
        assert self.transport is not None
        with suppress(OSError, EOFError, paramiko.SSHException):
            while True:
                link, origin = listener.accept()
                try:
                    channel = self.transport.open_forwarded_tcpip_channel(
                        origin[:2], ("127.0.0.1", port)
                    )
                except paramiko.ChannelException:  # who asked for it is not ready yet
                    link.close()
                    continue
                except BaseException:
                    link.close()
                    raise
                threading.Thread(target=both_ways, args=(link, channel), daemon=True).start()

    def end(self) -> None:
        for listener in self.listeners.values():
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        if self.transport is not None:
            self.transport.close()


def pump(receive: Callable[[int], Any], send: Callable[[bytes], object]) -> None:
    with suppress(OSError, EOFError, ValueError):
        while data := receive(2**15):
            send(data)


def both_ways(link: socket.socket, channel: paramiko.Channel) -> None:
    with suppress(OSError, EOFError), link, channel:

        def forth() -> None:
            pump(link.recv, channel.sendall)
            with suppress(OSError, EOFError):
                channel.shutdown_write()

        thread = threading.Thread(target=forth, daemon=True)
        thread.start()
        pump(channel.recv, link.sendall)
        with suppress(OSError):
            link.shutdown(socket.SHUT_RDWR)
        thread.join()


class Files(paramiko.SFTPServerInterface):
    """Files of this machine; what is not absolute is below the home directory."""

    def __init__(self, server: Door) -> None:
        super().__init__(server)
        self.door = server
        self.rules = server.server

    def _real(self, path: str) -> str:
        return str(self.rules.home / path)

    def canonicalize(self, path: str) -> str:
        return os.path.normpath(self._real(path))

    def stat(self, path: str) -> Any:
        return self._did(lambda: paramiko.SFTPAttributes.from_stat(os.stat(self._real(path))))

    lstat = stat

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> Any:
        real = self._real(path)

        def opened() -> paramiko.SFTPHandle:
            if self.rules.full and flags & os.O_ACCMODE:
                raise OSError(28, "No space left on device")
            descriptor = os.open(real, flags, 0o666)
            mode = "r+b" if flags & os.O_RDWR == os.O_RDWR else "wb"
            if not flags & os.O_ACCMODE:
                mode = "rb"
            handle = Handle(self.door, flags)
            file = os.fdopen(descriptor, mode)
            handle.readfile = handle.writefile = file
            handle.filename = real
            return handle

        return self._did(opened)

    def chattr(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        return int(self._did(lambda: paramiko.SFTPServer.set_file_attr(self._real(path), attr)))

    def mkdir(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        return int(self._did(lambda: os.mkdir(self._real(path), attr.st_mode or 0o777)))

    def remove(self, path: str) -> int:
        return int(self._did(lambda: os.remove(self._real(path))))

    def rename(self, oldpath: str, newpath: str) -> int:
        if os.path.exists(self._real(newpath)):
            return paramiko.SFTP_FAILURE
        return int(self._did(lambda: os.rename(self._real(oldpath), self._real(newpath))))

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        if not self.rules.replaces:
            return paramiko.SFTP_OP_UNSUPPORTED
        return int(self._did(lambda: os.replace(self._real(oldpath), self._real(newpath))))

    def _did(self, action: Callable[[], Any]) -> Any:
        try:
            done = action()
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        return paramiko.SFTP_OK if done is None else done


class Handle(paramiko.SFTPHandle):
    """An open file, of which reading or writing may cut the connection.

    What had come before the cut and was not yet written is lost with the connection, so that
    how much is there does not depend on how fast the threads are.
    """

    def __init__(self, door: Door, flags: int) -> None:
        super().__init__(flags)
        self.door = door

    def write(self, offset: int, data: bytes) -> int:
        if not self.door.server.moved(len(data), self.door):
            return paramiko.SFTP_CONNECTION_LOST
        return super().write(offset, data)

    def read(self, offset: int, length: int) -> Any:
        if not self.door.server.moved(length, self.door):
            return paramiko.SFTP_CONNECTION_LOST
        self.door.server.read_from = min(self.door.server.read_from, offset)
        return super().read(offset, length)

    def stat(self) -> Any:
        return paramiko.SFTPAttributes.from_stat(os.stat(self.filename))

    def chattr(self, attr: paramiko.SFTPAttributes) -> int:
        paramiko.SFTPServer.set_file_attr(self.filename, attr)
        return paramiko.SFTP_OK


class Server:
    """Listens on this host until ``close``. What it does can be changed at any time."""

    def __init__(self, folder: Path, name: str = "server") -> None:
        self.home = folder / f"{name}-home"
        self.home.mkdir()
        self.host_key = paramiko.ECDSAKey.generate()
        self.user_key = paramiko.ECDSAKey.generate()
        self.key_file = folder / f"{name}-key"
        self.user_key.write_private_key_file(str(self.key_file))
        self.keys = {self.user_key.asbytes()}
        self.password = "correct horse"
        self.steps = ["publickey"]
        self.all_steps = False
        self.questions = [("Password: ", "correct horse")]
        self.instructions = ""
        self.attempts: list[str] = []
        self.hangs_up_at = 0
        self.jumps: list[tuple[str, int]] = []
        self.sessions_left = -1
        self.refusals = 0
        self.drops_sessions = False
        self.refuses_commands = False
        self.login_shell = ""
        self.forwards = True
        self.taken_ports: set[int] = set()
        self.listens: Callable[[int], object] = lambda port: None
        self.replaces = True
        self.full = False
        self.sftp = True
        self.processes: list[subprocess.Popen[bytes]] = []
        self.logins = 0
        self._cuts: list[int] = []
        self.moved_since_cut = 0
        self.read_from = sys.maxsize
        """The first byte that was read since the cut."""
        self.when_cut: Callable[[], None] = lambda: None
        self._doors: list[Door] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.known_hosts = folder / f"{name}-known_hosts"
        self.know(self.host_key)
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def know(self, key: paramiko.PKey) -> None:
        line = f"[127.0.0.1]:{self.port} {key.get_name()} {key.get_base64()}\n"
        self.known_hosts.write_text(line)

    def channel(self, **options: Any) -> SSHChannel:
        """A channel to it, by key if nothing else is said."""
        usual: dict[str, Any] = {
            "username": "somebody",
            "port": self.port,
            "key_filename": str(self.key_file),
            "host_keys_filename": str(self.known_hosts),
            "allow_agent": False,
            "config_file": os.devnull,
            "connect_timeout": 10,
        }
        return SSHChannel("127.0.0.1", **{**usual, **options})

    def cut_after(self, *counts: int) -> None:
        """Cut all connections as soon as so many bytes of files have moved, each count once."""
        self._cuts, self.moved_since_cut = list(counts), 0

    def moved(self, count: int, door: Door) -> bool:
        """Count what moves through a door, and say whether it still leads anywhere."""
        if door not in self._doors:
            return False
        self.moved_since_cut += count
        if self._cuts and self.moved_since_cut >= self._cuts[0]:
            self._cuts.pop(0)
            self.moved_since_cut, self.read_from = 0, sys.maxsize
            self.when_cut()
            self.cut()
        return True

    def cut(self) -> None:
        """Cut all connections. What runs goes on running."""
        doors, self._doors = self._doors, []
        for door in doors:
            door.end()

    def refuse(self) -> None:
        """Let nobody in any more; who is in may stay."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def stop(self) -> None:
        """Let nobody in any more, and end what there is."""
        self.refuse()
        self._accepting.join()
        self.cut()

    def resume(self) -> None:
        """Listen again, at the same port."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        self.stop()
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        shutil.rmtree(self.home, ignore_errors=True)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                link, _ = self._listener.accept()
                threading.Thread(target=self._welcome, args=(link,), daemon=True).start()

    def _welcome(self, link: socket.socket) -> None:
        door = Door(self)
        with suppress(OSError, EOFError, paramiko.SSHException):
            transport = door.transport = paramiko.Transport(link)
            transport.add_server_key(self.host_key)
            if self.sftp:
                transport.set_subsystem_handler("sftp", paramiko.SFTPServer, Files)
            # Before it is let in: who is in may at once move enough to be cut.
            self._doors.append(door)
            self.logins += 1
            transport.start_server(server=door)
