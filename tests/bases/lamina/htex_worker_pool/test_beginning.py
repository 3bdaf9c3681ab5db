import json
import os
import threading
from pathlib import Path

import pytest

from lamina.htex_worker_pool.beginning import await_addresses, read_config

ADDRESS = "tcp://127.0.0.1:1234"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "manager.json", [])


def write(path: Path, addresses: list[str]) -> Path:
    fresh = path.with_name("fresh")
    fresh.write_text(json.dumps({"addresses": addresses, "keys": "keys"}), encoding="utf-8")
    return fresh.replace(path)


def test_keys_are_beside_the_file_that_came_with_them(path: Path) -> None:
    assert read_config(path)["keys"] == str(path.parent / "keys")


def test_addresses_that_are_there_are_not_waited_for(path: Path) -> None:
    write(path, [ADDRESS])
    assert await_addresses(path, [], 0.0) == [ADDRESS]


def test_a_file_without_addresses_is_looked_at_until_it_has_some(path: Path) -> None:
    heard, told = os.pipe()
    try:
        later = threading.Timer(0.05, write, (path, [ADDRESS]))
        later.start()
        assert await_addresses(path, [heard], 30.0) == [ADDRESS]
        later.join()
    finally:
        os.close(heard)
        os.close(told)


def test_news_ends_the_wait(path: Path) -> None:
    heard, told = os.pipe()
    try:
        os.write(told, b"x")
        assert await_addresses(path, [heard], 30.0) == heard
    finally:
        os.close(heard)
        os.close(told)


def test_patience_ends(path: Path) -> None:
    assert await_addresses(path, [], 0.01) is None
