import json
from pathlib import Path

import pytest

from lamina.cli import main
from lamina.memo_log import LogResultStore
from lamina.vocabulary import SystemClock


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "demo" in capsys.readouterr().out


def test_version_says_what_runs_on_what(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    said = capsys.readouterr().out
    assert main(["version", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert set(facts) == {"lamina", "python", "platform"}
    assert facts["lamina"] in said


def test_plugins_are_listed_with_their_tiers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["group", "name", "tier", "about"]
    assert main(["plugins", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert len(facts) == len(lines) - 1
    threads = [one for one in facts if (one["group"], one["name"]) == ("executors", "threads")]
    assert [one["tier"] for one in threads] == ["core"]


def test_a_directory_that_is_not_there_is_misuse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--files", str(tmp_path / "gone"), "--out", str(tmp_path / "out")]) == 2
    assert "no directory" in "".join(capsys.readouterr().out.split("\n"))


def test_an_error_of_ours_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.py").write_text("x = 1\n", encoding="utf-8")
    assert main(["demo", "--files", str(tmp_path), "--workers", "0"]) == 1
    assert capsys.readouterr().err.startswith("lamina demo: 0 workers")


def test_an_error_of_the_system_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.py").write_text("x = 1\n", encoding="utf-8")
    assert main(["demo", "--files", str(tmp_path), "--out", str(tmp_path / "a.py")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("lamina demo: ")
    assert "a.py" in said


def test_memo_says_what_is_remembered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["memo", "ls", str(tmp_path)]) == 1
    assert "holds no checkpoint" in capsys.readouterr().err
    store = LogResultStore()
    (tmp_path / "000").mkdir()
    store.open(tmp_path / "000", SystemClock())
    store.close()
    assert main(["memo", "ls", str(tmp_path)]) == 0
    assert str(tmp_path / "000" / "checkpoint") in capsys.readouterr().out
