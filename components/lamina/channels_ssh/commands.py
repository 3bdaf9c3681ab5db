"""Running a command on the other side, to its end or to the end of its time."""

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import paramiko

from lamina.channels import ChannelError, CommandLost, CommandTimeout, Completed
from lamina.channels_ssh.connection import Connection, hang_up
from lamina.channels_ssh.wrapping import after_mark, ending_of, group_of, killing, wrapped

__all__ = ["run"]

READ_SIZE = 2**16  # bytes
KILLING = 10.0  # seconds that the end of a command may take
KILLED = -9  # where a process was ended from outside, and the host does not say how


def run(
    connection: Connection,
    command: Sequence[str],
    *,
    stdin: str,
    env: Mapping[str, str],
    timeout: float,
) -> Completed:
    """Run a command. ``timeout``, in seconds, counts from when there is a connection.

    That has time-outs of its own, and may have to wait for somebody who answers questions; a
    command that began with what is left of its time would be killed half-way.

    Raises:
        CommandTimeout: It took longer; its process group was killed.
        CommandLost: The connection broke while it ran.
        ChannelError: It could not be run at all.
    """
    what = " ".join(command)
    if not command or not all(command[:1]) or "\0" in what:
        raise ChannelError(what or "an empty command", "there is no such program")
    mark = f"lamina-{secrets.token_hex(8)}"
    with connection.session(timeout) as session:
        until = time.monotonic() + timeout
        try:
            session.exec_command(wrapped(command, env, mark))
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise ChannelError(what, f"the host did not take it: {error}") from error
        talk = _Talk(session, stdin, mark)
        try:
            ended = talk.ended(until)
        except BaseException:  # an interrupt must leave nothing running
            _end(connection, talk)
            raise
        if not ended:
            _end(connection, talk)
            raise CommandTimeout(what, timeout)
        return talk.completed(what)


class _Talk:
    """What goes to and fro while a command runs: three threads, for nothing may wait for else."""

    def __init__(self, session: paramiko.Channel, stdin: str, mark: str) -> None:
        self._session, self._mark = session, mark
        self._out, self._err = bytearray(), bytearray()
        self._began = threading.Event()
        self._readers = [
            threading.Thread(target=self._read, args=arguments, daemon=True)
            for arguments in ((session.recv, self._out), (session.recv_stderr, self._err))
        ]
        writer = threading.Thread(target=self._write, args=(stdin.encode(),), daemon=True)
        for thread in (*self._readers, writer):
            thread.start()

    def ended(self, until: float) -> bool:
        """Whether all has been said before a moment."""
        for thread in self._readers:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._readers)

    def group(self, timeout: float) -> int | None:
        """The process group, as soon as the command has begun; None if that takes too long."""
        self._began.wait(timeout)
        return group_of(bytes(self._err), self._mark)

    def completed(self, what: str) -> Completed:
        """What came of it.

        Raises:
            CommandLost: The connection broke first.
        """
        out, err = bytes(self._out), bytes(self._err)
        ended = ending_of(err, self._mark)
        if ended is not None:
            status, said = ended
            return Completed(status, _text(after_mark(out, self._mark)), _text(said))
        # It never began, or its shell was ended with it.
        self._session.status_event.wait(KILLING)
        status = self._session.exit_status
        transport = self._session.get_transport()
        if status == -1 and not transport.is_active():
            raise CommandLost(what)
        if group_of(err, self._mark) is None:
            why = _text(err).strip() or _text(out).strip() or "it said nothing"
            raise ChannelError(what, f"the login shell ended with status {status}: {why}")
        err = err.partition(b"\n")[2]
        return Completed(
            KILLED if status == -1 else status, _text(after_mark(out, self._mark)), _text(err)
        )

    def _read(self, receive: Callable[[int], bytes], into: bytearray) -> None:
        try:
            while data := receive(READ_SIZE):
                into += data
                if into is self._err and not self._began.is_set():
                    if group_of(bytes(into), self._mark) is not None:
                        self._began.set()
        except (paramiko.SSHException, EOFError, OSError):
            pass  # the end as well
        finally:
            if into is self._err:
                self._began.set()

    def _write(self, data: bytes) -> None:
        try:
            self._session.sendall(data)
            self._session.shutdown_write()
        except (paramiko.SSHException, EOFError, OSError):
            pass  # it reads no more, which is its own affair


def _end(connection: Connection, talk: _Talk) -> None:
    """Kill what has had its time. Where that cannot be done, the connection may be no good."""
    group = talk.group(KILLING)
    if group is None:
        return  # it has not begun, and will find its session closed
    try:
        session = connection.open_session(KILLING)
    except ChannelError:
        return
    try:
        session.settimeout(KILLING)
        session.exec_command(killing(group))
        if not session.status_event.wait(KILLING):
            connection.give_up(session.get_transport())
    except (paramiko.SSHException, EOFError, OSError):
        connection.give_up(session.get_transport())
    finally:
        hang_up(session)


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")
