import io
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from lamina.demo.job import Options, RunsAgain, run_demo
from lamina.demo.outcome import Ledger
from lamina.retry_policy import Again, GiveUp, Trouble
from lamina.vocabulary import Cause, Failure, HasStarted, WorkerLost


def trouble(cause: Cause, times: int) -> Trouble:
    error = WorkerLost("the worker was killed", HasStarted.YES)
    failure = Failure(cause=cause, error=error, started=HasStarted.YES)
    return Trouble(task="parse x", failure=failure, history=[failure] * times, executor="htex")


def test_a_task_whose_worker_died_is_run_again_and_told_of() -> None:
    ledger = Ledger()
    assert RunsAgain(ledger).decide(trouble(Cause.WORKER_LOST, 1)) == Again()
    assert [tuple(one) for one in ledger.retried] == [("parse x", 1, "the worker was killed")]


@pytest.mark.parametrize("cause, times", [(Cause.APPLICATION, 1), (Cause.WORKER_LOST, 3)])
def test_the_rest_is_not_run_again(cause: Cause, times: int) -> None:
    ledger = Ledger()
    assert RunsAgain(ledger).decide(trouble(cause, times)) == GiveUp()
    assert ledger.retried == ()


def tree(root: Path) -> Path:
    for package in ("one", "two"):
        (root / package).mkdir(parents=True)
        for name in ("__init__", "a", "b"):
            text = f"import os, one\n\n\ndef {name}(x):\n    return x if x else '{package}'\n"
            (root / package / f"{name}.py").write_text(text, encoding="utf-8")
    (root / "latin.py").write_bytes(b"x = '\xe9'\n")
    (root / "broken.py").write_bytes(b"def f(:\n")
    return root


def run(options: Options) -> str:
    stream = io.StringIO()
    assert run_demo(options, Console(file=stream, width=120)) == 0
    return stream.getvalue()


def figure(said: str, name: str) -> str:
    line = next(line for line in said.splitlines() if f"│ {name}  " in line)
    return line.strip("│ ").removeprefix(name).strip()


def test_figures_agree_with_find_and_wc_and_a_second_run_reuses_the_first(tmp_path: Path) -> None:
    files = tree(tmp_path / "source")
    options = Options(files=files, out=tmp_path / "out", workers=2, executor="threads")
    said = run(options)
    count = subprocess.run(
        f"find '{files}' -name '*.py' -type f | grep -v -e latin -e broken | xargs cat | wc -lc",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    lines, size = (f"{int(word):,}" for word in count.stdout.split())
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert f"<b>{lines}</b>lines" in report
    assert f"<b>{size}</b>bytes" in report
    assert "<b>6</b>modules" in report
    assert figure(said, "failures") == "2"
    assert figure(said, "reused from an earlier run") == "0"
    assert figure(said, "files where wc disagrees") == "0"
    assert figure(said, "files identical to another") == "0"
    assert "not UTF-8" in said
    again = run(options)
    assert figure(again, "reused from an earlier run") == "8"  # 6 modules, sha256sum and wc
    assert figure(again, "tasks") == figure(said, "tasks")


def test_chaos_needs_processes_to_kill(tmp_path: Path) -> None:
    files = tree(tmp_path / "source")
    options = Options(files=files, out=tmp_path / "out", executor="threads", chaos=True)
    assert "--chaos needs worker processes" in run(options)


def test_an_empty_directory_is_misuse(tmp_path: Path) -> None:
    stream = io.StringIO()
    assert run_demo(Options(files=tmp_path), Console(file=stream)) == 2
