"""The main job on over a thousand real modules: of the standard library and installed packages."""

import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from lamina.demo import Options, run_demo
from lamina.demo.source import default_roots, find_sources

MODULES = 1100  # of the thousands that the demo finds by itself, so that it takes seconds


@pytest.fixture
def library(tmp_path: Path) -> Path:
    place = tmp_path / "library"
    for root in default_roots():
        for source in find_sources([root], leave_out_tests=True)[: MODULES // 2 + 50]:
            copy = place / root.name / Path(source.path).relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source.path, copy)
    return place


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_its_figures_are_those_of_find_and_wc_for_over_1000_modules(
    library: Path, tmp_path: Path
) -> None:
    stream = io.StringIO()
    options = Options(files=library, out=tmp_path / "out", workers=2, executor="htex")
    assert run_demo(options, Console(file=stream, width=120)) == 0
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    counted = subprocess.run(
        f"find '{library}' -name '*.py' -type f -print0 | tee >(tr -cd '\\0' | wc -c) "
        ">(xargs -0 cat | wc -c) > /dev/null; wait",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        check=True,
    )
    modules, size = sorted(int(word) for word in counted.stdout.split())
    assert modules > 1000
    assert _figure(report, "modules") + _figure(report, "unreadable") == modules
    if not _figure(report, "unreadable"):
        assert _figure(report, "bytes") == size


def _figure(report: str, name: str) -> int:
    found = re.search(rf"<b>([\d,]+)</b>{name}", report)
    assert found is not None, name
    return int(found[1].replace(",", ""))
