"""The kit of staging and its faults on a real rsync, with a daemon on this host."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from lamina.conformance import STAGING, Clause, check
from lamina.staging_rsync import RsyncStaging
from lamina.vocabulary import File, StagingFailed
from tests.fakes.staging_bench import FolderBench

pytestmark = [pytest.mark.service, pytest.mark.apart]

WAIT = 60  # seconds


def daemon(folder: Path) -> tuple[int, Callable[[], None]]:
    """Start a daemon that gives out a folder as the module ``files``."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    config = folder.parent / f"{folder.name}.conf"
    config.write_text(
        "use chroot = no\nreverse lookup = no\nuid = root\ngid = root\n"
        f"[files]\npath = {folder}\nread only = no\n"
    )
    words = ["rsync", "--daemon", "--no-detach", f"--config={config}", f"--port={port}"]
    process = subprocess.Popen([*words, "--address=127.0.0.1"], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + WAIT
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            assert process.poll() is None, "the daemon has ended"
            assert time.monotonic() < deadline, "the daemon does not answer"
            time.sleep(0.02)

    def end() -> None:
        process.kill()
        process.wait(WAIT)

    return port, end


def bench() -> FolderBench:
    folder = Path(tempfile.mkdtemp())
    port, end = daemon(folder)
    plugin = RsyncStaging(pauses=(0.01,), timeout=20)
    url = f"rsync://127.0.0.1:{port}/files/"
    return FolderBench(plugin, lambda name: url + quote(name), folder, end)


class TestDaemon:
    @pytest.mark.parametrize("clause", STAGING.clauses, ids=[one.id for one in STAGING.clauses])
    def test_the_clause_is_kept(self, clause: Clause) -> None:
        check(clause, bench)


def test_directories_come_and_go_whole(tmp_path: Path) -> None:
    made = bench()
    try:
        (tmp_path / "made" / "e").mkdir(parents=True)
        (tmp_path / "made" / "e" / "y").write_text("2")
        (tmp_path / "made" / "out").symlink_to("/etc/passwd")
        made.plugin.store(tmp_path / "made", made.file("tree/"))
        made.plugin.fetch(made.file("tree/"), tmp_path / "new")
        assert (tmp_path / "new" / "e" / "y").read_text() == "2"
        assert not (tmp_path / "new" / "out").is_symlink()
    finally:
        made.close()


def test_an_output_that_breaks_off_leaves_the_old_one(tmp_path: Path) -> None:
    made = bench()
    slow = tmp_path / "rsync"  # ends in the middle, as when its host goes down
    slow.write_text(
        '#!/bin/sh\nrsync --bwlimit=1000 "$@" & until kill -0 $! && ls -A '
        f"{made.folder} | grep -q '^.x.'; do sleep 0.05; done; sleep 0.3; kill $!; wait $!\n"
    )
    slow.chmod(0o700)
    try:
        (made.folder / "x").write_text("old")
        (tmp_path / "made").write_bytes(os.urandom(5_000_000))
        with pytest.raises(StagingFailed) as caught:
            RsyncStaging(program=str(slow), pauses=()).store(tmp_path / "made", made.file("x"))
        assert caught.value.status == 20
        deadline = time.monotonic() + WAIT
        while len(os.listdir(made.folder)) > 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert os.listdir(made.folder) == ["x"]
        assert (made.folder / "x").read_text() == "old"
    finally:
        made.close()


def test_a_daemon_that_is_not_there_may_come_back(tmp_path: Path) -> None:
    made = bench()
    made.close()
    with pytest.raises(StagingFailed) as caught:
        made.plugin.fetch(made.file("x"), tmp_path / "new")
    assert (caught.value.status, caught.value.again) == (10, True)


def test_by_a_remote_shell_no_shell_reads_the_path(tmp_path: Path) -> None:
    # A remote shell that is none: it runs what it is given on this host.
    shell = tmp_path / "shell"
    shell.write_text('#!/bin/sh\nshift\nexec sh -c "$*"\n')
    shell.chmod(0o700)
    strange = tmp_path / "a b; touch harm"
    strange.write_text("1")
    file = File(f"rsync://host{quote(str(strange))}")
    RsyncStaging(shell=str(shell), pauses=()).fetch(file, tmp_path / "new")
    assert (tmp_path / "new").read_text() == "1"
    assert not Path("harm").exists()
    assert shutil.which("rsync")
