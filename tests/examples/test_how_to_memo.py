"""The guides about memo and checkpoint do what they say."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (HOW_TO / page).read_text("utf-8"), re.DOTALL)


def run(code: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    script = folder / "script.py"
    script.write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def lamina(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "lamina.cli", "memo", *words]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=50, check=True
    ).stdout


@pytest.mark.timeout(120)
def test_a_campaign_that_is_started_again_computes_nothing_twice(tmp_path: Path) -> None:
    campaign = blocks("resume-a-campaign.md")[0]
    first, second = run(campaign, tmp_path), run(campaign, tmp_path)
    assert "found: 0\n" in first.stderr
    assert "found: 200\n" in second.stderr
    assert first.stdout == second.stdout
    assert len(lamina(tmp_path, "ls").splitlines()) == 3
    changed = campaign.replace("simulate(seed)", "simulate(seed, 10)")
    assert "found: 0\n" in run(changed, tmp_path).stderr
    lines = lamina(tmp_path, "ls", "--results", "--name", "simulate").splitlines()
    assert "argument 2 (steps) differs" in lamina(tmp_path, "why", lines[-1].split()[0])
    assert lamina(tmp_path, "export", "--to", "results").startswith("400 results")
    resumed = campaign.replace('run_dir="runinfo"', 'run_dir="new", checkpoint_files=["results"]')
    assert "found: 200\n" in run(resumed, tmp_path).stderr


def test_the_error_is_the_one_that_is_printed(tmp_path: Path) -> None:
    (tmp_path / "geometry.py").write_text("class Mesh: ...\n", encoding="utf-8")
    code = """
import dataclasses
import geometry
from lamina.flow import Config, ThreadPoolExecutor, load, python_app

@dataclasses.dataclass
class Body:
    parts: list

@python_app(cache=True)
def area(mesh):
    return 0

with load(Config(executors=[ThreadPoolExecutor()])):
    print(area(Body([1, 2, 3, geometry.Mesh()])).exception())
"""
    (printed,) = re.findall(
        r"```\n(no rule .*?)```", (HOW_TO / "memo-keys.md").read_text("utf-8"), re.DOTALL
    )
    assert run(code, tmp_path).stdout.split() == printed.split()


@pytest.mark.parametrize(
    "code", [blocks("resume-a-campaign.md")[1], blocks("memo-keys.md")[0]], ids=["strict", "key"]
)
def test_an_example_works_as_printed(tmp_path: Path, code: str) -> None:
    run(code, tmp_path)
