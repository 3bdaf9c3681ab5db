"""The other side of a staging plug-in, as a directory of this host that a server gives out."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from lamina.staging import Staging
from lamina.vocabulary import File

__all__ = ["FolderBench"]


class FolderBench:
    """``url`` makes a URL of a name; ``end`` takes down what serves the directory."""

    def __init__(
        self,
        plugin: Staging,
        url: Callable[[str], str],
        folder: Path | None = None,
        end: Callable[[], None] | None = None,
    ) -> None:
        self.plugin, self._url, self._end = plugin, url, end
        self.folder = Path(tempfile.mkdtemp()) if folder is None else folder

    def put(self, name: str, content: bytes) -> File:
        (self.folder / name).write_bytes(content)
        return self.file(name)

    def file(self, name: str) -> File:
        return File(self._url(name))

    def get(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def close(self) -> None:
        if self._end is not None:
            self._end()
        shutil.rmtree(self.folder, ignore_errors=True)
