from typing import Any

import attrs
import pytest

from lamina.staging import (
    Mode,
    Place,
    a_mode,
    a_place,
    a_time,
    mode_named,
    option_items,
    place_named,
    some_pauses,
)
from lamina.vocabulary import ConfigError


@attrs.frozen(kw_only=True)
class Plugin:
    how: str = attrs.field(default="separate", validator=a_mode)
    where: str = attrs.field(default="nodes", validator=a_place)
    timeout: float = attrs.field(default=1.0, validator=a_time(0.5))
    pauses: tuple[float, ...] = attrs.field(default=(), converter=some_pauses)


def test_modes_and_places_have_names() -> None:
    assert [mode_named(one) for one in ("separate", "in-task")] == [Mode.SEPARATE, Mode.IN_TASK]
    assert [place_named(one) for one in ("nodes", "client")] == [Place.NODES, Place.CLIENT]


@pytest.mark.parametrize(
    "options, says",
    [
        ({"how": "both"}, 'mode is \'both\'; it must be "separate" or "in-task"'),
        ({"where": "moon"}, 'where is \'moon\'; it must be "nodes" or "client"'),
        ({"where": ["nodes"]}, "where is"),
        ({"timeout": 0.4}, "timeout is 0.4; write seconds, 0.5 or more"),
        ({"timeout": True}, "timeout is True"),
        ({"timeout": float("inf")}, "timeout is inf"),
        ({"pauses": 3}, "pauses is 3; write a list of seconds"),
        ({"pauses": [1, -1]}, "pauses is"),
        ({"pauses": "1 s"}, "pauses is"),
    ],
)
def test_what_cannot_work_is_refused_with_what_would(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Plugin(**options)
    assert says in str(caught.value)


def test_what_works_is_taken() -> None:
    plugin = Plugin(how="in-task", where="client", timeout=1, pauses=[0, 1.5])  # type: ignore[arg-type]
    assert plugin.pauses == (0, 1.5)


def test_options_are_compared_also_where_they_have_no_hash() -> None:
    assert option_items({"b": [1], "a": 2}) == option_items({"a": 2, "b": [1]})
    assert option_items({"a": [1]}) != option_items({"a": [2]})
    assert hash(option_items({"a": [1]}))
