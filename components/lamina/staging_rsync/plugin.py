"""``RsyncStaging``: has the program rsync bring files and take them away."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import attrs

from lamina.staging import (
    PAUSES,
    Direction,
    Mode,
    Place,
    a_mode,
    a_place,
    a_time,
    mode_named,
    persist,
    place_named,
    some_pauses,
)
from lamina.staging_rsync.commands import MEANINGS, PASSING, command, remote_name, version_in
from lamina.vocabulary import File, StagingFailed

__all__ = ["RsyncStaging"]

_SCHEMES = frozenset({"rsync"})
_MOST_SAID = 2000  # characters of what rsync says that an error repeats


@attrs.frozen(kw_only=True)
class RsyncStaging:
    """``rsync://[user@]host[:port]/module/path``, of a daemon; or by a remote shell.

    rsync verifies what it has moved, and a file that it writes appears under its name only when
    whole. A URL that ends in ``/`` is a directory with all below it, of which one file appears
    after the other; links that lead out of it are left out.

    Args:
        shell: The remote shell and its options, such as ``"ssh"``; the path of a URL is then one
            of that host. None for daemons.
        where: ``"nodes"``, or ``"client"`` where only the program's host reaches the other.
        mode: ``"separate"``, by a task of its own, or ``"in-task"``.
        timeout: Seconds of silence, and to reach a daemon; to reach a host is the remote shell's
            affair, as with ``"ssh -o ConnectTimeout=30"``.
        pauses: Seconds before each further attempt; there are no more than these.
        program: What rsync is called.
    """

    shell: str | None = None
    where: Literal["nodes", "client"] = attrs.field(default="nodes", validator=a_place)
    how: str = attrs.field(default="separate", alias="mode", validator=a_mode)
    timeout: float = attrs.field(default=60.0, validator=a_time(1.0))
    pauses: tuple[float, ...] = attrs.field(default=PAUSES, converter=some_pauses)
    program: str = "rsync"

    @property
    def name(self) -> str:
        """What messages call it."""
        return "rsync"

    @property
    def schemes(self) -> frozenset[str]:
        """``rsync`` alone."""
        return _SCHEMES

    @property
    def mode(self) -> Mode:
        """As ``mode`` says."""
        return mode_named(self.how)

    @property
    def place(self) -> Place:
        """As ``where`` says."""
        return place_named(self.where)

    def serves(self, file: File, direction: Direction) -> bool:
        """Every file and directory, both ways."""
        return bool(file.netloc)

    def version(self, file: File) -> str | None:
        """Its size, and when it was changed; None for a directory.

        Raises:
            StagingFailed: It is not there, or the other side cannot be asked.
        """
        if file.is_directory:
            return None
        *words, _, source, _ = self._command(remote_name(file, self.shell), "", file)
        words += ["--list-only", "--", source]
        return persist(lambda attempt: version_in(self._run(words, file)), self.pauses)

    def fetch(self, file: File, target: Path) -> None:
        """Bring it.

        Raises:
            StagingFailed: rsync says why.
        """
        here = f"{target}/" if file.is_directory else str(target)
        words = self._command(remote_name(file, self.shell), here, file, partial=True)
        persist(lambda attempt: self._run(words, file, target), self.pauses)

    def store(self, source: Path, file: File) -> None:
        """Send it.

        Raises:
            StagingFailed: rsync says why.
        """
        here = f"{source}/" if source.is_dir() else str(source)
        words = self._command(here, remote_name(file, self.shell), file)
        persist(lambda attempt: self._run(words, file, source), self.pauses)

    def _command(
        self, source: str, target: str, file: File, *, partial: bool = False
    ) -> Sequence[str]:
        return command(
            self.program,
            source,
            target,
            shell=self.shell,
            timeout=self.timeout,
            tree=file.is_directory,
            partial=partial,
        )

    def _run(self, words: Sequence[str], file: File, local: Path | None = None) -> str:
        if shutil.which(self.program) is None:
            reason = f"there is no program {self.program!r} here; install rsync"
            raise StagingFailed(reason, url=file.url, again=False)
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            status = done.returncode
            meaning = MEANINGS.get(status, "it failed")
            said = done.stderr.strip()[-_MOST_SAID:] or "nothing"
            moved = local.stat().st_size if local is not None and local.is_file() else 0
            raise StagingFailed(
                f"rsync ended with status {status}, {meaning}; it said: {said}",
                url=file.url,
                moved=moved,
                status=status,
                again=status in PASSING,
            )
        return done.stdout
