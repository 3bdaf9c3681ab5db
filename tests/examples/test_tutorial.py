import re
import subprocess
import sys
from pathlib import Path

import pytest

_TEXT = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"## (.*?)\n.*?```python\n(.*?)```", _TEXT, re.DOTALL)


def test_the_tutorial_has_examples() -> None:
    assert len(EXAMPLES) == _TEXT.count("```python")


@pytest.mark.parametrize("example", [code for _, code in EXAMPLES], ids=[n for n, _ in EXAMPLES])
def test_an_example_of_the_tutorial_works_as_printed(tmp_path: Path, example: str) -> None:
    script = tmp_path / "example.py"
    script.write_text(example, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
