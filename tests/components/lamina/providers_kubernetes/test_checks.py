from typing import Any

import pytest

from lamina.providers_kubernetes import KubernetesProvider, checks
from lamina.vocabulary import ConfigError


def test_a_claim_has_a_whole_path() -> None:
    assert checks.claims([["claim", "/data"]]) == (("claim", "/data"),)
    assert checks.claims(()) == ()
    wrong: list[Any] = ["ab", ("claim", "data"), ("claim",), ("claim", "/a", "/b")]
    for one in wrong:
        with pytest.raises(ConfigError, match="persistent_volumes is"):
            checks.claims([one])


def test_durations_may_be_text() -> None:
    assert checks.walltime("1 h") == 3600
    assert checks.walltime(None) is None
    assert checks.pull_timeout("5 min") == 300


@pytest.mark.parametrize(
    "options, says",
    [
        ({"parallelism": -1}, "parallelism is -1; make it 0 or more"),
        ({"parallelism": "1"}, "parallelism is '1'; make it 0 or more"),
        ({"label": ""}, "label is ''"),
    ],
)
def test_less_than_nothing_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        KubernetesProvider("an-image", **options)
    assert says in str(caught.value)
