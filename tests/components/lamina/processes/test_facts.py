import os
import subprocess
from pathlib import Path

from lamina.processes import alive, boot_id, descendants, start_time, tail


def test_children_and_grandchildren_are_below() -> None:
    script = "sleep 100 & echo $!; wait"
    with subprocess.Popen(["bash", "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        grandchild = int(process.stdout.readline())
        try:
            assert descendants(process.pid) == [grandchild]
            assert {process.pid, grandchild} <= set(descendants(os.getpid()))
        finally:
            os.kill(grandchild, 9)
            process.kill()


def test_a_process_that_ended_is_neither_alive_nor_below() -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie now
    assert not alive(process.pid)
    assert process.pid not in descendants(os.getpid())
    process.wait()
    assert start_time(process.pid) is None


def test_the_time_of_its_start_tells_a_process_from_its_successors() -> None:
    mine = start_time(os.getpid())
    assert mine is not None
    assert alive(os.getpid(), mine)
    assert not alive(os.getpid(), mine + 1)


def test_this_boot_has_one_name() -> None:
    assert boot_id() == boot_id()
    assert "\n" not in boot_id()


def test_the_tail_is_the_last_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("".join(f"line {number}\n" for number in range(50_000)))
    assert tail(path, 2) == "line 49998\nline 49999"
    assert len(tail(path, 20_000).splitlines()) == 20_000
    assert tail(path, 0) == ""
    path.write_bytes(b"\xff no newline")
    assert tail(path) == "\ufffd no newline"


def test_the_tail_of_what_cannot_be_read_is_empty(tmp_path: Path) -> None:
    assert tail(tmp_path / "missing") == ""
    assert tail(tmp_path) == ""
