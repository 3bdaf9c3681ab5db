import subprocess
from pathlib import Path

import pytest

from lamina.providers_batch.dialect import BatchJob
from lamina.providers_batch.scripts import (
    clock,
    directive,
    opening_output,
    short_name,
    written,
)


def job(place: Path, command: str, worker_init: str = "") -> BatchJob:
    return BatchJob(
        name="name",
        nodes=1,
        launched=command,
        worker_init=worker_init,
        stdout=place / "out",
        stderr=place / "err",
        exit_code=place / "it's here.ec",
    )


def run(text: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command, status", [("true", 0), ("(exit 3)", 3), ("exit 4", 4)])
def test_a_script_leaves_its_exit_status(tmp_path: Path, command: str, status: int) -> None:
    made = job(tmp_path, command)
    made.exit_code.write_text("old")
    assert run(written([], "", made)).returncode == status
    assert made.exit_code.read_text() == f"{status}\n"


@pytest.mark.parametrize("name, status", [("TERM", 143), ("USR1", 138), ("XCPU", 152)])
def test_a_script_that_is_told_to_end_leaves_that(tmp_path: Path, name: str, status: int) -> None:
    made = job(tmp_path, f"kill -{name} $$; true")
    assert run(written([], "", made)).returncode == status
    assert made.exit_code.read_text() == f"{status}\n"


def test_what_an_earlier_run_left_is_removed_first(tmp_path: Path) -> None:
    made = job(tmp_path, f'[ ! -e "{tmp_path}/it\'s here.ec" ]')
    made.exit_code.write_text("0")
    assert run(written([], "", made)).returncode == 0


def test_everything_has_its_place(tmp_path: Path) -> None:
    made = job(tmp_path, "the command", worker_init="module load it")
    text = written(["#X one"], "\n#X two\n", made, exports=[("A", "b c"), ("N", 2)])
    lines = text.splitlines()
    assert lines[:3] == ["#!/bin/bash", "#X one", "#X two"]
    assert lines[-4:] == ["export A='b c'", "export N=2", "module load it", "the command"]
    assert text.endswith("\n")


@pytest.mark.parametrize(
    "value, text",
    [
        ("debug", "debug"),
        (3, "3"),
        ("a b", '"a b"'),
        ('say "hi"', r'"say \"hi\""'),
        ("back\\slash", r'"back\\slash"'),
        ("/a/b-%j.out", "/a/b-%j.out"),
    ],
)
def test_values_of_directives_are_quoted_where_they_must_be(value: object, text: str) -> None:
    assert directive(value) == text


@pytest.mark.parametrize(
    "seconds, text",
    [(600, "00:10:00"), (0.5, "00:00:01"), (3661, "01:01:01"), (360_000, "100:00:00")],
)
def test_durations_are_rounded_up(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize(
    "wanted, longest, name",
    [
        ("lamina.htex.block-0", 64, "lamina.htex.block-0.abcd"),
        ("my executor/2", 64, "my-executor-2.abcd"),
        ("lamina.htex.block-0", 15, "lamina.hte.abcd"),
        ("0-htex", 64, "lamina-0-htex.abcd"),
        ("", 15, "lamina.abcd"),
        ("a---------b", 8, "a.abcd"),
    ],
)
def test_names_are_short_enough_and_end_with_the_token(
    wanted: str, longest: int, name: str
) -> None:
    assert short_name(wanted, "abcd", longest) == name
    assert len(name) <= longest


def test_a_script_may_open_its_output_before_all_else(tmp_path: Path) -> None:
    (place := tmp_path / "a 'b' $HOME").mkdir()
    made = opening_output(job(place, "echo ran; echo bad >&2", "echo init"), "echo more")
    assert run(written([], "", made)).stdout == ""
    assert (place / "out").read_text() == "more\ninit\nran\n"
    assert (place / "err").read_text() == "bad\n"
