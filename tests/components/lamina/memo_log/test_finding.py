from pathlib import Path

import pytest

from lamina.memo_log import checkpoint_named, get_all_checkpoints, get_last_checkpoint
from lamina.memo_log.finding import logs_to_read
from lamina.vocabulary import ConfigError


def made(base: Path, *runs: str) -> list[Path]:
    folders = [base / run / "checkpoint" for run in runs]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "results.log").touch()
    return folders


def test_runs_are_found_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    made(tmp_path, "1000", "999", "000")
    (tmp_path / "001").mkdir()
    (tmp_path / "notes").mkdir()
    found = [Path(one).parent.name for one in get_all_checkpoints(tmp_path)]
    assert found == ["000", "999", "1000"]
    assert get_last_checkpoint(str(tmp_path)) == [str(tmp_path / "1000" / "checkpoint")]


def test_where_nothing_was_run_nothing_is_found(tmp_path: Path) -> None:
    assert get_all_checkpoints(tmp_path / "nowhere") == []
    assert get_last_checkpoint(tmp_path) == []


def test_a_checkpoint_is_named_by_its_run_or_by_itself(tmp_path: Path) -> None:
    (folder,) = made(tmp_path, "000")
    assert checkpoint_named(folder) == folder
    assert checkpoint_named(folder.parent) == folder
    with pytest.raises(ConfigError, match="holds no checkpoint"):
        checkpoint_named(tmp_path)


def test_a_run_begins_with_all_that_are_there_with_those_named_or_with_none(tmp_path: Path) -> None:
    first, second, own = made(tmp_path, "000", "001", "002")
    assert logs_to_read("last", own.parent) == [first, second]
    assert logs_to_read([second.parent, first, first], own.parent) == [second, first]
    assert logs_to_read((), own.parent) == logs_to_read(None, own.parent) == []
    with pytest.raises(ConfigError):
        logs_to_read([tmp_path / "003"], own.parent)
