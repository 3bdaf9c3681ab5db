import math
from typing import Any

import attrs
import pytest

from lamina.retry_policy.checks import a_policy, number, some_policies, whole
from lamina.retry_policy.policies import Never, Retries
from lamina.vocabulary import ConfigError


@attrs.frozen(kw_only=True)
class Options:
    count: Any = attrs.field(default=1, validator=whole(1))
    share: Any = attrs.field(default=0.5, validator=number(0.0, 1.0))
    policy: Any = attrs.field(default=Never(), validator=a_policy)
    several: Any = attrs.field(default=(Never(),), validator=some_policies)


@pytest.mark.parametrize(
    "name, value, says",
    [
        ("count", 0, "a whole number, 1 or more"),
        ("count", 1.0, "a whole number"),
        ("count", True, "a whole number"),
        ("share", 1.1, "a number, 0 to 1"),
        ("share", math.nan, "a number"),
        ("share", "1", "a number"),
        ("share", False, "a number"),
        ("policy", Retries, r"such as Retries\(2\)"),
        ("policy", 3, "a retry policy"),
        ("several", (), "a list of retry policies"),
        ("several", [Never()], "a list"),
        ("several", (Never(), 3), "a list"),
    ],
)
def test_what_cannot_work_is_refused_with_what_would(name: str, value: object, says: str) -> None:
    with pytest.raises(ConfigError, match=rf"{name} is .*{says}"):
        Options(**{name: value})


def test_an_endless_number_is_refused_where_there_is_no_bound() -> None:
    @attrs.frozen
    class Open:
        first: float = attrs.field(validator=number())

    with pytest.raises(ConfigError, match="a number, 0 or more"):
        Open(math.inf)


def test_what_can_work_is_taken() -> None:
    Options(count=7, share=1, policy=Retries(2), several=(Retries(1), Never()))
