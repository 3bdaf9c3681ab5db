import os
import signal
import threading
import time

import pytest

from lamina.channels import ChannelError, CommandLost, CommandTimeout
from tests.components.lamina.channels_ssh.server import PATIENCE, Server, until


def test_output_of_any_size_comes_back_whole_and_apart(server: Server) -> None:
    script = "for i in $(seq 300); do head -c 10000 /dev/zero; head -c 5000 /dev/zero >&2; done"
    done = server.channel().run(["sh", "-c", script], timeout=PATIENCE)
    assert (len(done.stdout), len(done.stderr), done.status) == (3_000_000, 1_500_000, 0)


def test_input_of_any_size_is_read_while_output_comes(server: Server) -> None:
    text = "line of text\n" * 300_000
    assert server.channel().run(["cat"], stdin=text, timeout=PATIENCE).stdout == text


def test_a_command_that_reads_no_input_ends_all_the_same(server: Server) -> None:
    assert server.channel().run(["true"], stdin="x" * 10**7, timeout=PATIENCE) == (0, "", "")


def test_what_the_login_shell_says_is_not_the_commands(server: Server) -> None:
    server.login_shell = "echo welcome; echo a warning >&2; "
    done = server.channel().run(["sh", "-c", "echo one; echo two >&2"], timeout=PATIENCE)
    assert done == (0, "one\n", "two\n")


def test_a_command_that_a_signal_ended_has_its_negative_number(server: Server) -> None:
    done = server.channel().run(["sh", "-c", "kill -TERM $$"], timeout=PATIENCE)
    assert done.status == -15


def test_a_command_that_ends_its_whole_group_was_killed(server: Server) -> None:
    done = server.channel().run(["sh", "-c", "echo said; kill -KILL 0"], timeout=PATIENCE)
    assert (done.status, done.stdout) == (-9, "said\n")


def test_a_login_shell_that_lets_nobody_work_says_so(server: Server) -> None:
    server.login_shell = "echo this account is closed; exit 1; "
    with pytest.raises(ChannelError, match=r"status 1: this account is closed"):
        server.channel().run(["true"], timeout=PATIENCE)


def test_after_its_time_a_commands_whole_group_is_dead(server: Server) -> None:
    channel = server.channel()
    with pytest.raises(CommandTimeout) as caught:
        channel.run(["sh", "-c", "sleep 600 & sleep 600; wait"], timeout=0.5)
    assert caught.value.seconds == 0.5
    assert until(lambda: server.processes[0].poll()) == -9
    assert channel.run(["echo", "on"], timeout=PATIENCE).stdout == "on\n"
    assert server.logins == 1


def test_an_interrupt_leaves_nothing_running(server: Server) -> None:
    class Interrupted(BaseException):
        pass

    def interrupt(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        # It reads first, and so does not interrupt before it is being listened to.
        script = f"read _; kill -USR1 {os.getpid()}; sleep 600 & sleep 600; wait"
        with pytest.raises(Interrupted):
            server.channel().run(["sh", "-c", script], stdin="go\n", timeout=PATIENCE)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert until(lambda: server.processes[0].poll()) == -9


def test_a_command_that_never_began_ends_in_its_time(server: Server) -> None:
    server.login_shell = "exec 2>&-; sleep 3; "
    with pytest.raises(CommandTimeout):
        server.channel().run(["true"], timeout=0.3)


def test_where_its_group_cannot_be_killed_the_time_is_over_nevertheless(server: Server) -> None:
    server.sessions_left = 1
    with pytest.raises(CommandTimeout):
        server.channel().run(["sleep", "600"], timeout=0.3)


def test_a_connection_that_is_cut_ends_the_command_at_once_and_says_what_is_not_known(
    server: Server,
) -> None:
    channel = server.channel()
    caught: list[Exception] = []

    def command() -> None:
        try:
            channel.run(["sleep", "600"], timeout=600)
        except ChannelError as error:
            caught.append(error)

    thread = threading.Thread(target=command)
    thread.start()
    until(lambda: server.processes)
    began = time.monotonic()
    server.cut()
    thread.join(PATIENCE)
    assert time.monotonic() - began < 5
    assert isinstance(caught[0], CommandLost)
    assert "sleep 600" in str(caught[0])
    assert "may have done its work" in str(caught[0])
    assert channel.run(["echo", "again"], timeout=PATIENCE).stdout == "again\n"


@pytest.mark.parametrize("command", [[], [""], ["a\0b"]])
def test_what_is_no_command_is_refused(server: Server, command: list[str]) -> None:
    with pytest.raises(ChannelError, match="no such program"):
        server.channel().run(command, timeout=PATIENCE)


def test_a_host_that_takes_no_commands_says_so(server: Server) -> None:
    server.refuses_commands = True
    with pytest.raises(ChannelError, match="did not take it"):
        server.channel().run(["true"], timeout=PATIENCE)


def test_commands_of_many_threads_share_one_connection(server: Server) -> None:
    channel = server.channel()
    said: list[str] = []

    def command(number: int) -> None:
        said.append(channel.run(["echo", str(number)], timeout=PATIENCE).stdout)

    threads = [threading.Thread(target=command, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(map(int, said)) == list(range(20))
    assert server.logins == 1
