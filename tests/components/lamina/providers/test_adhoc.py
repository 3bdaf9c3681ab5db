"""A list of hosts, each of which is this one behind a channel of its own."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from lamina.blocks import BlockKeeper, SubmitBlock, Work
from lamina.channels import ChannelError, CommandLost, Completed, LocalChannel
from lamina.processes import alive
from lamina.providers import (
    TERMINAL_STATES,
    AdHocProvider,
    BlockRequest,
    JobState,
    JobStatus,
    Luggage,
    ProviderUnavailable,
)
from lamina.scaling import HtexAutoScale, Off
from lamina.vocabulary import BlockId, ConfigError, JobId
from tests.fakes.kubernetes_api import until


@attrs.define(eq=False)
class Far:
    """A channel to another host, which is this one; it can be cut."""

    hostname: str = "far"
    python: str = "python-there"
    cut: bool = False
    loses: str = ""
    """A command with this in it is run, and its answer is lost."""
    put_fails: BaseException | None = None
    """What the next file that is brought there ends with."""
    asked: int = 0
    """Commands that were run, or could not be."""
    there: LocalChannel = attrs.field(factory=LocalChannel)

    def run(
        self,
        command: Sequence[str],
        *,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
        timeout: float,
    ) -> Completed:
        self.asked += 1
        self.must_be_whole()
        done = self.there.run(command, stdin=stdin, env=env, timeout=timeout)
        if self.loses and self.loses in " ".join(command):
            self.loses = ""
            raise CommandLost("a command")
        return done

    def put(self, local: Path, remote: str) -> None:
        self.must_be_whole()
        error, self.put_fails = self.put_fails, None
        if error is not None:
            raise error
        self.there.put(local, remote)

    def get(self, remote: str, local: Path) -> None:
        self.must_be_whole()
        self.there.get(remote, local)

    def make_directory(self, remote: str) -> None:
        self.must_be_whole()
        self.there.make_directory(remote)

    def close(self) -> None:
        pass

    def must_be_whole(self) -> None:
        if self.cut:
            raise ChannelError("connecting", "no route to host")


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where hosts make the directories of blocks."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def request(place: Path, command: str, luggage: Luggage | None = None) -> BlockRequest:
    return BlockRequest(
        block=BlockId("0"),
        name="block",
        command=command,
        script_dir=place,
        stdout=place / "out",
        stderr=place / "err",
        luggage=luggage,
    )


def reaches(mine: AdHocProvider, job: JobId, *states: JobState) -> JobStatus:
    def look() -> JobStatus | None:
        status = mine.poll([job])[job]
        return status if status.state in (states or TERMINAL_STATES) else None

    found: JobStatus = until(look)
    return found


def test_a_block_runs_to_its_end_and_leaves_nothing_there(tmp_path: Path, places: Path) -> None:
    mine = AdHocProvider(channels=[LocalChannel()], worker_init="export BEFORE=1")
    job = mine.submit(request(tmp_path, "echo $BEFORE; echo no >&2; exit 3"))
    status = reaches(mine, job)
    assert (status.state, status.reason, status.exit_code) == (
        JobState.FAILED,
        "exit status 3",
        3,
    )
    assert ((tmp_path / "out").read_text(), (tmp_path / "err").read_text()) == ("1\n", "no\n")
    assert not list(places.iterdir())
    assert mine.poll([job])[job] == status


def test_luggage_is_brought_for_the_user_alone(tmp_path: Path, places: Path) -> None:
    mine = AdHocProvider(channels=[Far()])
    command = 'cd "$LAMINA_LUGGAGE"; stat -c %a . keys; cat keys/a; echo "$LAMINA_PYTHON"'
    luggage = Luggage(files={"keys/a": b"key\n"}, command=command)
    job = mine.submit(request(tmp_path, "never", luggage))
    assert reaches(mine, job).state is JobState.COMPLETED
    assert (tmp_path / "out").read_text() == "700\n700\nkey\npython-there\n"


def test_each_host_has_one_block_at_a_time(tmp_path: Path) -> None:
    mine = AdHocProvider(channels=[LocalChannel(), Far()])
    jobs = [mine.submit(request(tmp_path, "sleep 60")) for _ in range(2)]
    with pytest.raises(ProviderUnavailable, match="all hosts have a block"):
        mine.submit(request(tmp_path, "true"))
    mine.cancel(jobs[:1])
    assert reaches(mine, jobs[0]).state is JobState.CANCELLED
    jobs.append(mine.submit(request(tmp_path, "true")))
    assert reaches(mine, jobs[2]).state is JobState.COMPLETED
    mine.cancel(jobs)
    assert reaches(mine, jobs[1]).state is JobState.CANCELLED


def test_a_cancelled_block_leaves_no_process_not_even_a_stubborn_one(tmp_path: Path) -> None:
    mine = AdHocProvider(channels=[LocalChannel()])
    pids = tmp_path / "pids"
    stubborn = f"trap '' TERM; echo $BASHPID >> {pids}; while :; do sleep 0.1; done"
    job = mine.submit(request(tmp_path, f'(setsid bash -c "{stubborn}") & {stubborn}'))
    until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    mine.cancel([job])
    assert reaches(mine, job).state is JobState.CANCELLED
    for pid in pids.read_text().split():
        until(lambda pid=pid: not os.path.exists(f"/proc/{pid}"))


def test_a_block_that_ended_well_before_it_was_cancelled_has_ended_well(
    tmp_path: Path, places: Path
) -> None:
    mine = AdHocProvider(channels=[LocalChannel()])
    job = mine.submit(request(tmp_path, "true"))
    [place] = places.iterdir()
    until((place / "ec").exists)
    mine.cancel([job])
    assert mine.poll([job])[job].state is JobState.COMPLETED
    assert not list(places.iterdir())


def test_a_host_that_does_not_answer_is_passed_over(tmp_path: Path) -> None:
    far = Far(cut=True)
    mine = AdHocProvider(channels=[far, LocalChannel()])
    job = mine.submit(request(tmp_path, "true"))
    assert job.startswith("1.")
    with pytest.raises(ProviderUnavailable, match="no route to host"):
        mine.submit(request(tmp_path, "true"))
    assert reaches(mine, job).state is JobState.COMPLETED


def test_a_host_that_falls_silent_says_nothing_of_its_block(tmp_path: Path) -> None:
    far = Far()
    mine = AdHocProvider(channels=[far, LocalChannel()])
    jobs = [mine.submit(request(tmp_path, "sleep 60")) for _ in range(2)]
    far.cut = True
    found = mine.poll(jobs)
    assert [found[job].state for job in jobs] == [JobState.UNKNOWN, JobState.RUNNING]
    assert "host 0, far does not answer" in found[jobs[0]].reason
    with pytest.raises(ProviderUnavailable, match="host 0, far does not answer"):
        mine.poll(jobs[:1])
    with pytest.raises(ProviderUnavailable, match="host 0, far does not answer"):
        mine.cancel(jobs)
    far.cut = False
    mine.cancel(jobs)
    assert {reaches(mine, job).state for job in jobs} == {JobState.CANCELLED}


def test_a_block_that_was_started_without_an_answer_is_ended(tmp_path: Path, places: Path) -> None:
    far = Far(loses="setsid")
    mine = AdHocProvider(channels=[far])
    with pytest.raises(ProviderUnavailable, match="the connection broke"):
        mine.submit(request(tmp_path, "sleep 60"))
    [first] = places.iterdir()
    pid = (first / "pid").read_text().split()[0]
    job = mine.submit(request(tmp_path, "true"))
    until(lambda: not os.path.exists(f"/proc/{pid}"))
    assert reaches(mine, job).state is JobState.COMPLETED


def test_nothing_is_left_of_a_block_that_could_not_be_brought_there(
    tmp_path: Path, places: Path
) -> None:
    far = Far(put_fails=ChannelError("copying", "the disk is full"))
    mine = AdHocProvider(channels=[far])
    with pytest.raises(ProviderUnavailable, match="the disk is full"):
        mine.submit(request(tmp_path, "true"))
    [half] = places.iterdir()
    job = mine.submit(request(tmp_path, "true"))
    assert not half.exists()
    assert reaches(mine, job).state is JobState.COMPLETED
    assert not list(places.iterdir())


def test_an_error_of_ours_takes_no_host_away(tmp_path: Path) -> None:
    far = Far(put_fails=OSError("no space left for a temporary file"))
    mine = AdHocProvider(channels=[far])
    with pytest.raises(OSError, match="no space left"):
        mine.submit(request(tmp_path, "true"))
    assert reaches(mine, mine.submit(request(tmp_path, "true"))).state is JobState.COMPLETED


def test_what_a_block_has_not_written_hinders_nobody_from_clearing_it_away(
    tmp_path: Path, places: Path
) -> None:
    mine = AdHocProvider(channels=[Far()])
    job = mine.submit(request(tmp_path, f"rm {places}/*/out; echo no >&2"))
    assert reaches(mine, job).state is JobState.COMPLETED
    assert (tmp_path / "err").read_text() == "no\n"
    assert not list(places.iterdir())


def test_hosts_that_refuse_are_asked_ever_more_seldom(tmp_path: Path) -> None:
    """An hour as the keeper of an executor's blocks spends it, looking every second."""
    far = Far(cut=True)
    mine = AdHocProvider(channels=[far])
    keeper = BlockKeeper(
        strategy=HtexAutoScale(),
        errors=Off(),
        init_blocks=1,
        min_blocks=1,
        max_blocks=1,
        parallelism=1.0,
        slots_per_block=1,
        max_idletime=60.0,
    )
    asked_at = []
    for now in range(3600):
        for effect in keeper.decide(float(now), Work(10)):
            assert isinstance(effect, SubmitBlock)
            asked_at.append(now)
            with pytest.raises(ProviderUnavailable) as refused:
                mine.submit(request(tmp_path, "true"))
            keeper.not_taken(effect.block, float(now), str(refused.value))
    assert asked_at == [0, 5, 15, 35, 75, 155, 315, 635, 1235, 1835, 2435, 3035]
    assert far.asked == len(asked_at)
    assert not keeper.failed


