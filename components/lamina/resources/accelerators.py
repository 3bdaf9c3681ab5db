"""How a process is told which accelerators are its own: by environment variables."""

from collections.abc import Collection, Mapping, Sequence

from lamina.vocabulary import ConfigError

__all__ = ["FAMILIES", "check_accelerators", "names_of", "seen_in", "visibility"]

FAMILIES = ("cuda", "rocm", "level_zero")

_VARIABLES = {
    "cuda": "CUDA_VISIBLE_DEVICES",
    "rocm": "ROCR_VISIBLE_DEVICES",
    "level_zero": "ZE_AFFINITY_MASK",
}


def check_accelerators(given: object) -> None:
    """Refuse what is neither a number of accelerators nor their names.

    Raises:
        ConfigError: It says what would do.
    """
    if isinstance(given, int) and not isinstance(given, bool):
        if given >= 0:
            return
    elif isinstance(given, Sequence) and not isinstance(given, str):
        if all(isinstance(name, str) and name for name in given):
            return
    msg = f"available_accelerators is {given!r}; write how many there are, or a list of their names"
    raise ConfigError(msg)


def names_of(given: int | Sequence[str], seen: Sequence[str] = ()) -> tuple[str, ...]:
    """Their names, one for each worker: a name that stands there twice is shared by two.

    A number stands for the first of those that are ``seen``, if they are enough.
    """
    if not isinstance(given, int):
        return tuple(given)
    return tuple(seen[:given] if len(seen) >= given else map(str, range(given)))


def seen_in(env: Mapping[str, str], families: Collection[str]) -> tuple[str, ...]:
    """Those that a process with this environment sees; empty where it sees whatever is there.

    A batch system may give a job some of a node's accelerators by nothing else.
    """
    for family in FAMILIES:
        if family in families or not families:
            names = (name.strip() for name in env.get(_VARIABLES[family], "").split(","))
            if seen := tuple(dict.fromkeys(name for name in names if name)):
                return seen
    return ()


def visibility(names: Sequence[str], families: Collection[str]) -> dict[str, str]:
    """The variables that show a process these accelerators, and no others.

    Where the family is not known, all of them are set. Where it is known, only its own: a
    program for ROCm reads CUDA's variable too, and would count again among what ROCm's left.
    """
    shown = ",".join(names)
    env = {_VARIABLES[family]: shown for family in FAMILIES if family in families or not families}
    if "ZE_AFFINITY_MASK" in env:
        env["ZE_ENABLE_PCI_ID_DEVICE_ORDER"] = "1"
    return env
