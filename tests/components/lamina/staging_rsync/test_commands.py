from typing import Any

import pytest

from lamina.staging_rsync.commands import command, remote_name, version_in
from lamina.vocabulary import File, StagingFailed


def test_a_file_has_the_name_that_rsync_knows() -> None:
    file = File("rsync://me@host:8730/module/a%20b")
    assert remote_name(file, None) == "rsync://me@host:8730/module/a b"
    assert remote_name(file, "ssh") == "me@host:/module/a b"
    assert remote_name(File("rsync://host/m/x"), None) == "rsync://host/m/x"


@pytest.mark.parametrize(
    "url", ["rsync:///x", "rsync://-oProxyCommand=x/y", "rsync://host", "rsync://host/"]
)
def test_what_could_be_an_option_or_everything_is_refused(url: str) -> None:
    with pytest.raises(StagingFailed) as caught:
        remote_name(File(url), "ssh")
    assert not caught.value.again


def test_names_come_after_the_last_option() -> None:
    words = command("rsync", "-source", "target", shell="ssh -p 1", timeout=9, tree=True)
    assert words[-3:] == ["--", "-source", "target"]
    assert "--recursive" in words
    assert words[words.index("--rsh") + 1] == "ssh -p 1"
    assert "--recursive" not in command("rsync", "a", "b", shell=None, timeout=9, tree=False)


def test_only_what_is_brought_may_lie_there_in_part() -> None:
    def words(**options: Any) -> list[str]:
        return [*command("rsync", "a", "b", timeout=9, tree=False, **options)]

    assert "--partial" not in words(shell=None)
    assert "--partial" in words(shell=None, partial=True)
    assert "--contimeout=9" in words(shell=None)
    assert "--contimeout=9" not in words(shell="ssh")


def test_a_listing_tells_size_and_time() -> None:
    assert (
        version_in("-rw-r--r--      1,234 2026/11/27 21:00:00 x\n") == "1,234 2026/11/27 21:00:00"
    )
    assert version_in("") is None
