"""The main job on real worker processes, one of which is killed in the middle."""

import io
from pathlib import Path

from rich.console import Console

from lamina.demo import Options, run_demo


def test_a_killed_worker_costs_one_attempt_and_no_result(tmp_path: Path) -> None:
    files = tmp_path / "source"
    files.mkdir()
    for n in range(40):
        text = f"import m{n}\n\n\ndef f{n}(x):\n    return x\n"
        (files / f"m{n:02}.py").write_text(text, encoding="utf-8")
    stream = io.StringIO()
    options = Options(files=files, out=tmp_path / "out", workers=2, executor="htex", chaos=True)
    assert run_demo(options, Console(file=stream, width=120)) == 0
    said = stream.getvalue()
    assert "killed a worker with SIGKILL" in said
    assert "run again by the retry policy" in said
    assert "parse m20" in said
    assert "all 40" in said
    figures = {line.strip("│ ") for line in said.splitlines()}
    assert any(line.split() == ["failures", "0"] for line in figures)
