import json
from pathlib import Path

import pytest

from lamina.executors_htex import HighThroughputExecutor
from lamina.executors_htex.configs import (
    interchange_config,
    make_socket_dir,
    manager_config,
    write_manager_config,
)
from lamina.executors_htex.settings import Settings
from lamina.htex_core import MostFreeManagerSelector


def settings(**options: object) -> Settings:
    return HighThroughputExecutor("it", **options).settings  # type: ignore[arg-type]


def test_a_socket_directory_is_for_the_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAMINA_SOCKET_DIR", str(tmp_path))
    made = Path(make_socket_dir())
    assert made.parent == tmp_path
    assert made.stat().st_mode & 0o777 == 0o700


def test_a_unix_socket_needs_no_encryption(tmp_path: Path) -> None:
    config = interchange_config(settings(), tmp_path, "htex-1", "/run/it")
    assert config["bind"] == "ipc:///run/it/interchange"
    assert config["encrypted"] is False
    config = interchange_config(settings(address="127.0.0.1"), tmp_path, "htex-1", None)
    assert config["bind"].startswith("tcp://127.0.0.1:")
    assert config["encrypted"] is True


def test_a_selector_goes_with_the_places_where_it_may_be_found(tmp_path: Path) -> None:
    assert interchange_config(settings(), tmp_path, "htex-1", "/run/it")["selector"] is None
    chosen = settings(manager_selector=MostFreeManagerSelector())
    place, options, path = interchange_config(chosen, tmp_path, "htex-1", "/run/it")["selector"]
    assert place.endswith(":MostFreeManagerSelector")
    assert options == {}
    assert path
    assert all(Path(entry).is_absolute() for entry in path)


def test_managers_are_told_in_a_file_that_is_always_whole(tmp_path: Path) -> None:
    interchange = interchange_config(settings(), tmp_path, "htex-1", "/run/it")
    config = manager_config(settings(max_workers_per_node=3), interchange, None)
    path = tmp_path / "manager.json"
    for addresses in ([], ["ipc:///run/it/interchange"]):
        write_manager_config(tmp_path, config, addresses)
        said = json.loads(path.read_text(encoding="utf-8"))
        assert said["addresses"] == addresses
        assert said["workers"] == 3
        assert said["package"] == "htex-1"
        assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["manager.json"]
