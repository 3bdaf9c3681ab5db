import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lamina.executors_htex import BlockStanding
from lamina.hosting import read_record
from lamina.hosting.record import RecordSink
from lamina.vocabulary import Event, UsageError

BLOCK = BlockStanding(block="0", job="17", state="running", managers=1, slots=2, since=1.0)
STARTED, ENDED = Event(1.0, "endpoint.started", {}), Event(2.0, "endpoint.ended", {})


def sink(path: Path, *blocks: BlockStanding) -> RecordSink:
    return RecordSink(path, lambda: {"work": blocks})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    sink(tmp_path, BLOCK).take([STARTED])
    record = read_record(tmp_path)
    assert record.blocks == {"work": (BLOCK,)}
    assert record.lives is True
    assert record.program.pid == os.getpid()
    assert (tmp_path / "endpoint.json").stat().st_mode & 0o777 == 0o600


def test_nothing_is_written_for_tasks(tmp_path: Path) -> None:
    one = sink(tmp_path, BLOCK)
    one.take([Event(1.0, "task.state", {})])
    one.close()
    assert list(tmp_path.iterdir()) == []


def told(block: str, state: str) -> Event:
    facts = {"executor": "work", "block": block, "job": "17", "state": state, "reason": "so"}
    return Event(2.0, "block.state", facts)


def test_what_is_told_while_an_executor_closes_is_the_last_word_about_its_blocks(
    tmp_path: Path,
) -> None:
    shown = [BLOCK]
    one = RecordSink(tmp_path, lambda: {"work": tuple(shown)})
    one.take([STARTED])
    shown.clear()
    one.take([told("0", "completing")])
    assert read_record(tmp_path).blocks["work"][0].managers == 1
    one.take([told("0", "cancelled"), told("0", "running"), told("1", "running")])
    one.take([ENDED])
    record = read_record(tmp_path)
    assert record.lives is False
    ((block,),) = record.blocks.values()
    assert (block.state, block.reason, block.managers, block.since) == ("cancelled", "so", 0, 2.0)


def test_the_newest_run_is_found_from_above(tmp_path: Path) -> None:
    for name in ("000", "001"):
        (tmp_path / name).mkdir()
        sink(tmp_path / name).take([STARTED])
    assert read_record(tmp_path).run_dir == tmp_path / "001"
    assert read_record(tmp_path / "000").run_dir == tmp_path / "000"


def test_the_thousandth_run_is_newer_than_the_one_before(tmp_path: Path) -> None:
    for name in ("999", "1000", "kept"):
        (tmp_path / name).mkdir()
        sink(tmp_path / name).take([STARTED])
    assert read_record(tmp_path).run_dir == tmp_path / "1000"


def test_where_nothing_is_there_is_nothing_to_read(tmp_path: Path) -> None:
    (tmp_path / "endpoint.json").write_text("{", encoding="utf-8")
    with pytest.raises(UsageError, match="holds no run of an endpoint"):
        read_record(tmp_path)


@pytest.mark.parametrize("text", ["[]", "{}", '{"endpoint_id": "7"}', "7", '"host"'])
def test_what_another_program_has_written_is_passed_over(tmp_path: Path, text: str) -> None:
    for name in ("000", "001"):
        (tmp_path / name).mkdir()
    sink(tmp_path / "000").take([STARTED])
    (tmp_path / "001" / "endpoint.json").write_text(text, encoding="utf-8")
    assert read_record(tmp_path).run_dir == tmp_path / "000"
    with pytest.raises(UsageError, match="holds no run of an endpoint"):
        read_record(tmp_path / "001")


def rewrite(path: Path, **facts: object) -> None:
    file = path / "endpoint.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | facts))


def test_a_program_that_was_killed_does_not_live(tmp_path: Path) -> None:
    sink(tmp_path).take([STARTED])
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pid = child.pid
    boot, namespace, _, started = read_record(tmp_path).program
    rewrite(tmp_path, program=[boot, namespace, pid, started])
    assert read_record(tmp_path).lives is False


def test_of_another_machine_nobody_can_tell(tmp_path: Path) -> None:
    sink(tmp_path).take([STARTED])
    rewrite(tmp_path, program=["another boot", 1, 1, 1])
    assert read_record(tmp_path).lives is None
