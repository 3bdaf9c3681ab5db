import json
import os
import socket
from pathlib import Path

import pytest

from lamina.hosting.record import RecordSink
from lamina.hosting_commands.cleaning import clean
from lamina.vocabulary import Event, UsageError


def run(above: Path, name: str, *, lives: bool) -> Path:
    directory = above / name
    (directory / "work" / "keys").mkdir(parents=True)
    (directory / "work" / "keys" / "server.key").write_text("secret")
    (directory / "work" / "interchange.log").write_text("said")
    RecordSink(directory, dict).take([Event(1.0, "endpoint.started", {})])
    if not lives:
        path = directory / "endpoint.json"
        facts = json.loads(path.read_text())
        facts["program"][3] -= 1  # another process had this pid
        path.write_text(json.dumps(facts))
    return directory


def socket_directory(above: Path, name: str, *, listens: bool) -> socket.socket:
    directory = above / name
    directory.mkdir()
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.bind(str(directory / "interchange"))
    if listens:
        link.listen()
    return link


def test_keys_of_a_killed_run_go_and_its_logs_stay(tmp_path: Path) -> None:
    dead = run(tmp_path, "000", lives=False)
    running = run(tmp_path, "001", lives=True)
    empty = tmp_path / "sockets"
    empty.mkdir()
    assert clean(tmp_path, empty) == [dead / "work" / "keys"]
    assert (dead / "work" / "interchange.log").exists()
    assert (running / "work" / "keys" / "server.key").exists()
    assert clean(dead, empty) == []


def test_a_run_whose_record_is_torn_is_left_alone(tmp_path: Path) -> None:
    torn = run(tmp_path, "000", lives=False)
    (torn / "endpoint.json").write_text("{")
    assert clean(tmp_path, tmp_path) == []


def test_sockets_behind_which_nobody_listens_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "s"
    place.mkdir()
    monkeypatch.setenv("LAMINA_SOCKET_DIR", str(place))
    links = [
        socket_directory(place, "lamina-dead", listens=False),
        socket_directory(place, "lamina-busy", listens=True),
    ]
    links[0].close()
    (place / "lamina-new").mkdir()
    (place / "lamina-old").mkdir()
    os.utime(place / "lamina-old", (1, 1))
    (place / "lamina-notes").mkdir()
    (place / "lamina-notes" / "mine.txt").write_text("precious")
    (place / "lamina-file").write_text("precious")
    (place / "lamina-link").symlink_to(place / "lamina-old")
    far = place / ("lamina-" + "far" * 40)  # its socket's name is too long to ask
    far.mkdir()
    (far / "interchange").touch()
    removed = clean(tmp_path)
    links[1].close()
    assert sorted(path.name for path in removed) == ["lamina-dead", "lamina-old"]


def test_what_is_no_directory_cannot_be_cleaned(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no directory"):
        clean(tmp_path / "gone")
