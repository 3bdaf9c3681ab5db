import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from lamina.executors_htex import BlockStanding
from lamina.hosting.door import Door
from lamina.hosting.record import RecordSink
from lamina.hosting_commands import COMMANDS, add_commands, run_command
from lamina.vocabulary import ConfigError, Event, UsageError

BLOCK = BlockStanding(block="0", job="17", state="running", managers=1, slots=2, since=1.0)


def say(*words: str) -> str:
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers(dest="command"))
    said = run_command(parser.parse_args(words))
    assert said.status == 0
    return said.text


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    sink = RecordSink(tmp_path, lambda: {"work": [BLOCK]})
    sink.take([Event(1.0, "endpoint.started", {})])
    return tmp_path


def test_these_are_the_commands() -> None:
    assert sorted(COMMANDS) == ["blocks", "cleanup", "doctor", "drain", "plan", "plugins"]


def test_plan_says_what_a_file_would_do(tmp_path: Path) -> None:
    path = tmp_path / "endpoint.toml"
    path.write_text('executors = [{ use = "htex", label = "work" }]', encoding="utf-8")
    assert say("plan", str(path)).startswith("executor 'work', on provider 'local'\n")
    path.write_text('executors = [{ use = "htx" }]', encoding="utf-8")
    with pytest.raises(ConfigError, match="did you mean 'htex'"):
        say("plan", str(path))


def test_plugins_are_listed_with_their_tiers() -> None:
    lines = say("plugins").splitlines()
    assert lines[0].split() == ["group", "name", "tier", "about"]
    facts = json.loads(say("plugins", "--json"))
    assert len(facts) == len(lines) - 1
    assert {"group", "name", "tier", "evidence"} <= set(facts[0])


def test_blocks_are_shown_as_the_endpoint_has_written_them(run_dir: Path) -> None:
    first, _, row = say("blocks", str(run_dir)).splitlines()
    assert first.endswith(", running")
    assert row.split() == ["work", "0", "17", "running", "1", "2"]
    facts = json.loads(say("blocks", "--json", str(run_dir)))
    assert facts["lives"] is True
    assert facts["blocks"]["work"][0]["job"] == "17"


def test_where_no_endpoint_was_there_are_no_blocks(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no run"):
        say("blocks", str(tmp_path))


def test_drain_asks_the_endpoint_that_runs(tmp_path: Path) -> None:
    asked: list[Mapping[str, object]] = []
    door = Door(asked.append)
    try:
        sink = RecordSink(tmp_path, lambda: {"work": [BLOCK]}, door.path)
        sink.take([Event(1.0, "endpoint.started", {})])
        assert say("drain", str(tmp_path)).startswith("all blocks: no more tasks")
        said = say("drain", "--executor", "work", "--block", "0", str(tmp_path))
        assert said.startswith("block 0 of work: ")
    finally:
        door.close()
    assert asked == [
        {"do": "drain", "executor": None, "block": None},
        {"do": "drain", "executor": "work", "block": "0"},
    ]


def test_an_endpoint_that_has_ended_drains_nothing(run_dir: Path) -> None:
    RecordSink(run_dir, dict).take([Event(2.0, "endpoint.ended", {})])
    with pytest.raises(UsageError, match="has ended"):
        say("drain", str(run_dir))


def test_cleanup_says_what_it_has_removed(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (run_dir / "sockets").mkdir()
    monkeypatch.setenv("LAMINA_SOCKET_DIR", str(run_dir / "sockets"))
    assert say("cleanup", str(run_dir)) == "nothing to remove"
    (run_dir / "work" / "keys").mkdir(parents=True)
    RecordSink(run_dir, dict).take([Event(2.0, "endpoint.ended", {})])
    assert say("cleanup", str(run_dir)) == f"removed {run_dir / 'work' / 'keys'}"


def test_doctor_says_what_works_and_ends_with_1_where_something_does_not(tmp_path: Path) -> None:
    path = tmp_path / "endpoint.toml"
    executors = 'executors = [{ use = "threads" }, { use = "htex" %s }]'
    text = f'run_dir = "{tmp_path / "runs"}"\n{executors}'
    path.write_text(text % "", encoding="utf-8")
    said = say("doctor", "--patience", "20", str(path))
    assert "executor 'threads'\n  task  ok" in said
    assert "executor 'HighThroughputExecutor'\n  options" in said
    assert "WRONG" not in said
    broken = ', provider = { use = "local", worker_init = "echo no such module >&2; exit 3" }'
    path.write_text(text % broken, encoding="utf-8")
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers(dest="command"))
    sick = run_command(parser.parse_args(["doctor", "--patience", "20", str(path)]))
    assert sick.status == 1
    assert "WRONG" in sick.text
    assert "no such module" in sick.text


@pytest.mark.parametrize("patience", ["inf", "nan", "0", "-1", "1e12", "long"])
def test_a_doctor_s_patience_is_a_time_that_can_be_waited(
    patience: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers(dest="command"))
    with pytest.raises(SystemExit):
        parser.parse_args(["doctor", f"--patience={patience}", "endpoint.toml"])
    assert f"it is {patience!r}; write seconds, such as 600" in capsys.readouterr().err
