from typing import Any

import pytest

from lamina.scaling import Guards
from lamina.vocabulary import ConfigError


def test_they_are_on_unless_they_are_said_to_be_off() -> None:
    usual = Guards()
    assert (usual.submissions_per_minute, usual.max_submissions, usual.max_young) == (60, 10_000, 5)
    assert (usual.young, usual.pause) == (60.0, 1.0)
    off = Guards(submissions_per_minute=None, max_submissions=None, max_young=None)
    assert off.max_young is None


def test_durations_may_have_a_unit() -> None:
    assert Guards(young="2 min").young == 120.0


@pytest.mark.parametrize(
    "options",
    [
        {"submissions_per_minute": 0},
        {"max_submissions": 1.5},
        {"max_young": True},
        {"young": -1},
        {"young": float("inf")},
        {"pause": "long"},
    ],
)
def test_what_cannot_be_a_limit_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        Guards(**options)
