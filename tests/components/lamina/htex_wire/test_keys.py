import os
from pathlib import Path

import pytest

from lamina.htex_wire import WireError, make_keys, read_keys


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    make_keys(tmp_path / "keys")
    return tmp_path / "keys"


def test_keys_are_for_the_user_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_keys(tmp_path / "keys")
    finally:
        os.umask(before)
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "keys").iterdir()} == {0o600}


def test_keys_are_made_once(keys: Path) -> None:
    before = {file.name: file.read_bytes() for file in keys.iterdir()}
    make_keys(keys)
    assert {file.name: file.read_bytes() for file in keys.iterdir()} == before


def test_each_run_has_keys_of_its_own(keys: Path, tmp_path: Path) -> None:
    make_keys(tmp_path / "other")
    assert read_keys(keys, "manager").secret != read_keys(tmp_path / "other", "manager").secret


def test_keys_that_others_may_read_are_not_used(keys: Path) -> None:
    keys.chmod(0o755)
    with pytest.raises(WireError, match="chmod 700"):
        read_keys(keys, "manager")


def test_keys_are_not_put_where_somebody_else_has_led_us(keys: Path, tmp_path: Path) -> None:
    (tmp_path / "trap").symlink_to(keys)
    with pytest.raises(WireError, match="remove it"):
        make_keys(tmp_path / "trap")
    with pytest.raises(WireError, match="remove it"):
        read_keys(tmp_path / "trap", "manager")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_keys_in_somebody_elses_directory_are_not_used(keys: Path) -> None:
    os.chown(keys, 12345, -1)
    with pytest.raises(WireError, match="belongs to user 12345"):
        read_keys(keys, "manager")


def test_a_key_is_not_shown(keys: Path) -> None:
    mine = read_keys(keys, "manager")
    assert mine.secret.decode() not in f"{mine!r} {mine}"
