"""What an endpoint writes down for other programs of its user to look at."""

import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs

from lamina.executors_htex import BlockStanding
from lamina.hosting.directories import number_of
from lamina.processes import Identity, gone, own_identity, watch
from lamina.vocabulary import Event, UsageError

__all__ = ["Record", "RecordSink", "read_record"]

FILE = "endpoint.json"
_KINDS = ("block.", "endpoint.", "executor.", "manager.")


@attrs.frozen(kw_only=True)
class Record:
    """An endpoint, as it has last written itself down."""

    run_dir: Path
    host: str
    program: Identity
    ended: bool
    """Whether it has shut down in order."""
    blocks: Mapping[str, Sequence[BlockStanding]]
    """The blocks of each executor."""
    door: str = ""
    """The path of the socket at which it can be asked; empty where it cannot be."""

    @property
    def lives(self) -> bool | None:
        """Whether the program still runs; None where that cannot be seen from here."""
        if self.ended:
            return False
        try:
            handle = watch(self.program)
        except ProcessLookupError:
            return False
        if handle is None:
            return None
        try:
            return not gone(handle)
        finally:
            os.close(handle)


class RecordSink:
    """Writes the record anew when something has happened to a block."""

    def __init__(
        self,
        run_dir: Path,
        blocks: Callable[[], Mapping[str, Sequence[BlockStanding]]],
        door: str = "",
    ) -> None:
        self._path, self._blocks, self._door = run_dir / FILE, blocks, door
        self._last: dict[str, dict[str, BlockStanding]] = {}

    def take(self, events: Sequence[Event]) -> None:
        """Write it if one of these says more than the file.

        Raises:
            OSError: The file cannot be written.
        """
        news = [event for event in events if event.kind.startswith(_KINDS)]
        if not news:
            return
        for label, some in self._blocks().items():
            last = self._last.setdefault(label, {})
            if some:
                last.clear()
                last |= {one.block: one for one in some}
        for event in news:
            if event.kind == "block.state":
                self._note(event)
        self._write(ended=any(event.kind == "endpoint.ended" for event in news))

    def close(self) -> None:
        """Nothing is held back."""

    def _note(self, event: Event) -> None:
        """Take down a block's state: an executor that is closing shows its blocks no more."""
        facts = event.facts
        last = self._last.get(str(facts["executor"]), {})
        known = last.get(str(facts["block"]))
        if known is None or known.over:
            return
        state, reason = str(facts["state"]), str(facts["reason"])
        turned = attrs.evolve(known, state=state, reason=reason, since=event.at)
        last[turned.block] = attrs.evolve(turned, managers=0, slots=0) if turned.over else turned

    def _write(self, *, ended: bool) -> None:
        record = {
            "host": platform.node(),
            "program": list(own_identity()),
            "ended": ended,
            "door": self._door,
            "blocks": {
                label: [attrs.asdict(one) for one in some.values()]
                for label, some in self._last.items()
            },
        }
        new = self._path.with_suffix(".new")
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(record, file)
        new.replace(self._path)


def read_record(run_dir: Path) -> Record:
    """Read what the endpoint of this run directory, or the newest one below it, has written.

    Raises:
        UsageError: There is none.
    """
    below = sorted(run_dir.glob(f"*/{FILE}"), key=_age, reverse=True)
    for path in (run_dir / FILE, *below):
        try:
            return _read(path)
        except (OSError, ValueError, KeyError, TypeError):  # not there, or not of ours
            continue
    msg = f"{run_dir} holds no run of an endpoint; name its run_dir, or a directory in there"
    raise UsageError(msg)


def _read(path: Path) -> Record:
    record = json.loads(path.read_text(encoding="utf-8"))
    return Record(
        run_dir=path.parent,
        host=record["host"],
        program=Identity(*record["program"]),
        ended=record["ended"],
        door=record.get("door", ""),
        blocks={
            label: tuple(BlockStanding(**one) for one in some)
            for label, some in record["blocks"].items()
        },
    )


def _age(path: Path) -> tuple[int, str]:
    """More is younger; of runs that bear no number the name decides."""
    return number_of(path.parent.name), path.parent.name
