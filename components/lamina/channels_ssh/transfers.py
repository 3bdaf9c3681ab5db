"""Files, by SFTP: under their names only when whole, and continued where a connection broke."""

import os
import posixpath
import secrets
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import paramiko

from lamina.channels import ChannelError
from lamina.channels_ssh.connection import Connection
from lamina.channels_ssh.errors import ConnectionFailed

__all__ = ["absolute", "facts", "get", "make_directory", "put"]

BLOCK = 2**15  # bytes; what every server takes in one request
AT_ONCE = 128  # requests whose answers are awaited together
SILENCE = 60.0  # seconds without an answer after which a connection is given up
PAUSES = (0.2, 1.0, 5.0)  # seconds before a transfer is tried again without having got further


class _Lost(Exception):
    """The connection broke on the way."""


@contextmanager
def _sftp(connection: Connection) -> Iterator[paramiko.SFTPClient]:
    with connection.session(SILENCE) as session:
        session.settimeout(SILENCE)
        try:
            session.invoke_subsystem("sftp")
            client = paramiko.SFTPClient(session)
            yield client
        except (paramiko.SSHException, EOFError, OSError) as error:
            # Of an OSError only the state of the session tells whose it is.
            transport = session.get_transport()
            silent = isinstance(error, TimeoutError)
            broken = isinstance(error, paramiko.SSHException | EOFError) or session.closed
            if silent or broken or not transport.is_active():
                if silent or not transport.is_active():
                    connection.give_up(transport)
                raise _Lost(str(error) or type(error).__name__) from error
            raise


class _Progress:
    """How far a transfer has got, over all connections that it took."""

    def __init__(self) -> None:
        self.done = 0


def _until_done(what: str, once: Callable[[_Progress], None]) -> None:
    """Do a transfer, again and again as long as it gets further.

    Raises:
        ChannelError: It cannot be done.
    """
    progress, failures = _Progress(), 0
    while True:
        before = progress.done
        try:
            once(progress)
        except (_Lost, ConnectionFailed) as error:
            failures = failures + 1 if progress.done <= before else 0
            if failures > len(PAUSES):
                raise ConnectionFailed(what, str(error)) from error
            time.sleep(PAUSES[max(0, failures - 1)])
        except OSError as error:
            raise ChannelError(what, str(error)) from error
        else:
            return


def put(connection: Connection, local: Path, remote: str) -> None:
    """Copy a file there.

    Raises:
        ChannelError: It cannot be written, or the host cannot be reached.
    """
    what = f"copying {local} to {remote}"
    folder, name = posixpath.split(_path(remote))
    part = posixpath.join(folder, f".{name}.{secrets.token_hex(6)}")
    try:
        source = local.open("rb")
    except OSError as error:
        raise ChannelError(what, str(error)) from error
    with source:
        facts = os.fstat(source.fileno())

        def once(progress: _Progress) -> None:
            with _sftp(connection) as client:
                _send(client, source, part, progress)
                if (size := client.stat(part).st_size) != source.tell():
                    raise OSError(f"{size} bytes have arrived of {source.tell()}")
                client.chmod(part, stat.S_IMODE(facts.st_mode))
                _rename(client, part, posixpath.join(folder, name))

        try:
            _until_done(what, once)
        except ChannelError as error:
            if not isinstance(error, ConnectionFailed):
                _remove(connection, part)
            raise


def _send(client: paramiko.SFTPClient, source: BinaryIO, part: str, progress: _Progress) -> None:
    """Send what is still missing of a file."""
    try:
        there = client.stat(part).st_size or 0
    except FileNotFoundError:
        with client.open(part, "wx") as created:
            created.chmod(0o600)  # it may be a secret, and has its own mode only when whole
        there = 0
    progress.done = max(progress.done, there)
    source.seek(there)
    with client.open(part, "r+b") as target:
        target.set_pipelined(True)
        target.seek(there)
        while block := source.read(BLOCK):
            target.write(block)


def _rename(client: paramiko.SFTPClient, part: str, name: str) -> None:
    try:
        client.posix_rename(part, name)
    except OSError as error:
        if error.errno is not None:
            raise
        # A server without that extension refuses to replace a file, so it is not done at once.
        try:
            client.remove(name)
        except FileNotFoundError:
            pass
        client.rename(part, name)


def _remove(connection: Connection, part: str) -> None:
    try:
        with _sftp(connection) as client:
            client.remove(part)
    except (_Lost, ChannelError, OSError):
        pass  # it was not there, or cannot be removed: what is raised already says why


