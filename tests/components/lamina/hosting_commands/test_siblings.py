from importlib.metadata import PackageNotFoundError

import pytest

from lamina.hosting_commands import refuse_siblings
from lamina.vocabulary import UsageError


def only(*names: str):  # type: ignore[no-untyped-def]
    def version_of(name: str) -> str:
        if name not in names:
            raise PackageNotFoundError(name)
        return "1.2"

    return version_of


@pytest.mark.parametrize("names", [(), ("lamina-flow",), ("lamina-endpoint",)])
def test_one_of_them_is_welcome(names: tuple[str, ...]) -> None:
    refuse_siblings("lamina", version_of=only(*names))


def test_both_are_refused_with_what_to_do() -> None:
    both = only("lamina-flow", "lamina-endpoint")
    with pytest.raises(UsageError) as caught:
        refuse_siblings("lamina", version_of=both)
    assert "lamina-flow 1.2 and lamina-endpoint 1.2 are both installed" in str(caught.value)
    assert "pip uninstall -y lamina-flow lamina-endpoint" in str(caught.value)


def test_a_vendored_copy_shares_files_with_nobody() -> None:
    both = only("lamina-flow", "lamina-endpoint")
    refuse_siblings("acme_endpoint._vendor.lamina", version_of=both)


def test_here_there_is_at_most_one() -> None:
    refuse_siblings()
