import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lamina.launchers import SimpleLauncher
from lamina.processes import alive, descendants
from lamina.providers import (
    BlockRequest,
    JobState,
    JobStatus,
    LocalProvider,
    ProviderUnavailable,
    SubmitRejected,
)
from lamina.vocabulary import BlockId, ConfigError, JobId


def request(place: Path, command: str, name: str = "block-0") -> BlockRequest:
    return BlockRequest(
        block=BlockId("0"),
        name=name,
        command=command,
        script_dir=place,
        stdout=place / f"{name}.out",
        stderr=place / f"{name}.err",
    )


def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 20
    tick = threading.Event()
    while not condition():
        tick.wait(0.005)
        if time.monotonic() > end:
            pytest.fail(f"waited 20 s for {what}")


def end_of(provider: LocalProvider, job: JobId) -> JobStatus:
    until(lambda: provider.poll([job])[job].state.terminal, "the job's end")
    return provider.poll([job])[job]


@pytest.mark.parametrize("launcher", [None, SimpleLauncher()])
def test_a_block_runs_to_its_end(tmp_path: Path, launcher: SimpleLauncher | None) -> None:
    more = {} if launcher is None else {"launcher": launcher}
    provider = LocalProvider(worker_init="export WORD=hello", **more)
    job = provider.submit(request(tmp_path, "echo $WORD; echo oh >&2"))
    assert end_of(provider, job) == JobStatus(
        state=JobState.COMPLETED, reason="exit status 0", exit_code=0
    )
    assert (tmp_path / "block-0.out").read_text() == "hello\n"
    assert (tmp_path / "block-0.err").read_text() == "oh\n"
    assert (tmp_path / "block-0.ec").read_text() == "0\n"


def test_a_block_that_fails_says_how(tmp_path: Path) -> None:
    provider = LocalProvider()
    status = end_of(provider, provider.submit(request(tmp_path, "exit 3")))
    assert (status.state, status.exit_code) == (JobState.FAILED, 3)
    assert status.reason == "exit status 3"


def test_a_block_whose_script_is_killed_says_by_what(tmp_path: Path) -> None:
    provider = LocalProvider()
    job = provider.submit(request(tmp_path, "sleep 100"))
    assert provider.poll([job]) == {job: JobStatus(state=JobState.RUNNING)}
    os.kill(int(job.partition(".")[0]), 9)
    status = end_of(provider, job)
    assert (status.state, status.exit_code) == (JobState.FAILED, -9)
    assert status.reason == "killed by SIGKILL"


def test_what_a_dead_block_left_running_is_ended(tmp_path: Path) -> None:
    provider = LocalProvider()
    job = provider.submit(request(tmp_path, "sleep 100 & echo $!"))
    assert end_of(provider, job).state is JobState.COMPLETED
    assert not alive(int((tmp_path / "block-0.out").read_text()))


def test_a_block_nobody_knows_is_gone(tmp_path: Path) -> None:
    mine, equal = LocalProvider(), LocalProvider()
    job = mine.submit(request(tmp_path, "true"))
    assert mine == equal
    assert equal.poll([job])[job].state is JobState.GONE
    assert end_of(mine, job).state is JobState.COMPLETED
    stranger = JobId("1.1")
    assert mine.poll([stranger, job]).keys() == {stranger, job}
    assert mine.poll([stranger])[stranger].state is JobState.GONE
    mine.cancel([stranger, job])


def test_blocks_of_one_name_keep_scripts_of_their_own(tmp_path: Path) -> None:
    provider = LocalProvider()
    jobs = [provider.submit(request(tmp_path, f"exit {code}")) for code in (1, 2)]
    assert [end_of(provider, job).exit_code for job in jobs] == [1, 2]
    assert {one.name for one in tmp_path.glob("*.sh")} == {"block-0.sh", "block-0-2.sh"}


@pytest.mark.parametrize(
    "command",
    ["sleep 100", "trap '' TERM; setsid sh -c \"trap '' TERM; touch ready; sleep 100\""],
    ids=["polite", "stubborn"],
)
def test_a_cancelled_block_leaves_nothing(
    tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    provider = LocalProvider()
    job = provider.submit(request(tmp_path, command))
    leader = int(job.partition(".")[0])
    stubborn = "setsid" in command
    ready = tmp_path / "ready"
    until(lambda: ready.exists() if stubborn else bool(descendants(leader)), "the command")
    below = descendants(leader)
    before = time.monotonic()
    provider.cancel([job])
    provider.cancel([job])
    assert time.monotonic() - before < 1  # it does not wait for the end
    assert end_of(provider, job).state is JobState.CANCELLED
    until(lambda: not any(map(alive, [leader, *below])), "the end of all processes")


def test_what_is_told_to_end_has_the_time_that_is_promised_for_it(tmp_path: Path) -> None:
    tidy = "trap 'sleep 0.3; touch tidied; exit' TERM; touch ready; while :; do sleep 0.01; done"
    provider = LocalProvider()
    job = provider.submit(request(tmp_path, f'cd {tmp_path}; bash -c "{tidy}"; true'))
    until(lambda: (tmp_path / "ready").exists(), "the command")
    provider.cancel([job])
    assert end_of(provider, job).state is JobState.CANCELLED
    assert (tmp_path / "tidied").exists()


def test_a_script_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SubmitRejected, match="missing"):
        LocalProvider().submit(request(tmp_path / "missing", "true"))


def test_a_machine_without_room_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_args: object, **_more: object) -> int:
        raise BlockingIOError(11, "too many processes")

    monkeypatch.setattr(os, "posix_spawn", no_room)
    with pytest.raises(ProviderUnavailable, match="too many"):
        LocalProvider().submit(request(tmp_path, "true"))


@pytest.mark.parametrize(
    "options, says",
    [
        ({"nodes_per_block": 0}, "nodes_per_block is 0; make it 1"),
        ({"nodes_per_block": 1.5}, "nodes_per_block is 1.5; make it 1 or more, a whole"),
        ({"max_blocks": 0}, "max_blocks is 0; make it 1"),
        ({"init_blocks": "2"}, "init_blocks"),
        ({"min_blocks": True}, "min_blocks"),
        ({"parallelism": -1}, "parallelism"),
        ({"parallelism": "1"}, "parallelism"),
        ({"label": None}, "label"),
        ({"worker_init": ["module load"]}, "worker_init"),
        ({"launcher": "simple"}, "launcher is 'simple'"),
        ({"launcher": SimpleLauncher}, "launcher"),
        ({"status_polling_interval": "often"}, "status_polling_interval"),
        ({"min_blocks": 2}, "make max_blocks the larger"),
        ({"init_blocks": 2}, "make max_blocks the larger"),
        ({"channel": object()}, "leave it out"),
        ({"cmd_timeout": "soon"}, "cmd_timeout"),
    ],
)
def test_settings_that_cannot_work_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        LocalProvider(**options)


def test_durations_may_be_text() -> None:
    provider = LocalProvider(cmd_timeout="2 min", status_polling_interval="500 ms")
    assert (provider.cmd_timeout, provider.status_polling_interval) == (120, 0.5)


def test_its_blocks_are_on_this_machine() -> None:
    assert LocalProvider().blocks_are_local
    assert hash(LocalProvider()) == hash(LocalProvider())
