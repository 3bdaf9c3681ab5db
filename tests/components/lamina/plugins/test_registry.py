import logging
import sys
from pathlib import Path

import pytest

from lamina.executors import ThreadPoolExecutor
from lamina.plugins import (
    PluginError,
    UnknownPluginError,
    catalogue,
    entry_point_group,
    resolve,
)
from lamina.scaling import Simple


def test_built_in_names_are_found_in_flat_and_nested_tables():
    assert resolve("executors", "threads") is ThreadPoolExecutor
    assert resolve("scaling", "simple") is Simple


def test_an_object_is_its_own_answer():
    thing = object()
    assert resolve("executors", thing) is thing


def test_a_module_and_a_name_are_found_anywhere():
    assert resolve("executors", "os.path:join") is __import__("os").path.join
    with pytest.raises(PluginError, match="no_such_module"):
        resolve("executors", "no_such_module:x")
    with pytest.raises(PluginError, match="has no 'nothing'"):
        resolve("executors", "os:nothing")


def test_a_plugin_that_a_bundle_lacks_is_told_to_be_elsewhere(monkeypatch):
    monkeypatch.setitem(sys.modules, "lamina.executors_mpi", None)  # as though it were not there
    with pytest.raises(PluginError, match="'mpi' cannot be loaded: it is not in this bundle"):
        resolve("executors", "mpi")


@pytest.mark.parametrize("text", ['raise ValueError("no good")', "def ("])
def test_a_module_that_fails_when_it_is_imported_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "broken_plugins.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(PluginError, match=r"ValueError: no good|SyntaxError") as caught:
        resolve("executors", "broken_plugins:x")
    assert "broken_plugins:x" in str(caught.value)


@pytest.mark.parametrize("name", [":x", ".here:x"])
def test_what_is_no_name_of_a_module_is_refused(name: str) -> None:
    with pytest.raises(PluginError, match=name):
        resolve("executors", name)


def test_an_unknown_name_names_the_known_ones():
    with pytest.raises(UnknownPluginError, match="did you mean 'threads'"):
        resolve("executors", "thread")
    with pytest.raises(UnknownPluginError, match="there are: none"):
        resolve("no_such_group", "x")


def test_entry_points_add_names_and_take_none(tmp_path: Path, monkeypatch, caplog):
    info = tmp_path / "acme_things-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-things\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[{entry_point_group('executors')}]\nthreads = os:getcwd\nacme = os:getpid [fast]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with caplog.at_level(logging.INFO):
        assert resolve("executors", "acme") is __import__("os").getpid
    assert "acme-things" in caplog.text
    assert resolve("executors", "threads") is ThreadPoolExecutor
    with pytest.raises(UnknownPluginError, match="acme, "):
        resolve("executors", "acne")


def test_the_catalogue_lists_plug_ins_with_their_tier():
    threads = [p for p in catalogue() if (p.group, p.name) == ("executors", "threads")]
    assert [(p.tier, p.brick) for p in threads] == [("core", "executors")]
    assert list(catalogue()) == sorted(catalogue(), key=lambda p: (p.group, p.name))
