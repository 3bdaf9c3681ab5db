import errno
import os
import subprocess
from collections.abc import Iterator

import pytest

from lamina.processes import Identity, gone, has_ended, own_identity, start_time, watch

PATIENCE = 10.0  # seconds


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "1000"])
    yield process
    process.kill()
    process.wait()


def _name(process: subprocess.Popen[bytes]) -> Identity:
    started = start_time(process.pid)
    assert started is not None
    return own_identity()._replace(pid=process.pid, started=started)


def test_the_own_identity_names_this_process() -> None:
    mine = own_identity()
    assert (mine.pid, mine.started) == (os.getpid(), start_time(os.getpid()))
    handle = watch(mine)
    assert handle is not None
    assert not gone(handle)
    os.close(handle)


def test_the_end_of_a_process_is_seen(sleeper: subprocess.Popen[bytes]) -> None:
    handle = watch(_name(sleeper))
    assert handle is not None
    assert not gone(handle)
    sleeper.kill()
    assert gone(handle, PATIENCE)
    os.close(handle)


def test_a_process_that_has_ended_cannot_be_watched(sleeper: subprocess.Popen[bytes]) -> None:
    name = _name(sleeper)
    sleeper.kill()
    # Not waited for yet, it is in the list of processes still; afterwards it is not.
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(ProcessLookupError):
        watch(name)
    sleeper.wait()
    with pytest.raises(ProcessLookupError):
        watch(name)


def test_a_pid_that_is_used_again_is_another_process() -> None:
    with pytest.raises(ProcessLookupError):
        watch(own_identity()._replace(started=1))


@pytest.mark.parametrize(
    "other", [{"boot": "of another host"}, {"boot": ""}, {"namespace": 1}, {"namespace": 0}]
)
def test_what_cannot_be_seen_from_here_is_not_judged(other: dict[str, str | int]) -> None:
    assert watch(own_identity()._replace(**other)) is None  # type: ignore[arg-type]


def test_a_name_travels_as_text() -> None:
    mine = own_identity()
    assert Identity.read(mine.text) == mine
    for other in ("", "boot", "a/b/c/d", "a/1/2", "a/1/2/3/4", "a/1/-2/3"):
        assert Identity.read(other) is None


def test_it_is_told_when_a_process_has_ended_and_only_then() -> None:
    assert not has_ended(own_identity())
    assert has_ended(own_identity()._replace(started=1))
    assert not has_ended(own_identity()._replace(boot="elsewhere"))
    assert not has_ended(own_identity()._replace(namespace=1))


def test_an_end_is_seen_although_python_does_not_know_the_call(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where it was built with the headers of an older Linux."""
    monkeypatch.delattr(os, "pidfd_open")
    name = _name(sleeper)
    handle = watch(name)
    assert handle is not None
    assert not gone(handle)
    sleeper.kill()
    assert gone(handle, PATIENCE)
    os.close(handle)
    sleeper.wait()
    with pytest.raises(ProcessLookupError):
        watch(name)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM])
def test_where_the_system_cannot_watch_it_still_tells_who_has_ended(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(pid: int) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "pidfd_open", refuse)
    mine = own_identity()
    assert watch(mine) is None
    assert not has_ended(mine)
    with pytest.raises(ProcessLookupError):
        watch(mine._replace(started=1))
    assert has_ended(mine._replace(started=1))
