import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def printed_by(page: Path, folder: Path) -> str:
    """What the example of a page prints, beside the files that the page shows."""
    text = page.read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    for configuration in re.findall(r"```toml\n(.*?)```", text, re.DOTALL):
        (folder / "endpoint.toml").write_text(configuration, encoding="utf-8")
    script = folder / "example.py"
    script.write_text(example, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example_of_the_readme_works_as_printed(tmp_path: Path) -> None:
    assert printed_by(README, tmp_path) == "285\nhello world\n"


def test_the_examples_of_the_distributions_work_as_printed(tmp_path: Path) -> None:
    projects = README.parent / "projects"
    assert printed_by(projects / "flow" / "README.md", tmp_path) == "285\n"
    assert printed_by(projects / "endpoint" / "README.md", tmp_path) == "1024\n"
