from pathlib import Path
from typing import Any

import pytest

from lamina.staging import Direction, Mode, Place
from lamina.staging_rsync import RsyncStaging
from lamina.vocabulary import ConfigError, File, StagingFailed

X = File("rsync://host/module/x")


def program(folder: Path, script: str) -> str:
    """A program that notes its words and does what a test wants."""
    path = folder / "rsync"
    path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {folder}/words\n{script}\n')
    path.chmod(0o700)
    return str(path)


def test_it_says_where_and_how_it_works() -> None:
    assert (RsyncStaging().mode, RsyncStaging().place) == (Mode.SEPARATE, Place.NODES)
    other = RsyncStaging(mode="in-task", where="client")
    assert (other.mode, other.place) == (Mode.IN_TASK, Place.CLIENT)
    assert RsyncStaging().serves(File("rsync://h/m/d/"), Direction.OUT)


@pytest.mark.parametrize(
    "options, says",
    [
        ({"mode": "both"}, '"separate" or "in-task"'),
        ({"where": "moon"}, '"nodes" or "client"'),
        ({"timeout": 0}, "1 or more"),
    ],
)
def test_what_cannot_work_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        RsyncStaging(**options)


def test_a_connection_that_breaks_is_tried_again(tmp_path: Path) -> None:
    script = f'echo "it broke" >&2; [ $(grep -c -- -- {tmp_path}/words) -gt 10 ] || exit 12'
    plugin = RsyncStaging(program=program(tmp_path, script), pauses=(0.01,) * 5)
    plugin.fetch(X, tmp_path / "new")


def test_a_failure_says_what_rsync_said(tmp_path: Path) -> None:
    plugin = RsyncStaging(program=program(tmp_path, "echo no >&2; exit 23"), pauses=(0.01,))
    with pytest.raises(
        StagingFailed, match="no such file, or no right to it; it said: no"
    ) as caught:
        plugin.fetch(X, tmp_path / "new")
    error = caught.value
    assert (error.status, error.attempt, error.again, error.url) == (23, 1, False, X.url)
    plugin = RsyncStaging(program=program(tmp_path, "exit 10"), pauses=(0.01,))
    with pytest.raises(StagingFailed) as caught:
        plugin.store(tmp_path / "rsync", X)
    assert (caught.value.attempt, caught.value.again) == (2, True)


def test_the_version_is_in_the_listing(tmp_path: Path) -> None:
    listing = 'echo "-rw-r--r-- 5 2026/11/27 21:00:00 x"'
    plugin = RsyncStaging(program=program(tmp_path, listing))
    assert plugin.version(X) == "5 2026/11/27 21:00:00"
    words = (tmp_path / "words").read_text().splitlines()
    assert words[-3:] == ["--list-only", "--", "rsync://host/module/x"]
    assert plugin.version(File("rsync://host/module/d/")) is None


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    plugin = RsyncStaging(program="no-such-rsync", pauses=(0.01,))
    with pytest.raises(StagingFailed, match="install rsync") as caught:
        plugin.fetch(X, tmp_path / "new")
    assert not caught.value.again
