import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from lamina.demo import tasks
from lamina.demo.graph import summarise
from lamina.demo.modules import ModuleFacts, read_module
from lamina.vocabulary import File


def files(root: Path) -> list[File]:
    (root / "a b.py").write_text("x = 1\n", encoding="utf-8")
    (root / "c.py").write_text("x = 1\n", encoding="utf-8")
    (root / "d.py").write_text("x = 2\n\n", encoding="utf-8")
    return [File(root / name) for name in ("a b.py", "c.py", "d.py")]


def run(command: Callable[..., str], inputs: list[File], output: Path) -> File:
    file = File(output)
    text = command(inputs=inputs, outputs=[file], stamp="")
    subprocess.run(["bash", "-c", text], check=True)
    return file


def test_identical_files_are_found_by_their_checksums(tmp_path: Path) -> None:
    sums = run(tasks.checksum_files, files(tmp_path), tmp_path / "sums")
    listed = run(tasks.sort_checksums, [sums], tmp_path / "sorted")
    assert tasks.count_identical(listed) == 1


def test_wc_agrees_with_the_parser(tmp_path: Path) -> None:
    inputs = files(tmp_path)
    counted = run(tasks.count_files, inputs, tmp_path / "counts")
    facts = [read_module(file, "m", "m", (0, 0)) for file in inputs]
    graph = tasks.reduce_summaries([summarise("m", facts)])
    assert tasks.compare_counts(graph, [counted]) == ()
    assert tasks.compare_counts(graph, []) == tuple(file.filepath for file in inputs)


def test_the_first_attempt_waits_and_the_second_does_not(tmp_path: Path) -> None:
    file = files(tmp_path)[0]
    marker = tmp_path / "marker"
    done: list[ModuleFacts] = []

    def attempt() -> None:
        what = (file, "m", "m", (0, 0), str(marker))
        done.append(tasks.read_and_wait_for_the_end(*what))

    first = threading.Thread(target=attempt, daemon=True)
    first.start()
    deadline = threading.Event()
    while not marker.exists():
        assert not deadline.wait(0.01)
        assert first.is_alive()
    attempt()
    assert len(done) == 1
    marker.unlink()
    first.join(10)
    assert len(done) == 2
