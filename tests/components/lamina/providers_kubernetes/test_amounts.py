import pytest

from lamina.providers_kubernetes.amounts import read_cpu, read_memory, written_cpu
from lamina.vocabulary import ConfigError


@pytest.mark.parametrize(
    "given, cores, written",
    [(2, 2, "2000m"), (0.5, 0.5, "500m"), ("500m", 0.5, "500m"), ("1.5", 1.5, "1500m")],
)
def test_cores_may_be_thousandths(given: float | str, cores: float, written: str) -> None:
    assert read_cpu(given, what="it") == cores
    assert written_cpu(cores) == written


@pytest.mark.parametrize(
    "given, amount",
    [
        ("500Mi", 500 * 2**20),
        ("500M", 500 * 10**6),
        ("1.5Gi", 3 * 2**29),
        ("2 GiB", 2**31),
        ("10 kB", 10**4),
    ],
)
def test_memory_has_the_clusters_units_or_ours(given: str, amount: int) -> None:
    assert read_memory(given, what="it") == amount


@pytest.mark.parametrize("given", ["", "m", "-1", "1 core", True, 0, float("inf"), float("nan")])
def test_what_are_no_cores_is_refused(given: float | str) -> None:
    with pytest.raises(ConfigError, match="max_cpu is"):
        read_cpu(given, what="max_cpu")


@pytest.mark.parametrize("given", ["", "500", "500 Mi of it", "12 XB"])
def test_memory_without_a_unit_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match="max_mem is"):
        read_memory(given, what="max_mem")
