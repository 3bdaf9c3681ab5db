"""A staging plug-in whose other side is a directory, and which fails as a test wants."""

import os
from pathlib import Path

import attrs

from lamina.staging import Direction, Mode, Place, appearing, copy_whole
from lamina.vocabulary import File, StagingFailed

__all__ = ["FolderStaging"]


@attrs.frozen
class FolderStaging:
    """``fake://host/name`` is the file ``name`` of a directory.

    Each transfer leaves a line in its file ``log``; while there is a file ``refuse`` that has a
    line with the name, a transfer fails, once for each such line.
    """

    folder: str
    mode: Mode = Mode.IN_TASK
    place: Place = Place.NODES
    directions: tuple[Direction, ...] = (Direction.IN, Direction.OUT)

    @property
    def name(self) -> str:
        return "fake"

    @property
    def schemes(self) -> frozenset[str]:
        return frozenset({"fake"})

    def serves(self, file: File, direction: Direction) -> bool:
        return direction in self.directions

    def version(self, file: File) -> str | None:
        path = self._path(file)
        if not path.exists():
            raise StagingFailed("there is no such file", url=file.url, status=404, again=False)
        return str(path.stat().st_mtime_ns)

    def fetch(self, file: File, target: Path) -> None:
        self._note("fetch", file)
        self.version(file)
        copy_whole(self._path(file), target)

    def store(self, source: Path, file: File) -> None:
        self._note("store", file)
        if not source.exists():
            raise StagingFailed("there is nothing to take away", url=file.url)
        with appearing(self._path(file)) as part:
            copy_whole(source, part)

    def _path(self, file: File) -> Path:
        return Path(self.folder, file.path.strip("/"))

    def _note(self, what: str, file: File) -> None:
        with open(Path(self.folder, "log"), "a", encoding="utf-8") as log:
            log.write(f"{what} {file.filename} {os.getpid()}\n")
        refused = Path(self.folder, "refuse")
        lines = refused.read_text().split() if refused.exists() else []
        if file.filename in lines:
            lines.remove(file.filename)
            refused.write_text("\n".join(lines))
            raise StagingFailed("the test said no", url=file.url, status=503, moved=7)

    def log(self) -> list[str]:
        """What was moved, in order, without the process."""
        path = Path(self.folder, "log")
        return (
            [line.rpartition(" ")[0] for line in path.read_text().splitlines()]
            if path.exists()
            else []
        )
