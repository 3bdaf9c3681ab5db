from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lamina.hosting.directories import fresh_directory, number_of


def test_each_run_has_the_next_number_for_itself(tmp_path: Path) -> None:
    above = tmp_path / "deep" / "runs"
    (above / "007").mkdir(parents=True)
    (above / "notes").mkdir()
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(fresh_directory, [above] * 4))
    assert sorted(path.name for path in made) == ["008", "009", "010", "011"]


def test_it_is_for_the_user_alone(tmp_path: Path) -> None:
    assert fresh_directory(tmp_path).stat().st_mode & 0o777 == 0o700


def test_a_name_that_is_no_number_has_none() -> None:
    assert [number_of(name) for name in ("000", "1000", "notes", "-1", "")] == [0, 1000, -1, -1, -1]
