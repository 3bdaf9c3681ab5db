"""What the page for users of Parsl calls missing is refused, and what it names instead is there."""

import logging
import re
from pathlib import Path

import pytest

from lamina import flow
from lamina.executors_htex import HighThroughputExecutor
from lamina.executors_mpi import MPIExecutor
from lamina.kernel import Config
from lamina.vocabulary import ConfigError

_PAGE = Path(__file__).parents[2] / "docs/reference/for-parsl-users.md"
_ROWS = {
    cells[0].strip(): [cell.strip() for cell in cells[1:]]
    for line in _PAGE.read_text(encoding="utf-8").splitlines()
    if len(cells := line.strip("|").split("|")) == 4
}


def _named(ending: str) -> list[str]:
    """What the first cell of the row that ends so has in backquotes."""
    (found,) = [what for what in _ROWS if what.endswith(ending)]
    return re.findall(r"`(\w+)`", found.removesuffix(ending))


CONFIG, HTEX, ABSENT = " of `Config`", " of `HighThroughputExecutor`", ", which are missing"


@pytest.mark.parametrize("option", _named(CONFIG))
def test_an_option_that_a_config_has_not_is_refused(option: str) -> None:
    with pytest.raises(ConfigError, match=f"^Config has no option {option}: .{{8}}"):
        Config(**{option: None})


@pytest.mark.parametrize("option", _named(HTEX))
def test_an_option_that_htex_has_not_is_refused(option: str) -> None:
    with pytest.raises(
        ConfigError, match=f"^HighThroughputExecutor has no option {option}: .{{8}}"
    ):
        HighThroughputExecutor(**{option: None})


def test_what_is_missing_is_not_there() -> None:
    assert len(_named(ABSENT)) > 5
    assert not set(_named(ABSENT)) & set(flow.__all__)


def test_an_mpi_executor_is_encrypted_and_has_as_many_workers_as_fit_unless_it_is_told() -> None:
    settings = MPIExecutor().settings
    assert (settings.max_workers_per_node, settings.encrypted) == (None, True)


def test_messages_go_where_the_program_sends_those_of_lamina() -> None:
    ours = [name for name in logging.root.manager.loggerDict if name.startswith("lamina.")]
    assert ours
    assert not any(logging.getLogger(name).handlers for name in ["lamina", *ours])
