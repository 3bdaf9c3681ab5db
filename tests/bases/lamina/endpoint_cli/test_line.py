from pathlib import Path

import pytest

from lamina.endpoint_cli import main


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "cleanup" in capsys.readouterr().out


def test_a_command_prints_what_it_has_to_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split()[0] == "group"


def test_an_error_of_ours_is_told_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", str(tmp_path / "gone.toml")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("lamina-endpoint: ")
    assert "gone.toml cannot be read" in said


def test_an_error_of_the_system_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "endpoint.toml"
    # Its run_dir would be below a file.
    text = f'run_dir = "{file}/runs"\nexecutors = [{{ use = "threads" }}]'
    file.write_text(text, encoding="utf-8")
    assert main(["doctor", str(file)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("lamina-endpoint: ")
    assert said.count("\n") == 1


def test_what_is_no_command_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["fly"])
    assert caught.value.code == 2
    assert "fly" in capsys.readouterr().err
