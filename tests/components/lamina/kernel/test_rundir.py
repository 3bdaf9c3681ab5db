import threading
from pathlib import Path

from lamina.kernel.rundir import make_run_dir


def test_runs_are_numbered_and_the_next_comes_after_the_last(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    assert make_run_dir(tmp_path).name == "000"
    (tmp_path / "007").mkdir()
    assert make_run_dir(tmp_path).name == "008"


def test_two_programs_at_once_get_directories_of_their_own(tmp_path: Path) -> None:
    made: list[Path] = []
    threads = [
        threading.Thread(target=lambda: made.append(make_run_dir(tmp_path / "a"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 8
