"""The kit of Launcher: the program that it uses must be on PATH, be it the real one or a fake."""

import subprocess
import tempfile
from pathlib import Path

from lamina.conformance.clauses import Kit, clause, expect
from lamina.launchers import Launcher

__all__ = ["LAUNCHER"]

_PATIENCE = 30.0  # seconds


def _bash(text: str) -> "subprocess.CompletedProcess[str]":
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(
            ["bash", "-c", text],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )


@clause("launcher.text")
def _same(launcher: Launcher) -> None:
    """It is text in, text out: the same arguments give the same text."""
    first, second = launcher("true", 2, 3), launcher("true", 2, 3)
    expect(first == second, else_say=f"{first!r}, then {second!r}")


@clause("launcher.runs")
def _runs(launcher: Launcher) -> None:
    """The text runs the command, with quotes, dollars and several lines as they were."""
    done = _bash(launcher("x='a  b'\necho \"it's $x\" | cat", 1, 1))
    expect("it's a  b\n" in done.stdout, else_say=f"{done.stdout!r} {done.stderr!r}")


@clause("launcher.status.zero")
def _zero(launcher: Launcher) -> None:
    """Where all copies end well, the status is 0."""
    done = _bash(launcher("true", 2, 1))
    expect(done.returncode == 0, else_say=f"status {done.returncode}, {done.stderr!r}")


@clause("launcher.status.failure")
def _failure(launcher: Launcher) -> None:
    """The exit status of the text is the command's."""
    done = _bash(launcher("(exit 7)", 1, 1))
    expect(done.returncode == 7, else_say=f"status {done.returncode}")


@clause("launcher.status.all_fail")
def _all_fail(launcher: Launcher) -> None:
    """Where every copy ends with the same status, that is the text's."""
    done = _bash(launcher("(exit 7)", 2, 1))
    expect(done.returncode == 7, else_say=f"status {done.returncode}, {done.stderr!r}")


@clause("launcher.status.some_fail")
def _some_fail(launcher: Launcher) -> None:
    """One copy that fails makes the text fail, unless it says ``fail_on_any=False``."""
    with tempfile.TemporaryDirectory() as folder:
        seen = f"{folder}/copy"
        # The others wait for the first: whoever starts the copies may end all when one fails.
        command = (
            f'touch {seen}.${{LAMINA_RANK:-0}}\n[ "${{LAMINA_RANK:-0}}" = 0 ] && exit 0\n'
            f"until [ -e {seen}.0 ]; do sleep 0.02; done\nexit 5"
        )
        done = _bash(launcher(command, 2, 1))
        copies = len(list(Path(folder).iterdir()))
    enough = copies == 1 or not getattr(launcher, "fail_on_any", True)
    expect(
        done.returncode == (0 if enough else 5),
        else_say=f"status {done.returncode} of {copies} copies, {done.stderr!r}",
    )


@clause("launcher.goes_on")
def _goes_on(launcher: Launcher) -> None:
    """What stands after the text is run, and finds what it had set before."""
    text = launcher("mine=inside; exit 3", 1, 1)
    done = _bash(f'mine=outside\n{text}\necho "after $? $mine"')
    expect(done.stdout.endswith("after 3 outside\n"), else_say=f"{done.stdout!r} {done.stderr!r}")


LAUNCHER = Kit(
    "launcher",
    "Launcher",
    1,
    (_same, _runs, _zero, _failure, _all_fail, _some_fail, _goes_on),
)
