"""``File``: where a piece of data is, as a URL, and where it can be opened on this machine."""

import hashlib
import os
import re
from pathlib import PurePosixPath
from typing import ClassVar
from urllib.parse import unquote, urlsplit

from lamina.vocabulary.errors import LaminaError

__all__ = ["File", "FileNotLocalError"]


class FileNotLocalError(LaminaError, ValueError):
    """A file has no path on this machine yet; staging would give it one."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url

    def __str__(self) -> str:
        return (
            f"{self.url} has no path on this machine. Pass the File to an app as an argument, "
            "where it is staged, rather than opening it here."
        )


# The checksums that can be asked for, and how many hexadecimal digits each has.
_DIGITS = {name: 2 * hashlib.new(name).digest_size for name in ("sha256", "sha512", "sha1", "md5")}
_SCHEME = re.compile(r"(zip|tar):(?=/|\w)")  # schemes whose URLs have no host


class File:
    """A file by its URL; a bare path means ``file:`` on a file system that tasks can see.

    ``local_path`` is where staging has put a copy, ``None`` before that. Two files are equal
    when their URLs are. A ``file:`` URL whose host part is not empty or ``localhost`` is
    refused, because ``file://home/x`` is nearly always a slip for ``file:///home/x``.
    A URL that ends in ``/`` is that of a directory, with all that is below it.

    Args:
        url: A path or a URL.
        checksum: What staging must find, as ``"sha256:<64 hexadecimal digits>"``; ``sha512``,
            ``sha1`` and ``md5`` are known as well. None for whatever there is.
        size: The bytes that staging must find; None for however many there are.

    Raises:
        ValueError: The URL names a host where none makes sense, or is empty; or the checksum or
            the size cannot be one.
    """

    __slots__ = ("checksum", "local_path", "netloc", "path", "scheme", "size", "url")

    need_staging: ClassVar[bool] = False
    """Whether this process has met anything for which files must be moved, such as a file of
    another scheme: most never do, and then nobody needs to look for files among arguments."""

    def __init__(
        self, url: str | os.PathLike[str], checksum: str | None = None, size: int | None = None
    ) -> None:
        text = os.fspath(url)
        if not text:
            msg = "a File needs a path or a URL, and was given an empty one"
            raise ValueError(msg)
        self.url = text
        self.local_path: str | None = None
        self.checksum, self.size = _checked(checksum), _counted(size)
        whole = "://" in text or text.startswith("file:") or _SCHEME.match(text)
        parts = urlsplit(text) if whole else None
        if parts is None:
            self.scheme, self.netloc, self.path = "file", "", text
        else:
            self.scheme = parts.scheme or "file"
            self.netloc = parts.netloc
            self.path = unquote(parts.path) if self.scheme == "file" else parts.path
        if self.scheme == "file" and self.netloc not in ("", "localhost"):
            msg = (
                f"{text!r} names {self.netloc!r} as a host; a path on this file system has "
                f"three slashes: file:///{self.netloc}{self.path}"
            )
            raise ValueError(msg)
        if self.checksum is not None and self.is_directory:
            msg = f"{text!r} is a directory, which has no checksum; give those of its files"
            raise ValueError(msg)
        if self.scheme != "file" or self.checksum is not None or self.size is not None:
            File.need_staging = True

    @property
    def filename(self) -> str:
        """The last part of the path."""
        return PurePosixPath(self.path).name

    @property
    def is_directory(self) -> bool:
        """Whether the URL is that of a directory, which is to say that it ends in ``/``."""
        return self.path.endswith("/")

    @property
    def filepath(self) -> str:
        """Where the file can be opened on this machine.

        Raises:
            FileNotLocalError: It is remote, and has not been staged.
        """
        if self.local_path is not None:
            return self.local_path
        if self.scheme == "file":
            return self.path
        raise FileNotLocalError(self.url)

    def cleancopy(self) -> "File":
        """A copy that knows nothing of where this one was staged."""
        return File(self.url, self.checksum, self.size)

    def __fspath__(self) -> str:
        return self.filepath

    def __str__(self) -> str:
        return self.filepath if self.scheme == "file" or self.local_path else self.url

    def __repr__(self) -> str:
        staged = f", local_path={self.local_path!r}" if self.local_path else ""
        return f"File({self.url!r}{staged})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, File) and other.url == self.url

    def __hash__(self) -> int:
        return hash(self.url)

    def __getstate__(self) -> tuple[str, str | None, str | None, int | None]:
        return self.url, self.local_path, self.checksum, self.size

    def __setstate__(
        self, state: tuple[str, str | None] | tuple[str, str | None, str | None, int | None]
    ) -> None:
        url, local_path, *facts = state  # of two parts where an older version wrote it
        self.__init__(url, *facts)  # type: ignore[misc]  # the one way to parse the URL again
        self.local_path = local_path


def _checked(checksum: str | None) -> str | None:
    if checksum is None:
        return None
    kind, _, digits = str(checksum).partition(":")
    wanted = _DIGITS.get(kind)
    if wanted is None or not re.fullmatch(rf"[0-9a-fA-F]{{{wanted}}}", digits):
        known = ", ".join(f"{name} with {length}" for name, length in _DIGITS.items())
        msg = (
            f"checksum is {checksum!r:.100}; write its kind, a colon and its hexadecimal digits, "
            f'as "sha256:…". The kinds are {known} digits'
        )
        raise ValueError(msg)
    return f"{kind}:{digits.lower()}"


def _counted(size: int | None) -> int | None:
    if size is not None and (type(size) is not int or size < 0):
        msg = f"size is {size!r:.100}; it must be a whole number of bytes, 0 or more"
        raise ValueError(msg)
    return size
