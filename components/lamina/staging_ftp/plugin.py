"""``ftp:`` and ``ftps:``, with the standard library, continued where a connection broke."""

import ftplib
import netrc
import os
import secrets
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TypeVar
from urllib.parse import unquote, urlsplit

import attrs

from lamina.staging import (
    PAUSES,
    Direction,
    Mode,
    Place,
    a_mode,
    a_time,
    compare,
    mode_named,
    persist,
    some_pauses,
)
from lamina.vocabulary import File, StagingFailed

__all__ = ["FTPStaging"]

T = TypeVar("T")

_SCHEMES = frozenset({"ftp", "ftps"})
_BLOCK = 2**18  # bytes
_UNKNOWN = (500, 501, 502, 504)  # a command that the server does not know


@attrs.frozen(kw_only=True)
class FTPStaging:
    """``ftp:`` and ``ftps:`` (FTP over TLS, by AUTH TLS): RETR and STOR, in passive mode.

    Who logs in is said by the URL, else by ``netrc`` of the host where the transfer runs, else
    it is ``anonymous``. What breaks off is continued where the server tells, by MDTM and SIZE, that
    it still has the same file; elsewhere it is begun anew.

    Args:
        mode: ``"separate"``, by a task of its own, or ``"in-task"``.
        timeout: Seconds of silence.
        pauses: Seconds before each further attempt; there are no more than these.
        verify: Whether certificates are verified; a path to those of your own authority.
    """

    how: str = attrs.field(default="separate", alias="mode", validator=a_mode)
    timeout: float = attrs.field(default=60.0, validator=a_time(0.001))
    pauses: tuple[float, ...] = attrs.field(default=PAUSES, converter=some_pauses)
    verify: bool | str = True

    @property
    def name(self) -> str:
        """What messages call it."""
        return "ftp"

    @property
    def schemes(self) -> frozenset[str]:
        """``ftp`` and ``ftps``."""
        return _SCHEMES

    @property
    def mode(self) -> Mode:
        """As ``mode`` says."""
        return mode_named(self.how)

    @property
    def place(self) -> Place:
        """Where tasks run."""
        return Place.NODES

    def serves(self, file: File, direction: Direction) -> bool:
        """Every file, both ways. No directories."""
        return not file.is_directory

    def version(self, file: File) -> str | None:
        """The time when it was changed, and its size; None if the server does not tell."""

        def ask(_: int) -> str | None:
            with self._connection(file) as server:
                changed, size = _changed(server, file), _size(server, file)
            return None if None in (changed, size) else f"{changed} {size}"

        return persist(ask, self.pauses)

    def fetch(self, file: File, target: Path) -> None:
        """Bring it.

        Raises:
            StagingFailed: The server refused it, or it could not be read to its end.
        """
        begun: list[tuple[str | None, int | None]] = []  # of what there is a beginning

        def once(_: int) -> None:
            with self._connection(file) as server:
                now = _changed(server, file), _size(server, file)
                # Where it may be another file by now, what has come is of no use.
                there = target.stat().st_size if [now] == begun and None not in now else 0
                begun[:] = [now]
                with target.open("ab" if there else "wb") as out:
                    if there != now[1] or not there:
                        rest = there or None
                        server.retrbinary(f"RETR {_path(file)}", out.write, _BLOCK, rest=rest)
                    compare(file, out.tell(), now[1], "have come")

        persist(once, self.pauses)

    def store(self, source: Path, file: File) -> None:
        """Send it under another name, and rename it once its size is right.

        Raises:
            StagingFailed: The server refused it, or has another size in the end.
        """
        path = PurePosixPath(_path(file))
        part = str(path.with_name(f".{path.name}.{secrets.token_hex(6)}"))

        def once(_: int) -> None:
            with self._connection(file) as server, source.open("rb") as content:
                server.storbinary(f"STOR {part}", content, _BLOCK)
                size = os.fstat(content.fileno()).st_size
                try:
                    compare(file, _size(server, file, part), size, "have arrived")
                    _rename(server, part, str(path))
                except BaseException:
                    server.delete(part)
                    raise

        if not source.is_file():
            raise StagingFailed(f"{source} is no file", url=file.url, again=False)
        persist(once, self.pauses)

    @contextmanager
    def _connection(self, file: File) -> Iterator[ftplib.FTP]:
        parts = urlsplit(file.url)
        server = self._made(file)
        try:
            with server:
                server.connect(parts.hostname or "", parts.port or 0, self.timeout)
                server.login(*_login(file))
                if isinstance(server, ftplib.FTP_TLS):
                    server.prot_p()
                server.voidcmd("TYPE I")  # sizes are those of what is moved
                yield server
        except ftplib.Error as error:
            status = _status(error)
            refused = isinstance(error, ftplib.error_perm)
            said = f"the server answered {error}"
            raise StagingFailed(said, url=file.url, status=status, again=not refused) from error
        except ssl.SSLCertVerificationError as error:
            raise StagingFailed(str(error), url=file.url, again=False) from error
        except (OSError, EOFError, ValueError) as error:
            reason = f"{type(error).__name__}: {error}"  # a ValueError is that of a name
            again = not isinstance(error, ValueError)
            raise StagingFailed(reason, url=file.url, again=again) from error

    def _made(self, file: File) -> ftplib.FTP:
        if file.scheme == "ftp":
            return ftplib.FTP(encoding="utf-8")
        ca = self.verify if isinstance(self.verify, str) else None
        context = ssl.create_default_context(cafile=ca)
        if self.verify is False:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return ftplib.FTP_TLS(context=context, encoding="utf-8")


def _login(file: File) -> tuple[str, str]:
    parts = urlsplit(file.url)
    if parts.username is not None:
        return unquote(parts.username), unquote(parts.password or "")
    try:
        known = netrc.netrc(os.environ.get("NETRC")).authenticators(parts.hostname or "")
    except (OSError, netrc.NetrcParseError):
        known = None
    return ("anonymous", "anonymous@") if known is None else (known[0], known[2] or "")


def _path(file: File) -> str:
    return unquote(file.path)


def _status(error: Exception) -> int | None:
    digits = str(error)[:3]
    return int(digits) if digits.isdecimal() else None


def _size(server: ftplib.FTP, file: File, path: str | None = None) -> int | None:
    return _told(lambda: server.size(_path(file) if path is None else path))


def _changed(server: ftplib.FTP, file: File) -> str | None:
    return _told(lambda: server.voidcmd(f"MDTM {_path(file)}"))


def _told(ask: Callable[[], T]) -> T | None:
    """What the server answers, or None where it does not know the question."""
    try:
        return ask()
    except ftplib.error_perm as error:
        if _status(error) in _UNKNOWN:
            return None
        raise


def _rename(server: ftplib.FTP, part: str, path: str) -> None:
    try:
        server.rename(part, path)
    except ftplib.error_perm:  # some servers replace nothing
        try:
            server.delete(path)
        except ftplib.error_perm:
            pass
        server.rename(part, path)