def test_a_block_whose_directory_is_gone_is_gone(tmp_path: Path, places: Path) -> None:
    mine = AdHocProvider(channels=[LocalChannel()])
    job = mine.submit(request(tmp_path, "sleep 60"))
    [place] = places.iterdir()
    place.rename(tmp_path / "away")
    assert reaches(mine, job).state is JobState.GONE
    os.kill(int((tmp_path / "away" / "pid").read_text().split()[0]), 9)


def test_a_block_that_was_killed_had_no_time_to_say_how(tmp_path: Path, places: Path) -> None:
    mine = AdHocProvider(channels=[LocalChannel()])
    job = mine.submit(request(tmp_path, "exec sleep 60"))
    [place] = places.iterdir()
    os.kill(int((place / "pid").read_text().split()[0]), 9)
    status = reaches(mine, job)
    assert (status.state, status.exit_code) == (JobState.FAILED, None)
    assert "it was killed on host 0, this one" in status.reason


@pytest.mark.parametrize("way", ["kill -9 $$", "exit 3"])
def test_what_an_ended_block_has_left_running_is_ended_before_the_next_one(
    tmp_path: Path, way: str
) -> None:
    """However stubborn it is, and also where the script had no time to tell it to end."""
    mine = AdHocProvider(channels=[LocalChannel()])
    left = f"(trap '' TERM; echo $BASHPID > {tmp_path}/left; sleep 60; sleep 60) &"
    job = mine.submit(
        request(tmp_path, f"{left}\nuntil [ -s {tmp_path}/left ]; do sleep 0.01; done\n{way}")
    )
    assert reaches(mine, job).state is JobState.FAILED
    assert not alive(int((tmp_path / "left").read_text()))


