"""The last lines that a block has written, wherever its files are."""

from collections.abc import Iterator
from pathlib import Path

from lamina.executors_htex.outpost import Outpost
from lamina.processes import tail
from lamina.vocabulary import BlockId

__all__ = ["LastWords", "stream_name"]

LINES = 20  # of each stream
TIMEOUT = 30.0  # seconds for a host to answer
STREAMS = ("stderr", "stdout")


def stream_name(block: BlockId, stream: str) -> str:
    """What the file is called that holds this stream of a block."""
    return f"block-{block}.{stream}"


class LastWords:
    """Reads what blocks of one run have written. Any thread may ask; another host takes time."""

    def __init__(self, folder: Path, outpost: Outpost | None) -> None:
        self._folder, self._outpost = folder, outpost

    def of(self, block: BlockId) -> str:
        """The last lines of its stderr and of its stdout, each under a heading; or nothing."""
        return "\n".join(self._parts(block))

    def _parts(self, block: BlockId) -> Iterator[str]:
        for stream in STREAMS:
            if said := self.stream(block, stream):
                yield f"The last lines of its {stream}:\n{said}"

    def stream(self, block: BlockId, stream: str) -> str:
        """The last lines of one of the two; where each node has a file, of that of the first."""
        name = stream_name(block, stream)
        return self._tail(name) or self._tail(f"{name}.0")

    def _tail(self, name: str) -> str:
        if self._outpost is None:
            return tail(self._folder / name, LINES)
        return self._outpost.tail(name, LINES, TIMEOUT)
