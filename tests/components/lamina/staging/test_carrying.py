from pathlib import Path

import pytest

from lamina.staging.carrying import read_content, write_content
from lamina.vocabulary import File, StagingFailed


def test_a_file_a_directory_and_matches_are_carried(tmp_path: Path) -> None:
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "x").write_text("1")
    (tmp_path / "d" / "e" / "y").write_text("2")
    write_content(read_content(tmp_path / "d" / "x", File("fake://h/x")), tmp_path / "one")
    assert (tmp_path / "one").read_text() == "1"
    write_content(read_content(tmp_path / "d", File("fake://h/d/")), tmp_path / "tree")
    assert (tmp_path / "tree" / "e" / "y").read_text() == "2"
    found = read_content(tmp_path / "d" / "*", File("fake://h/*"))
    assert found.parts == (("x", b"1"),)


def test_too_much_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("12345")
    with pytest.raises(StagingFailed, match="working_dir") as caught:
        read_content(tmp_path / "x", File("fake://h/x"), most=4)
    assert not caught.value.again