def test_as_many_blocks_as_hosts_unless_something_else_is_said() -> None:
    mine = AdHocProvider(channels=[LocalChannel(), Far()])
    assert (mine.init_blocks, mine.min_blocks, mine.max_blocks) == (2, 0, 2)
    assert (mine.nodes_per_block, mine.blocks_are_local, mine.takes_luggage) == (1, False, True)
    here = AdHocProvider(channels=[LocalChannel()] * 2, init_blocks=1, max_blocks=1)
    assert (here.init_blocks, here.max_blocks) == (1, 1)
    assert (here.blocks_are_local, here.takes_luggage) == (True, False)


def test_a_plan_shows_what_runs_on_which_hosts(tmp_path: Path) -> None:
    mine = AdHocProvider(channels=[Far()], worker_init="module load x")
    how, text = mine.described(request(tmp_path, "run it"))
    assert how == "bash, on one of the hosts"
    assert text == "# host 0, far: python-there\nmodule load x\nrun it"
    packed = request(tmp_path, "never", Luggage(files={}, command="run that"))
    assert mine.described(packed)[1].endswith("\nrun that")


@pytest.mark.parametrize(
    "options, says",
    [
        ({"channels": []}, "channels is empty"),
        ({"channels": LocalChannel()}, "it must be a list of channels"),
        ({"channels": [LocalChannel]}, "it must be a channel"),
        ({"max_blocks": 2}, "max_blocks is 2; make it a whole number between 1 and 1"),
        ({"init_blocks": 2}, "init_blocks is 2"),
        ({"min_blocks": -1}, "min_blocks is -1"),
        ({"worker_init": None}, "it must be text"),
        ({"parallelism": -1}, "make it 0 or more"),
        ({"parallelism": "x"}, "make it 0 or more"),
        ({"cmd_timeout": "x"}, "cmd_timeout is"),
        ({"status_polling_interval": "x"}, "status_polling_interval is"),
    ],
)
def test_settings_that_cannot_work_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        AdHocProvider(**{"channels": [LocalChannel()], **options})
    assert says in str(caught.value)
