"""Amounts of CPU and memory as users of clusters write them."""

import re

from lamina.vocabulary import ConfigError, read_bytes

__all__ = ["read_cpu", "read_memory", "written_cpu"]

_CPU = re.compile(r"(\d+(?:\.\d+)?)(m?)")
_CLUSTERS_OWN = re.compile(r"(\d+(?:\.\d+)?)(k|Ki|M|Mi|G|Gi|T|Ti)")
_SCALE = {
    "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40,
}  # fmt: skip


def read_cpu(value: float | str, *, what: str) -> float:
    """Cores, from a number or from text such as ``"500m"``, which is half a core.

    Raises:
        ConfigError: It is neither, or not more than 0.
    """
    cores: float | None = None
    if isinstance(value, str):
        if match := _CPU.fullmatch(value.strip()):
            cores = float(match[1]) / (1000 if match[2] else 1)
    elif not isinstance(value, bool):
        cores = value
    if cores is None or not 0.001 <= cores < float("inf"):
        msg = f'{what} is {value!r}; write a number of cores, or such as "500m" for half a core'
        raise ConfigError(msg)
    return cores


def written_cpu(cores: float) -> str:
    """Cores as the cluster reads them, in thousandths."""
    return f"{round(1000 * cores)}m"


def read_memory(value: str, *, what: str) -> int:
    """Bytes, from text in the cluster's own units (``"500Mi"``, ``"2G"``) or in ours (``"2 GiB"``).

    Raises:
        ConfigError: It is neither. A number without a unit is bytes to some and GiB to others.
    """
    if isinstance(value, str):
        if match := _CLUSTERS_OWN.fullmatch(value.strip()):
            return round(float(match[1]) * _SCALE[match[2]])
        if re.search("[bB]$", value.strip()):
            return read_bytes(value, what=what)
    msg = f'{what} is {value!r}; write text with a unit, such as "500Mi" or "2 GiB"'
    raise ConfigError(msg)
