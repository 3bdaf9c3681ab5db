"""The main job on what every machine has: the standard library and the installed packages."""

import io
import re
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from lamina.demo import Options, run_demo
from lamina.demo.source import default_roots

LEFT_OUT = ("__pycache__", "dist-packages", "idle_test", "site-packages", "test", "tests")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_its_figures_are_those_of_find_and_wc_for_over_1000_modules(tmp_path: Path) -> None:
    stream = io.StringIO()
    options = Options(out=tmp_path / "out", workers=2, executor="htex")
    assert run_demo(options, Console(file=stream, width=120)) == 0
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    pruned = " -o ".join(f"-name {name}" for name in LEFT_OUT)
    paths: set[str] = set()
    for root in default_roots():
        # Each root is searched by itself, also one that lies in another.
        found = subprocess.run(
            f"find '{root}' -mindepth 1 \\( {pruned} \\) -prune -o -name '*.py' -type f -print0",
            shell=True,
            capture_output=True,
            check=True,
        )
        paths.update(found.stdout.decode().strip("\0").split("\0"))
    counted = subprocess.run(
        "xargs -0 cat | wc -c",
        shell=True,
        input="\0".join(paths).encode(),
        capture_output=True,
        check=True,
    )
    assert len(paths) > 1000
    assert _figure(report, "modules") + _figure(report, "unreadable") == len(paths)
    if not _figure(report, "unreadable"):
        assert _figure(report, "bytes") == int(counted.stdout)


def _figure(report: str, name: str) -> int:
    found = re.search(rf"<b>([\d,]+)</b>{name}", report)
    assert found is not None, name
    return int(found[1].replace(",", ""))
