"""What becomes of commands and transfers when OpenSSH dies, hangs, or comes back."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lamina.channels import ChannelError, CommandLost, CommandTimeout
from tests.integration.batch import until
from tests.integration.ssh.hosts import PATIENCE, Hosts, sshd

pytestmark = [pytest.mark.service, pytest.mark.timeout(180)]

SIZE = 300_000_000  # bytes; long enough under way for a cut


@pytest.fixture(autouse=True)
def whole(hosts: Hosts) -> Iterator[None]:
    yield
    try:
        sshd("thaw", "key")
    except AssertionError:
        pass  # it is down
    sshd("start", "key")


def meanwhile(action: Callable[[], object]) -> tuple[threading.Thread, list[ChannelError]]:
    caught: list[ChannelError] = []

    def act() -> None:
        try:
            action()
        except ChannelError as error:
            caught.append(error)

    thread = threading.Thread(target=act)
    thread.start()
    return thread, caught


def test_output_of_any_size_comes_back_whole(hosts: Hosts) -> None:
    script = "head -c 50000000 /dev/zero; head -c 20000000 /dev/zero >&2"
    done = hosts.channel("key").run(["sh", "-c", script], timeout=PATIENCE)
    assert (len(done.stdout), len(done.stderr)) == (50_000_000, 20_000_000)


def test_a_connection_that_is_cut_in_the_middle_of_a_command_is_told_at_once(
    hosts: Hosts, tmp_path: Path
) -> None:
    channel = hosts.channel("key")
    begun = tmp_path / "begun"
    command = ["sh", "-c", f"touch {begun}; exec sleep 600"]
    thread, caught = meanwhile(lambda: channel.run(command, timeout=600))
    until(begun.exists)
    began = time.monotonic()
    sshd("crash", "key")
    thread.join(PATIENCE)
    assert time.monotonic() - began < 10
    assert isinstance(caught[0], CommandLost)
    with pytest.raises(ChannelError, match="refused"):
        channel.run(["true"], timeout=PATIENCE)
    sshd("start", "key")
    assert channel.run(["echo", "again"], timeout=PATIENCE).stdout == "again\n"


@pytest.mark.parametrize("way", ["there", "back"])
def test_a_connection_that_is_cut_in_the_middle_of_a_transfer_costs_only_time(
    hosts: Hosts, tmp_path: Path, way: str
) -> None:
    content, there, back = (tmp_path / name for name in ("content", "there", "back"))
    content.write_bytes(os.urandom(1_000_000) * (SIZE // 1_000_000))
    channel = hosts.channel("key")
    channel.run(["true"], timeout=PATIENCE)
    target = there if way == "there" else back
    if way == "there":
        thread, caught = meanwhile(lambda: channel.put(content, str(there)))
    else:
        thread, caught = meanwhile(lambda: channel.get(str(content), back))

    def part() -> int:
        return sum(path.stat().st_size for path in tmp_path.glob(f".{target.name}.*"))

    until(lambda: part() > SIZE // 10)
    sshd("crash", "key")
    so_far = part()
    assert 0 < so_far < SIZE
    assert not target.exists()
    sshd("start", "key")
    thread.join(120)
    assert caught == []
    assert target.read_bytes() == content.read_bytes()
    assert list(tmp_path.glob(".*")) == []


def test_a_host_that_hangs_is_given_up_and_used_again_when_it_is_back(hosts: Hosts) -> None:
    channel = hosts.channel("key", keep_alive=1, connect_timeout=2)
    assert channel.run(["true"], timeout=PATIENCE).status == 0
    sshd("freeze", "key")
    began = time.monotonic()
    with pytest.raises(ChannelError):
        channel.run(["true"], timeout=PATIENCE)
    assert time.monotonic() - began < 20
    sshd("thaw", "key")
    assert channel.run(["echo", "back"], timeout=PATIENCE).stdout == "back\n"


def test_after_its_time_nothing_of_a_command_is_left(hosts: Hosts, tmp_path: Path) -> None:
    channel = hosts.channel("key")
    script = f"echo $$ > {tmp_path}/group; sleep 6171 & sleep 6171 & wait"
    with pytest.raises(CommandTimeout):
        channel.run(["sh", "-c", script], timeout=2)
    until(lambda: channel.run(["pgrep", "-f", "[s]leep 6171"], timeout=PATIENCE).status == 1)


def test_many_commands_at_once_share_the_sessions_that_sshd_allows(hosts: Hosts) -> None:
    channel = hosts.channel("key")
    said: list[str] = []

    def command(number: int) -> None:
        said.append(channel.run(["echo", str(number)], timeout=PATIENCE).stdout.strip())

    threads = [threading.Thread(target=command, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(map(int, said)) == list(range(30))
