import shlex
import subprocess

import pytest

from lamina.channels_ssh.wrapping import after_mark, ending_of, group_of, killing, wrapped

MARK = "lamina-0123"


def shell(line: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=False, timeout=20)


@pytest.mark.parametrize("words", [["a b", "$HOME"], ["it's", '"', "\\", "*", ""], ["new\nline"]])
def test_words_arrive_as_they_are(words: list[str]) -> None:
    said = shell(wrapped(["printf", "%s|", *words], {}, MARK)).stdout
    assert after_mark(said, MARK).decode() == "".join(f"{word}|" for word in words)


def test_a_word_of_the_shell_is_a_program_like_any_other() -> None:
    said = shell(wrapped(["if"], {}, MARK)).stderr
    ended = ending_of(said, MARK)
    assert ended is not None
    assert ended.status == 127


def test_variables_are_added() -> None:
    line = wrapped(["sh", "-c", 'echo "$ONE"'], {"ONE": "a 'b' $c"}, MARK)
    assert after_mark(shell(line).stdout, MARK) == b"a 'b' $c\n"


def test_status_errors_and_group_are_read_from_stderr() -> None:
    done = shell(wrapped(["sh", "-c", "printf oops >&2; exit 3"], {}, MARK))
    assert ending_of(done.stderr, MARK) == (3, b"oops")
    assert group_of(done.stderr, MARK) is not None


@pytest.mark.parametrize("stderr", [b"", b"noise\n", b"lamina-0123 77\nso far", b"lamina-0123 7"])
def test_what_has_not_ended_has_no_ending(stderr: bytes) -> None:
    assert ending_of(stderr, MARK) is None


def test_a_command_that_has_not_begun_has_no_group_and_no_output() -> None:
    assert group_of(b"motd\n", MARK) is None
    assert after_mark(b"motd\n", MARK) == b""


def test_what_is_said_after_the_end_is_kept() -> None:
    assert ending_of(b"lamina-0123 7\none\nlamina-0123 0\ntwo", MARK) == (0, b"onetwo")


@pytest.mark.parametrize("told, status", [(0, 0), (127, 127), (128, 128), (143, -15), (255, 255)])
def test_a_shells_word_for_a_signal_is_its_negative_number(told: int, status: int) -> None:
    ended = ending_of(f"{MARK} 7\n\n{MARK} {told}\n".encode(), MARK)
    assert ended is not None
    assert ended.status == status


def test_killing_ends_a_group_and_what_has_left_it() -> None:
    line = "setsid sh -c 'echo $$; sleep 600 & exec sleep 600'"
    with subprocess.Popen(["/bin/sh", "-c", line], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        group = int(process.stdout.readline())
        assert shell(killing(group)).returncode == 0
        assert process.stdout.read() == ""  # both sleeps have let go of it


def test_the_line_is_one_for_any_shell_with_exec() -> None:
    assert shlex.split(wrapped(["true"], {}, MARK))[:3] == ["exec", "/bin/sh", "-c"]
