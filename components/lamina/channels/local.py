"""``LocalChannel``: commands and files of this machine."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import attrs

from lamina.channels.protocol import ChannelError, CommandTimeout, Completed

__all__ = ["LocalChannel"]

_LAST_WORDS = 1.0  # seconds to read what a killed command had written


@attrs.frozen
class LocalChannel:
    """Runs commands here, as the user of this program. It has no options and holds nothing."""

    def run(
        self,
        command: Sequence[str],
        *,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
        timeout: float,
    ) -> Completed:
        """Run a command to its end, in a session of its own; no shell is between.

        ``env`` is added to the environment. ``timeout`` is in seconds.

        Raises:
            CommandTimeout: It took longer; its whole process group was killed, as far as the
                user may. Again may help.
            ChannelError: It could not be run at all.
        """
        what = " ".join(command)
        try:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **env} if env else None,
                start_new_session=True,
                encoding="utf-8",
                errors="replace",
            )
        except (OSError, ValueError, IndexError) as error:
            raise ChannelError(what or "an empty command", str(error)) from error
        try:
            stdout, stderr = process.communicate(stdin, timeout)
        except BaseException as error:  # also an interrupt must leave nothing running
            _kill_group(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise CommandTimeout(what, timeout) from None
            raise
        return Completed(process.returncode, stdout, stderr)

    def put(self, local: Path, remote: str) -> None:
        """Copy a file to another place here; it appears under its name only when whole.

        Raises:
            ChannelError: It could not be written.
        """
        _copy(local, Path(remote), f"copying {local} to {remote}")

    def get(self, remote: str, local: Path) -> None:
        """Copy a file from another place here; it appears under its name only when whole.

        Raises:
            ChannelError: It could not be read.
        """
        _copy(Path(remote), local, f"copying {remote} to {local}")

    def make_directory(self, remote: str) -> None:
        """Make a directory with its parents, private to the user; it may exist already.

        Raises:
            ChannelError: It could not be made.
        """
        path = Path(remote)
        try:
            for parent in reversed(path.parents):
                parent.mkdir(mode=0o700, exist_ok=True)
            path.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise ChannelError(f"making the directory {remote}", str(error)) from error

    def close(self) -> None:
        """Do nothing: there is nothing to give back."""


def _kill_group(process: subprocess.Popen[str]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # gone, or another user's by now, as with sudo
        pass
    # A grandchild that left the group may hold the pipes open for ever, and what is another
    # user's or sleeps in the kernel, as on a file server that is away, goes on: none is awaited.
    try:
        process.communicate(timeout=_LAST_WORDS)
    except subprocess.TimeoutExpired:
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with suppress(OSError):  # what was still to be said to it
                    pipe.close()
        threading.Thread(target=process.wait, name="lamina-reaper", daemon=True).start()


def _copy(source: Path, target: Path, what: str) -> None:
    beside = None
    try:
        if target.exists() and source.samefile(target):
            return
        handle, beside = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        os.close(handle)
        shutil.copyfile(source, beside)
        shutil.copymode(source, beside)
        os.replace(beside, target)
    except OSError as error:
        if beside is not None:
            Path(beside).unlink(missing_ok=True)
        raise ChannelError(what, str(error)) from error
