from pathlib import Path

from lamina.kernel.outputs import marks_of, out_of_sight, what_changed
from lamina.vocabulary import File


def test_marks_hold_until_a_file_changes_or_goes(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("a")
    outputs = [File(path)]
    marks = marks_of(outputs)
    assert marks is not None
    assert marks[0].size == 1
    assert what_changed(outputs, marks) == ""
    path.write_text("ab")
    assert "is not as it was: 1 bytes changed at" in what_changed(outputs, marks)
    path.unlink()
    assert what_changed(outputs, marks) == f"its output {path} is missing"
    assert what_changed((), marks) == "it has 0 outputs, where it had 1"
    assert marks_of(outputs) is None


def test_a_remote_output_has_no_mark() -> None:
    assert marks_of([File("http://host/x")]) is None
    assert "http://host/x is not on this host" in out_of_sight([File("/x"), File("http://host/x")])
    assert out_of_sight([File("/x"), File("file:///y")]) == ""


def test_no_outputs_are_always_there() -> None:
    assert what_changed((), ()) == ""
