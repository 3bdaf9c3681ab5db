"""``File``: where a piece of data is, as a URL, and where it can be opened on this machine."""

import os
from pathlib import PurePosixPath
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


class File:
    """A file by its URL; a bare path means ``file:`` on a file system that tasks can see.

    ``local_path`` is where staging has put a copy, ``None`` before that. Two files are equal
    when their URLs are. A ``file:`` URL whose host part is not empty or ``localhost`` is
    refused, because ``file://home/x`` is nearly always a slip for ``file:///home/x``.

    Raises:
        ValueError: The URL names a host where none makes sense, or is empty.
    """

    __slots__ = ("local_path", "netloc", "path", "scheme", "url")

    def __init__(self, url: str | os.PathLike[str]) -> None:
        text = os.fspath(url)
        if not text:
            msg = "a File needs a path or a URL, and was given an empty one"
            raise ValueError(msg)
        self.url = text
        self.local_path: str | None = None
        parts = urlsplit(text) if "://" in text or text.startswith("file:") else None
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

    @property
    def filename(self) -> str:
        """The last part of the path."""
        return PurePosixPath(self.path).name

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
        return File(self.url)

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

    def __getstate__(self) -> tuple[str, str | None]:
        return self.url, self.local_path

    def __setstate__(self, state: tuple[str, str | None]) -> None:
        self.__init__(state[0])  # type: ignore[misc]  # the one way to parse the URL again
        self.local_path = state[1]
