import re
import subprocess
import sys
from pathlib import Path

import pytest

from lamina.plugins import catalogue

_TEXT = (Path(__file__).parents[2] / "docs/how-to/retry.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", _TEXT, re.DOTALL)


def test_each_policy_of_ours_has_an_example() -> None:
    used = " ".join(EXAMPLES)
    named = {"either": r"\) \| ", "then": r"\.then\("}
    ours = [info.name for info in catalogue() if info.group == "retry_policies"]
    assert len(ours) > 12
    for name in ours:
        pattern = named.get(name, name.title().replace("_", "") + r"\(")
        if name != "default":  # it is what there is without one
            assert re.search(pattern, used), name


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_works_as_printed(tmp_path: Path, number: int) -> None:
    script = tmp_path / "example.py"
    script.write_text(EXAMPLES[number], encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
