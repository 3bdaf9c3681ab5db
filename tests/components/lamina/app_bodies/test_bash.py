import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lamina.app_bodies import (
    AppBadFormatting,
    AppException,
    BashAppNoReturn,
    BashBody,
    BashExitFailure,
    MissingOutputs,
    StdStream,
)
from lamina.app_bodies.bash import command_from, descendants, missing_outputs, run_command
from lamina.vocabulary import File, TaskWalltime


def says(command: str) -> Callable[..., str]:
    return lambda *args, **kwargs: command


def test_the_result_of_a_command_that_went_well_is_zero(tmp_path: Path) -> None:
    out = StdStream(str(tmp_path / "logs" / "out"))
    body = BashBody(lambda word: f"echo {word}", "a", frozenset({"inputs"}), stdout=out)
    assert body("one", inputs=[1]) == 0
    assert body("two") == 0
    assert Path(out.path).read_text() == "one\ntwo\n"


def test_a_bad_exit_has_the_code_and_what_was_written_to_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BashExitFailure) as caught:
        run_command("a", "echo oh >&2; exit 7")
    assert (caught.value.exitcode, caught.value.stderr) == (7, "oh")
    assert "oh" in capsys.readouterr().err
    with pytest.raises(BashExitFailure) as caught:
        run_command("a", "echo oh >&2; exit 7", stderr=StdStream(str(tmp_path / "err")))
    assert caught.value.stderr == "oh"


def test_stderr_that_is_passed_on_keeps_its_characters_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_command("a", "head -c 65535 /dev/zero | tr '\\0' x >&2; printf '\\303\\251\\377!' >&2")
    assert capsys.readouterr().err == "x" * 65535 + "é\ufffd!"


def test_what_others_had_written_to_the_same_file_is_not_taken_for_stderr(tmp_path: Path) -> None:
    stream = StdStream(str(tmp_path / "err"))
    run_command("a", "echo an older task >&2", stderr=stream)
    with pytest.raises(BashExitFailure) as caught:
        run_command("a", "exit 7", stderr=stream)
    assert caught.value.stderr == ""
    with pytest.raises(BashExitFailure) as caught:
        run_command("a", "echo oh >&2; exit 7", stderr=stream)
    assert caught.value.stderr == "oh"


@pytest.mark.parametrize(
    "command",
    [
        "setsid sh -c 'exit 4'",
        "(exit 4)",
        "true; exit 4",
        "# why\n(exit 4)",
        "test $# = 0; exit 4$#",
    ],
)
def test_the_status_is_that_of_the_last_command_waited_for(command: str) -> None:
    with pytest.raises(BashExitFailure) as caught:
        run_command("a", command)
    assert caught.value.exitcode in (4, 40)


def test_a_command_line_may_be_anything_that_bash_reads(tmp_path: Path) -> None:
    out = StdStream(str(tmp_path / "out"))
    run_command("a", "cat <<END\none\nEND\nfor i in 2 3\ndo echo \"$i\" '$x'\ndone  # end", out)
    assert Path(out.path).read_text() == "one\n2 $x\n3 $x\n"
    with pytest.raises(BashExitFailure, match=r"syntax error|unexpected"):
        run_command("a", "echo 'open")


def test_both_streams_may_go_to_one_file(tmp_path: Path) -> None:
    one = StdStream(str(tmp_path / "one"), "w")
    run_command("a", "echo a; echo b >&2; echo c", one, one)
    assert (tmp_path / "one").read_text() == "a\nb\nc\n"


@pytest.mark.parametrize("returned", [None, 3, b"true"])
def test_a_function_must_return_text(returned: object) -> None:
    with pytest.raises(BashAppNoReturn, match="must return the command line"):
        command_from("a", lambda: returned, (), {})


@pytest.mark.parametrize("template,values", [("{} {}", ("one",)), ("{x}", ()), ("{0.y}", (1,))])
def test_formatting_that_fails_is_said_to_have_failed(
    template: str, values: tuple[object, ...]
) -> None:
    with pytest.raises(AppBadFormatting):
        command_from("a", template.format, values, {})


def test_any_other_exception_of_the_function_is_its_own() -> None:
    with pytest.raises(ZeroDivisionError):
        command_from("a", lambda: str(1 / 0), (), {})


def test_a_command_that_bash_cannot_be_given_is_an_app_exception() -> None:
    with pytest.raises(AppException, match="bash"):
        run_command("a", "true \0")


def test_declared_outputs_must_exist(tmp_path: Path) -> None:
    there, gone = File(tmp_path / "there"), File(tmp_path / "gone")
    body = BashBody(says(f"touch {there}"), "a", outputs=(there,))
    assert body() == 0
    with pytest.raises(MissingOutputs, match="gone"):
        BashBody(says("true"), "a", outputs=(there, gone))()
    assert missing_outputs((File("https://example.org/x"),)) == []


def test_at_its_walltime_a_command_dies_with_all_that_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    command = (
        f"setsid sh -c 'echo $$ >> {pids}; exec sleep 60' & sleep 0.1; echo $$ >> {pids}; wait"
    )
    with pytest.raises(TaskWalltime, match=r"walltime of 1\.5 s"):
        run_command("a", command, walltime=1.5)
    found = [int(pid) for pid in pids.read_text().split()]
    assert len(found) == 2
    deadline = time.monotonic() + 5
    while any(map(_runs, found)):
        assert time.monotonic() < deadline


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_this_process_is_among_the_descendants_of_its_parent() -> None:
    assert os.getpid() in list(descendants(os.getppid()))
