import pytest

from lamina.scaling import FailingBlocks, Off
from lamina.vocabulary import ConfigError


def test_as_many_as_the_limit_are_borne_and_one_more_is_not() -> None:
    policy = FailingBlocks(limit=2, within=60.0)
    assert policy.verdict((False,) * 2, 10.0, (1.0, 2.0)) == ""
    text = policy.verdict((False,) * 3, 10.0, (1.0, 2.0, 3.0))
    assert "3 blocks ended badly within 60 s" in text


def test_good_endings_and_old_ones_do_not_count() -> None:
    policy = FailingBlocks(limit=1, within=60.0)
    assert policy.verdict((False, True, False), 100.0, (10.0, 90.0, 95.0)) == ""


def test_off_never_has_enough() -> None:
    assert Off().verdict((False,) * 100, 1.0, (1.0,) * 100) == ""


@pytest.mark.parametrize("options", [{"limit": 0}, {"within": 0.0}])
def test_settings_that_cannot_work_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        FailingBlocks(**options)
