import math

import pytest

from lamina.vocabulary import ConfigError, read_bytes, read_gibibytes, read_seconds


@pytest.mark.parametrize(
    "text, seconds",
    [
        (5, 5.0), (0.5, 0.5), ("90", 90.0), ("90 s", 90.0), ("5 min", 300.0), ("2h", 7200.0),
        ("1 d", 86400.0), ("250ms", 0.25), ("00:10:00", 600.0), ("01:30", 5400.0),
        ("1-00:00:01", 86401.0), ("00:00:01.5", 1.5),
    ],
)  # fmt: skip
def test_durations_are_read_as_people_write_them(text: float | str, seconds: float) -> None:
    assert read_seconds(text) == seconds


@pytest.mark.parametrize(
    "text, count",
    [
        (1024, 1024), ("4 GiB", 4 * 2**30), ("4 GB", 4 * 10**9), ("512M", 512 * 2**20),
        ("1.5 KiB", 1536), ("7 b", 7),
    ],
)  # fmt: skip
def test_memory_is_read_as_people_write_it(text: float | str, count: int) -> None:
    assert read_bytes(text) == count


def test_a_number_has_the_unit_of_its_parameter() -> None:
    assert read_bytes(2, unit=2**30) == 2 * 2**30


@pytest.mark.parametrize("value", ["", "soon", "5 parsecs", -1, True, float("nan"), [], None])
def test_a_duration_that_means_nothing_is_refused_by_name(value: float | str) -> None:
    with pytest.raises(ConfigError, match="walltime is"):
        read_seconds(value, what="walltime")


@pytest.mark.parametrize("value", ["", "much", "5", "5 XB", -1, True, [], None, math.inf])
def test_memory_that_means_nothing_is_refused_by_name(value: float | str) -> None:
    with pytest.raises(ConfigError, match="memory is"):
        read_bytes(value, what="memory")


def test_gibibytes_that_were_read_are_not_read_again() -> None:
    once = read_gibibytes(2)
    assert once == read_gibibytes(once) == read_gibibytes("2 GiB") == 2 * 2**30
    with pytest.raises(ConfigError, match="memory is"):
        read_gibibytes("much", what="memory")
