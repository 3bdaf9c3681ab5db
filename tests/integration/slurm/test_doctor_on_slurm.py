"""The doctor on the real Slurm says what docs/how-to/host.md prints."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "host.md"
CONFIG = """
run_dir = {run_dir!r}

[[executors]]
use = "htex"
label = "functions"
address = "127.0.0.1"

[executors.provider]
use = "slurm"
nodes_per_block = 1
exclusive = false
status_polling_interval = 1
worker_init = {init!r}
"""
VARIES = (
    (r"job \d+", "job N"),
    (r"after [\d.]+ s, \d+ workers", "after N s, N workers"),
    (r"after [\d.]+ s", "after N s"),
    (r"\d+(\.\d+)+(:\d+)?(?=[ ,\n])", "N"),
    (r"(node +ok  )\S+", r"\1N"),
    (r"the same, as far as \d+ ms can tell|[\d.]+ s (ahead|behind) ours", "CLOCK"),
    (r"/\S+ is the same", "RUN_DIR is the same"),
    (r"does not know job N yet|job N is (cancelled|failed)\Z", "TOLD"),
    (r"answers[:,] (and )?TOLD", "answers TOLD"),
)


def plain(text: str) -> str:
    """The text without what is another each time."""
    text = text.rstrip()
    for pattern, stands in VARIES:
        text = re.sub(pattern, stands, text)
    return text


def printed(begins: str) -> str:
    """The text of the page that has this in it."""
    blocks = re.findall(r"```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    [found] = [block for block in blocks if begins in block]
    return plain(found)


@pytest.mark.parametrize(
    "init, status, marks",
    [
        ("", 0, "shared directory  ok"),
        ("echo no such module: python >&2; exit 3", 1, "its output  WRONG"),
    ],
    ids=["well", "failing"],
)
def test_it_says_what_is_printed(
    tmp_path: Path, init: str, status: int, marks: str, cluster: dict[str, str]
) -> None:
    path = tmp_path / "endpoint.toml"
    path.write_text(CONFIG.format(run_dir=str(tmp_path / "runs"), init=init))
    command = [sys.executable, "-m", "lamina.endpoint_cli", "doctor", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stderr) == (status, "")
    assert plain(done.stdout) == printed(marks)
