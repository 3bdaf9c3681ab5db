"""One block on this machine: a session of processes, its end, and how it is brought about."""

import os
import signal
import threading
import time
from pathlib import Path

from lamina.processes import alive, descendants, kill_session, kill_tree, start_time
from lamina.providers.lifeline import Lifeline
from lamina.providers.protocol import JobState, JobStatus
from lamina.providers.session_scripts import GUARD
from lamina.vocabulary import JobId, exit_in_words

__all__ = ["LocalJob", "start"]

_GRACE = 2.0  # seconds from SIGTERM to SIGKILL
_PAUSE = 0.02  # seconds between two looks at what should end

_life = Lifeline()


def start(script: Path, *, stdout: Path, stderr: Path) -> "LocalJob":
    """Run a bash script, detached from this program's terminal and session.

    When this process ends, whatever way, what is left of the script 1 s later is ended too.

    Raises:
        OSError: It could not be started.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        "/bin/bash",
        ["bash", "-c", GUARD, "bash", str(script)],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, _life.read_end(), 0),
            (os.POSIX_SPAWN_OPEN, 1, str(stdout), flags, 0o600),
            (os.POSIX_SPAWN_OPEN, 2, str(stderr), flags, 0o600),
        ],
        setsid=True,
        # A program that ignores or blocks these must not hand that down.
        setsigmask=(),
        setsigdef=(signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGHUP),
    )
    return LocalJob(pid, script.with_suffix(".ec"))


class LocalJob:
    """A session that was started here; its leader is our child. Any thread may call."""

    def __init__(self, pid: int, exit_code: Path) -> None:
        self.pid = pid
        # Numbers come again; with the time of its start, one names a process for good.
        self._started = start_time(pid) or 0
        self.name = JobId(f"{pid}.{self._started}")
        self._exit_code = exit_code
        self._ended: JobStatus | None = None
        self._cancelled = False
        self._below: dict[int, int | None] = {}
        """When it was cancelled: what it had started, with the times of their starts."""
        self._kill_at = 0.0
        self._lock = threading.Lock()

    def look(self) -> JobStatus:
        """Where it stands. The first look after its end also ends what it left running."""
        with self._lock:
            if self._ended is None:
                self._reap()
            if self._ended is not None:
                return self._ended
            if self._cancelled:
                return JobStatus(state=JobState.COMPLETING, reason="it was cancelled and is ending")
            return JobStatus(state=JobState.RUNNING)

    def cancel(self) -> None:
        """SIGTERM for all of it now, SIGKILL in 2 s for what is left then."""
        with self._lock:
            if self._ended is None:
                self._reap()
            if self._ended is not None or self._cancelled:
                return
            self._cancelled, self._kill_at = True, time.monotonic() + _GRACE
            # What leaves the session, and whose parent ends, could not be found afterwards.
            self._below = {pid: start_time(pid) for pid in descendants(self.pid)}
            for pid in (self.pid, *self._below):
                _signal(pid, signal.SIGTERM)
        # Not a daemon: a program that ends at once must not leave half of a block behind.
        threading.Thread(target=self._finish, name="lamina-cancel").start()

    def _finish(self) -> None:
        while time.monotonic() < self._kill_at:
            # Its end may be seen by a look that comes too late to wait for what is left.
            if self.look().state.terminal and not self._left():
                return
            time.sleep(_PAUSE)
        left = self._left()
        with self._lock:
            if self._ended is None:  # else its number may be somebody else's by now
                left.append(self.pid)
        kill_tree(left)
        self.look()

    def _left(self) -> list[int]:
        """What still runs of those that were told to end."""
        return [pid for pid, started in self._below.items() if alive(pid, started)]

    def _reap(self) -> None:
        """Learn how the leader ended, if it has. The lock is held."""
        # Its shell does not wait for what it has started, when it is told to end; we do.
        if time.monotonic() < self._kill_at and self._left():
            return
        try:
            # Its number stays ours until it is waited for in earnest, so its session does too.
            seen = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if seen is None:
                return
            kill_session(self.pid)
            status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        except ChildProcessError:  # something else in this program waits for all children
            if alive(self.pid, self._started):
                return
            if start_time(self.pid) is None:  # else the number, and a session, is another's by now
                kill_session(self.pid)
            self._ended = self._from_file()
            return
        self._ended = self._status(status)

    def _from_file(self) -> JobStatus:
        try:
            return self._status(int(self._exit_code.read_text(encoding="ascii")))
        except (OSError, ValueError):
            state = JobState.CANCELLED if self._cancelled else JobState.FAILED
            return JobStatus(state=state, reason="it ended, and its exit status is not known")

    def _status(self, status: int) -> JobStatus:
        if self._cancelled:
            state = JobState.CANCELLED
        else:
            state = JobState.COMPLETED if status == 0 else JobState.FAILED
        return JobStatus(state=state, reason=exit_in_words(status), exit_code=status)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):  # gone, or no longer ours
        pass