def get(connection: Connection, remote: str, local: Path) -> None:
    """Copy a file here.

    Raises:
        ChannelError: It cannot be read, or the host cannot be reached.
    """
    what = f"copying {remote} to {local}"
    path = _path(remote)
    try:
        handle, part = tempfile.mkstemp(prefix=f".{local.name}.", dir=local.parent)
    except OSError as error:
        raise ChannelError(what, str(error)) from error
    first: list[tuple[int | None, int | None]] = []
    try:
        with os.fdopen(handle, "wb") as target:

            def once(progress: _Progress) -> None:
                with _sftp(connection) as client:
                    found = client.stat(path)
                    if first and first[0] != (found.st_size, found.st_mtime):
                        target.seek(0)  # another file by now
                        target.truncate()
                        progress.done = 0
                    first[:] = [(found.st_size, found.st_mtime)]
                    _receive(client, path, found.st_size or 0, target, progress)
                    os.chmod(target.fileno(), stat.S_IMODE(found.st_mode or 0o600))

            _until_done(what, once)
        os.replace(part, local)
    except BaseException as error:
        Path(part).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise ChannelError(what, str(error)) from error
        raise


def _receive(
    client: paramiko.SFTPClient, path: str, size: int, target: BinaryIO, progress: _Progress
) -> None:
    """Read what is still missing of a file."""
    with client.open(path, "rb") as source:
        _quieten(source)
        # Piece by piece: were all of it asked for at once, paramiko would keep all of it.
        while (start := target.tell()) < size:
            end = min(size, start + AT_ONCE * BLOCK)
            wanted = [(at, min(BLOCK, end - at)) for at in range(start, end, BLOCK)]
            for block in source.readv(wanted):
                target.write(block)
                progress.done = max(progress.done, target.tell())
            if target.tell() != end:
                break
    if target.tell() < size:
        raise OSError(f"{target.tell()} bytes have arrived of {size}")


def _quieten(source: paramiko.SFTPFile) -> None:
    """Have the thread that asks for blocks end quietly when the connection breaks.

    Whoever reads the blocks is told; without this, that thread would also print a traceback.
    """
    ask: Callable[..., None] = getattr(source, "_prefetch_thread")  # noqa: B009

    def quietly(*arguments: object) -> None:
        with suppress(paramiko.SSHException, EOFError, OSError):
            ask(*arguments)

    setattr(source, "_prefetch_thread", quietly)  # noqa: B010


def make_directory(connection: Connection, remote: str) -> None:
    """Make a directory with its parents, each for the user alone; it may exist already.

    Raises:
        ChannelError: It cannot be made.
    """

    def once(progress: _Progress) -> None:
        path = _path(remote)
        with _sftp(connection) as client:
            missing = []
            while path and not _is_directory(client, path):
                missing.append(path)
                path = posixpath.dirname(path.rstrip("/"))
            for one in reversed(missing):
                _make_one(client, one)

    _until_done(f"making the directory {remote}", once)


def _make_one(client: paramiko.SFTPClient, path: str) -> None:
    try:
        client.mkdir(path, 0o700)
    except OSError:
        if not _is_directory(client, path):  # another thread may have made it
            raise


def _is_directory(client: paramiko.SFTPClient, path: str) -> bool:
    try:
        return stat.S_ISDIR(client.stat(path).st_mode or 0)
    except FileNotFoundError:
        return False


def absolute(connection: Connection, remote: str) -> str:
    """The whole path of something there.

    Raises:
        ChannelError: The host cannot be reached, or says no.
    """
    found: list[str] = []

    def once(progress: _Progress) -> None:
        with _sftp(connection) as client:
            found.append(client.normalize(_path(remote)))

    _until_done(f"looking for {remote}", once)
    return found[0]


def facts(connection: Connection, remote: str) -> tuple[int, int]:
    """The size of a file there in bytes, and when it was changed, in seconds since the epoch.

    Raises:
        ChannelError: It is not there, or the host cannot be reached.
    """
    found: list[tuple[int, int]] = []

    def once(progress: _Progress) -> None:
        with _sftp(connection) as client:
            status = client.stat(_path(remote))
            found.append((status.st_size or 0, int(status.st_mtime or 0)))

    _until_done(f"looking at {remote}", once)
    return found[0]


def _path(remote: str) -> str:
    """A path in the words of SFTP, where what is not absolute is below the home directory."""
    if remote in ("", "~"):
        return "."
    return remote.removeprefix("~/")
