import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.s3_server import VARIABLES, S3Server, serving_s3

_TEXT = (Path(__file__).parents[2] / "docs/how-to/stage-from-s3.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", _TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with serving_s3("my-bucket") as server:
        server.files().pipe_file("my-bucket/reads.txt", b"acgt")
        yield server


def run(example: str, folder: Path, s3: S3Server) -> str:
    script = folder / "example.py"
    script.write_text(example, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=folder,
        env={**os.environ, **VARIABLES, "AWS_ENDPOINT_URL": s3.endpoint},
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_objects_are_staged_in_and_out_as_printed(tmp_path: Path, s3: S3Server) -> None:
    assert run(EXAMPLES[0], tmp_path, s3) == "s3://my-bucket/loud/reads.txt\n"
    assert s3.files().cat_file("my-bucket/loud/reads.txt") == b"ACGT"


def test_a_failed_transfer_says_what_is_printed(tmp_path: Path, s3: S3Server) -> None:
    said = run(EXAMPLES[1], tmp_path, s3)
    assert said.startswith("s3://my-bucket/no/such/object was not staged: FileNotFoundError")
    assert len(EXAMPLES) == 2
