"""The wheel of projects/flow, built and installed in an environment that has nothing of ours."""

import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.projects.environments import ROOT, Workshop, run

PROJECT = ROOT / "projects" / "flow"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def wheel(workshop: Workshop) -> Path:
    return workshop.wheel("projects/flow")


@pytest.fixture
def fresh(workshop: Workshop) -> Path:
    """The bin folder of an environment with nothing but the wheel installed."""
    return workshop.environment("projects/flow")


def test_each_brick_is_shipped_with_its_card_and_its_types(wheel: Path) -> None:
    bricks = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["polylith"]["bricks"]
    shipped = set(zipfile.ZipFile(wheel).namelist())
    for source, target in bricks.items():
        folder = (PROJECT / source).resolve()
        wanted = {"brick.toml", "py.typed"}
        wanted |= {str(path.relative_to(folder)) for path in folder.rglob("*.py")}
        assert {f"{target}/{name}" for name in wanted} <= shipped


def test_nothing_else_is_shipped(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "lamina/__init__.py" not in names
    assert [n for n in names if not n.startswith(("lamina/", "lamina_flow-"))] == []
    assert [n for n in names if "__pycache__" in n or n.endswith(".pyc")] == []


def test_the_public_face_comes_from_the_wheel(fresh: Path, tmp_path: Path) -> None:
    show = "import lamina.flow; print(lamina.flow.__file__)"
    file = run([fresh / "python", "-c", show], cwd=tmp_path).strip()
    assert Path(file).is_relative_to(fresh.parent)


def test_the_command_says_its_version(fresh: Path, tmp_path: Path) -> None:
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    assert version in run([fresh / "lamina", "version"], cwd=tmp_path)
    assert version in run([fresh / "python", "-m", "lamina.cli", "version"], cwd=tmp_path)


def test_the_demo_runs_on_a_folder_of_files(fresh: Path, tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "shapes.py").write_text("import math\n\n\ndef area(r):\n    return math.pi * r * r\n")
    (files / "circle.py").write_text("import shapes\n\nprint(shapes.area(2))\n")
    command = [fresh / "lamina", "demo", "--files", files, "--workers", "1"]
    assert "circle" in run(command, cwd=tmp_path) + "".join(
        path.read_text() for path in tmp_path.rglob("*.html")
    )
