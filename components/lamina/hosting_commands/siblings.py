"""Two distributions of ours ship the same bricks, and must not be installed side by side."""

from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version

from lamina.vocabulary import UsageError

__all__ = ["refuse_siblings"]

DISTRIBUTIONS = ("lamina-flow", "lamina-endpoint")
ROOT = __package__.rpartition(".")[0]


def refuse_siblings(
    root: str = ROOT,
    distributions: Sequence[str] = DISTRIBUTIONS,
    version_of: Callable[[str], str] = version,
) -> None:
    """Stop where both are installed: each has overwritten files of the other, unnoticed.

    A copy that was vendored under another package shares no file with anybody.

    Raises:
        UsageError: They are; the text says what to do.
    """
    if "." in root:
        return
    found = []
    for name in distributions:
        try:
            found.append(f"{name} {version_of(name)}")
        except PackageNotFoundError:
            continue
    if len(found) > 1:
        keep, *drop = distributions
        names = " ".join(distributions)
        msg = (
            f"{' and '.join(found)} are both installed and overwrite each other's files. "
            f"{keep} holds all of {' and '.join(drop)}: choose one of them, then "
            f"pip uninstall -y {names}, and install that one again"
        )
        raise UsageError(msg)
