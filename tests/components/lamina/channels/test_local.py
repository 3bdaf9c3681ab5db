import os
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lamina.channels import ChannelError, CommandTimeout, LocalChannel

CHANNEL = LocalChannel()


class Interrupted(BaseException):
    pass


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let SIGUSR1 interrupt this thread, as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGUSR1, interrupt)
    yield
    signal.signal(signal.SIGUSR1, before)


def test_a_command_gives_its_status_and_its_texts() -> None:
    done = CHANNEL.run(["sh", "-c", "cat; echo no >&2; exit 3"], stdin="yes", timeout=10)
    assert done == (3, "yes", "no\n")


def test_no_shell_reads_the_arguments() -> None:
    assert CHANNEL.run(["printf", "%s", "$HOME; a  b"], timeout=10).stdout == "$HOME; a  b"


def test_variables_are_added_to_the_environment() -> None:
    done = CHANNEL.run(["sh", "-c", "echo $MARK:$PATH"], env={"MARK": "x"}, timeout=10)
    assert done.stdout == f"x:{os.environ['PATH']}\n"


def test_a_signal_that_ended_it_is_a_negative_status() -> None:
    assert CHANNEL.run(["sh", "-c", "kill -9 $$"], timeout=10).status == -signal.SIGKILL


def test_a_command_runs_in_a_session_of_its_own() -> None:
    code = "import os; print(os.getsid(0) == os.getpid())"
    assert CHANNEL.run([sys.executable, "-c", code], timeout=10).stdout == "True\n"


def test_bytes_that_are_not_text_are_replaced() -> None:
    assert CHANNEL.run(["printf", r"\377"], timeout=10).stdout == "\ufffd"


def test_a_command_that_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"sleep 100 & echo $$ $! > {pids}; wait"
    with pytest.raises(CommandTimeout, match=r"0\.3 s") as caught:
        CHANNEL.run(["sh", "-c", script], timeout=0.3)
    assert caught.value.seconds == 0.3
    for pid in map(int, pids.read_text().split()):
        _wait_until_gone(pid)


# An interrupt may come while a pipe is being closed, which is then closed only when collected.
_CLOSED_LATE = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@_CLOSED_LATE
@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_leaves_nothing_running(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    # It reads first, and so does not interrupt before it is being listened to.
    script = f"read _; sleep 100 & echo $$ $! > {pids}; kill -USR1 {os.getpid()}; wait"
    with pytest.raises(Interrupted):
        CHANNEL.run(["sh", "-c", script], stdin="go\n", timeout=30)
    for pid in map(int, pids.read_text().split()):
        _wait_until_gone(pid)


@_CLOSED_LATE
@pytest.mark.usefixtures("interruptible")
def test_a_child_that_left_the_group_is_not_awaited(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    leaver = f"echo $$ $PPID > {pids}; kill -USR1 {os.getpid()}; exec sleep 100"
    with pytest.raises(Interrupted):
        CHANNEL.run(
            ["sh", "-c", f"read _; setsid sh -c '{leaver}' & wait"], stdin="go\n", timeout=30
        )
    left, killed = map(int, pids.read_text().split())
    _wait_until_gone(killed)
    os.kill(left, signal.SIGKILL)  # an error, had it been ended with the others


def test_a_command_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ChannelError, match="no-such-command"):
        CHANNEL.run(["no-such-command"], timeout=10)
    with pytest.raises(ChannelError, match="empty"):
        CHANNEL.run([], timeout=10)


def test_files_are_copied_both_ways(tmp_path: Path) -> None:
    here, there, back = tmp_path / "here", tmp_path / "there", tmp_path / "back"
    here.write_bytes(b"content")
    here.chmod(0o750)
    CHANNEL.put(here, str(there))
    CHANNEL.get(str(there), back)
    assert back.read_bytes() == b"content"
    assert stat.S_IMODE(back.stat().st_mode) == 0o750
    assert sorted(one.name for one in tmp_path.iterdir()) == ["back", "here", "there"]


def test_a_file_copied_onto_itself_stays(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("content")
    CHANNEL.put(path, str(path))
    assert path.read_text() == "content"


def test_a_copy_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("old")
    with pytest.raises(ChannelError, match="missing"):
        CHANNEL.get(str(tmp_path / "missing"), target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_directories_are_private_with_their_new_parents(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    CHANNEL.make_directory(str(path))
    CHANNEL.make_directory(str(path))
    assert {stat.S_IMODE(one.stat().st_mode) for one in (path, path.parent)} == {0o700}


def test_a_directory_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ChannelError, match="file"):
        CHANNEL.make_directory(str(tmp_path / "file" / "below"))


def test_it_may_be_closed_twice() -> None:
    channel = LocalChannel()
    channel.close()
    channel.close()
    assert channel == CHANNEL


def _wait_until_gone(pid: int) -> None:
    tick = threading.Event()
    for _ in range(500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return
        if state in "ZX":
            return
        tick.wait(0.01)
    pytest.fail(f"process {pid} still runs")
