import subprocess
from typing import Any

import pytest

from lamina.launchers import (
    Launcher,
    SimpleLauncher,
    SingleNodeLauncher,
    SrunLauncher,
    WrappedLauncher,
    stays_on_one_node,
)
from lamina.vocabulary import ConfigError


def status_of(text: str) -> int:
    return subprocess.run(["bash", "-c", text], check=False, capture_output=True).returncode


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("before", ["", "set -e\n"])
@pytest.mark.parametrize("status", [0, 3])
@pytest.mark.parametrize("kind", ["simple", "wrapped", "any", "all"])
def test_the_exit_status_is_that_of_the_command(
    kind: str, status: int, before: str, debug: bool
) -> None:
    launchers: dict[str, Launcher] = {
        "simple": SimpleLauncher(debug=debug),
        "wrapped": WrappedLauncher("env", debug=debug),
        "any": SingleNodeLauncher(debug=debug, fail_on_any=True),
        "all": SingleNodeLauncher(debug=debug),
    }
    assert status_of(before + launchers[kind](f"sh -c 'exit {status}'", 1, 1)) == status


@pytest.mark.parametrize(
    "fail_on_any, command, status",
    [
        (False, "[ $LAMINA_RANK = 0 ] || exit 5", 0),
        (True, "[ $LAMINA_RANK = 0 ] || exit 5", 5),
        (False, "exit 5", 5),
        (True, "exit 5", 5),
        (True, "true", 0),
    ],
)
def test_one_good_copy_is_enough_unless_any_failure_counts(
    fail_on_any: bool, command: str, status: int
) -> None:
    launcher = SingleNodeLauncher(fail_on_any=fail_on_any)
    assert status_of(f"set -e\n{launcher(command, 3, 1)}") == status


def test_the_copies_of_all_nodes_run_and_know_their_numbers() -> None:
    text = SingleNodeLauncher()("echo $LAMINA_RANK", 2, 2)
    done = subprocess.run(["bash", "-c", text], check=True, capture_output=True, text=True)
    assert sorted(done.stdout.split()) == ["0", "1", "2", "3"]


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("kind", ["simple", "single_node", "wrapped"])
def test_a_failed_command_is_reported_when_debugging(kind: str, debug: bool) -> None:
    launchers: dict[str, Launcher] = {
        "simple": SimpleLauncher(debug=debug),
        "single_node": SingleNodeLauncher(debug=debug),
        "wrapped": WrappedLauncher("env", debug=debug),
    }
    text = launchers[kind]("sh -c 'exit 4'", 1, 1)
    done = subprocess.run(["bash", "-c", text], check=False, capture_output=True, text=True)
    assert done.returncode == 4
    assert ("exit status 4" in done.stderr) == debug


@pytest.mark.parametrize("launcher", [SimpleLauncher(), WrappedLauncher("env")])
def test_the_command_runs_once_whatever_the_number_of_nodes(launcher: Launcher) -> None:
    text = launcher("echo once", 2, 3)
    done = subprocess.run(["bash", "-c", text], check=True, capture_output=True, text=True)
    assert done.stdout == "once\n"


def test_a_prefix_goes_before_the_command() -> None:
    text = WrappedLauncher("echo  in-a-box", debug=False)("run --this", 1, 1)
    done = subprocess.run(["bash", "-c", text], check=True, capture_output=True, text=True)
    assert done.stdout == "in-a-box run --this\n"


def test_a_command_of_several_parts_is_given_to_the_prefix_as_a_whole() -> None:
    launcher = WrappedLauncher("env GREETING=hello", debug=False)
    text = launcher('echo "$GREETING"; echo "$GREETING" again | cat', 1, 1)
    done = subprocess.run(["bash", "-c", text], check=True, capture_output=True, text=True)
    assert done.stdout == "hello\nhello again\n"
    assert "/bin/bash" not in launcher("env A=1 python -m it '/a b'", 1, 1)


def test_some_launchers_are_known_to_stay_on_one_node() -> None:
    assert stays_on_one_node(SimpleLauncher())
    assert stays_on_one_node(SingleNodeLauncher())
    assert not stays_on_one_node(SrunLauncher())
    assert not stays_on_one_node(WrappedLauncher("srun"))


@pytest.mark.parametrize("prepend, says", [("  ", "SimpleLauncher"), (None, "must be text")])
def test_a_prefix_that_says_nothing_is_refused(prepend: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        WrappedLauncher(prepend)


def test_no_copies_are_refused() -> None:
    with pytest.raises(ConfigError, match="1 or more"):
        SingleNodeLauncher()("true", 0, 1)


def test_launchers_with_equal_options_are_equal() -> None:
    assert SingleNodeLauncher() == SingleNodeLauncher()
    assert SimpleLauncher() == SimpleLauncher()
