import argparse
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from lamina.memo import Entry, OutputMark, StoredMemo, Subject
from lamina.memo_commands import add_memo_commands, run_memo_command
from lamina.memo_log import LogResultStore
from lamina.vocabulary import SystemClock, UsageError


def work(x: int) -> Any:
    return x


def say(*words: str, status: int = 0) -> str:
    parser = argparse.ArgumentParser()
    add_memo_commands(parser.add_subparsers(dest="command"))
    said = run_memo_command(parser.parse_args(["memo", *words]))
    assert said.status == status
    return said.text


def fill(run_dir: Path, *numbers: int, large: int = 1000, **changes: Any) -> list[str]:
    """The keys of what was recorded."""
    memo = StoredMemo(LogResultStore(large=large), errors=[ValueError])
    run_dir.mkdir(parents=True, exist_ok=True)
    memo.start(run_dir, SystemClock())
    keys = [memo.key(Subject(work, (number,), {}, version="v")) for number in numbers]
    memo.record(
        [
            Entry(key, f"<{number}>", "work", (OutputMark("file:///x", 5, 1),))._replace(**changes)
            for key, number in zip(keys, numbers, strict=True)
        ]
    )
    memo.close()
    return [key.hex() for key in keys]


def ended(run_dir: Path) -> None:
    """Have its log look as if its program had ended: as it looks on another machine, later."""
    log = run_dir / "checkpoint" / "results.log"
    data = log.read_bytes()
    log.write_bytes(b"?" + data[1:])
    os.utime(log, (1, 1))


def test_runs_are_listed_with_how_many_results_they_have(tmp_path: Path) -> None:
    fill(tmp_path / "000", 1, 2)
    fill(tmp_path / "001", 3)
    ended(tmp_path / "000")
    heading, first, second = say("ls", str(tmp_path)).splitlines()
    assert heading.split() == ["results", "damaged", "bytes", "began", "state", "run"]
    assert first.split()[:2] == ["2", "1"]
    assert "ended" in first
    assert second.split()[:2] == ["1", "0"]
    assert "may be running" in second
    found = json.loads(say("ls", str(tmp_path), "--json"))
    assert [run["results"] for run in found] == [2, 1]


def test_results_are_listed(tmp_path: Path) -> None:
    keys = fill(tmp_path / "000", 1, 2)
    lines = say("ls", "--results", str(tmp_path)).splitlines()
    assert [line.split()[0] for line in lines[1:]] == [key[:12] for key in keys]
    assert len(say("ls", "--results", "--name", "other", str(tmp_path)).splitlines()) == 1
    found = json.loads(say("ls", "--results", "--json", str(tmp_path)))
    assert [(one["key"], one["task"]) for one in found] == [(key, "work") for key in keys]


def test_a_call_is_shown_with_all_that_is_recorded(tmp_path: Path) -> None:
    (key,) = fill(tmp_path / "000", 1)
    said = say("show", key[:10], str(tmp_path))
    for word in (key, "work", "file:///x (5 bytes)", f"{__name__}.work", "argument x", "version"):
        assert word in said
    assert "<1>" not in said
    assert say("show", "--value", key[:10], str(tmp_path)).endswith("value: '<1>'")


def test_an_exception_and_a_value_that_cannot_be_read_are_shown_too(tmp_path: Path) -> None:
    (key,) = fill(tmp_path / "000", 1, error=ValueError("no"))
    assert say("show", "--value", key, str(tmp_path)).endswith("raised ValueError('no')")
    (key,) = fill(tmp_path / "001", 2, value="x" * 2000)
    shutil.rmtree(tmp_path / "001" / "checkpoint" / "large")
    assert "cannot be read" in say("show", "--value", key, str(tmp_path), status=1)


def test_why_says_what_differs(tmp_path: Path) -> None:
    (first,) = fill(tmp_path / "000", 1)
    (second,) = fill(tmp_path / "001", 2)
    assert "no call of" in say("why", first, str(tmp_path))
    said = say("why", second, str(tmp_path))
    assert said.startswith(f"work ({second[:12]}) was computed at ")
    assert said.endswith("argument 1 (x) differs")


def test_old_runs_are_pruned(tmp_path: Path) -> None:
    for number in range(3):
        fill(tmp_path / f"00{number}", number)
        ended(tmp_path / f"00{number}")
    folder = tmp_path / "000" / "checkpoint"
    assert say("prune", "--keep", "2", "--dry-run", str(tmp_path)) == f"would remove {folder}"
    assert folder.exists()
    assert say("prune", "--keep", "2", str(tmp_path)) == f"removed {folder}"
    assert not folder.exists()
    assert say("prune", "--keep", "2", str(tmp_path)) == "nothing to remove"
    assert say("prune", "--keep", "3", str(tmp_path)) == "nothing to remove"
    fill(tmp_path / "003", 3)
    said = say("prune", "--older-than", "1 d", str(tmp_path)).splitlines()
    assert len(said) == 2
    assert len(say("ls", str(tmp_path)).splitlines()) == 2


def test_a_run_that_may_be_running_is_not_pruned(tmp_path: Path) -> None:
    fill(tmp_path / "000", 1)
    assert "may still be running" in say("prune", "--keep", "0", str(tmp_path))
    assert (tmp_path / "000" / "checkpoint").exists()


def test_what_to_prune_must_be_said(tmp_path: Path) -> None:
    fill(tmp_path / "000", 1)
    for words in ([], ["--keep", "1", "--older-than", "1 d"], ["--keep", "-1"]):
        with pytest.raises(UsageError, match="--keep"):
            say("prune", str(tmp_path), *words)
    with pytest.raises(UsageError, match="--older-than is 'soon'"):
        say("prune", str(tmp_path), "--older-than", "soon")


def test_an_export_can_be_resumed_from(tmp_path: Path) -> None:
    fill(tmp_path / "000", 1, 2)
    fill(tmp_path / "001", 2, 3)
    to = tmp_path / "export"
    assert say("export", str(tmp_path), "--to", str(to)).startswith("3 results are in")
    memo = StoredMemo(LogResultStore(resume=[to]))
    (tmp_path / "b" / "000").mkdir(parents=True)
    memo.start(tmp_path / "b" / "000", SystemClock())
    for number in (1, 2, 3):
        found = memo.look_up(memo.key(Subject(work, (number,), {}, version="v")))
        assert found == (f"<{number}>", (OutputMark("file:///x", 5, 1),), None)
    memo.close()
