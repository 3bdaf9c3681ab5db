"""The guide to plug-ins: its table is that of the Protocols, and its example works as printed."""

import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from lamina import conformance
from lamina.conformance import Kit
from lamina.plugins import catalogue

_TEXT = (Path(__file__).parents[2] / "docs/how-to/plug-ins.md").read_text(encoding="utf-8")
_ROWS = re.findall(r"^\| `(\w+)` \| `([\w.]+)` \| .* \| (?:`(\w+)` )?\|$", _TEXT, re.MULTILINE)
PLUGIN, KIT, PROGRAM = re.findall(r"```python\n(.*?)```", _TEXT, re.DOTALL)
POINTS, CONFIGURATION = re.findall(r"```toml\n(.*?)```", _TEXT, re.DOTALL)


def test_every_group_is_listed_with_its_protocol_and_its_kit() -> None:
    assert {group for group, _, _ in _ROWS} == {plugin.group for plugin in catalogue()}
    for _, protocol, kit in _ROWS:
        brick, _, name = protocol.rpartition(".")
        assert name in import_module(brick).__all__
        assert not kit or getattr(conformance, kit).protocol == name
    kits = {name for name in conformance.__all__ if isinstance(getattr(conformance, name), Kit)}
    assert {kit for _, _, kit in _ROWS if kit} == kits


def said_by(code: str, folder: Path) -> str:
    (folder / "script.py").write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "acme_blocks.py").write_text(PLUGIN, encoding="utf-8")
    return tmp_path


def test_the_plugin_keeps_what_its_protocol_promises(folder: Path) -> None:
    assert said_by(KIT, folder) == re.findall(r"# (provider: .*\n)", KIT)[0]


def test_a_program_uses_the_plugin_as_printed(folder: Path) -> None:
    assert said_by(PROGRAM, folder) == "19\n"


def test_a_configuration_names_it_by_its_entry_point(folder: Path) -> None:
    group, line = re.findall(r'entry-points\."(.*)"\]\n(.*)', POINTS)[0]
    about = folder / "acme_blocks-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-blocks\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[{group}]\n{line.replace(chr(34), '')}\n")
    (folder / "endpoint.toml").write_text(CONFIGURATION, encoding="utf-8")
    code = (
        "import os\nfrom lamina.endpoint import Endpoint\n"
        "with Endpoint('endpoint.toml') as it:\n    print(it.submit(os.nice, 0).result())\n"
    )
    assert said_by(code, folder) == "19\n"
