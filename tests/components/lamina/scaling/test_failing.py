from typing import Any

import pytest

from lamina.conformance import BLOCK_ERROR_POLICY
from lamina.scaling import (
    AllFailed,
    AnyFailed,
    BlockErrorPolicy,
    Ending,
    FailingBlocks,
    LastFailed,
    Off,
)
from lamina.vocabulary import ConfigError
from tests.kits import as_tests

TestFailingBlocks = as_tests(BLOCK_ERROR_POLICY, FailingBlocks)
TestAnyFailed = as_tests(BLOCK_ERROR_POLICY, AnyFailed)
TestAllFailed = as_tests(BLOCK_ERROR_POLICY, AllFailed)
TestLastFailed = as_tests(BLOCK_ERROR_POLICY, LastFailed)
TestOff = as_tests(BLOCK_ERROR_POLICY, Off)


def story(text: str, every: float = 1.0) -> list[Ending]:
    """Endings from text: a full stop is a good one, an x a bad one."""
    return [
        Ending(
            block=str(n), at=n * every, state="failed" if sign == "x" else "timeout",
            bad=sign == "x",
        )
        for n, sign in enumerate(text)
    ]  # fmt: skip


def fails(policy: BlockErrorPolicy, text: str, now: float = 10.0) -> bool:
    return bool(policy.verdict(story(text), now))


def test_as_many_as_the_limit_are_borne_and_one_more_is_not() -> None:
    policy = FailingBlocks(limit=2, within=60.0)
    assert not fails(policy, "xx")
    text = policy.verdict(story("xxx"), 10.0)
    assert "3 blocks ended badly within 60 s" in text


def test_good_endings_and_old_ones_do_not_count() -> None:
    policy = FailingBlocks(limit=1, within=60.0)
    assert policy.verdict(story("x.x", every=45.0), 100.0) == ""


def test_the_default_fires_where_a_batch_system_is_asked_every_half_minute() -> None:
    assert FailingBlocks().verdict(story("xxxx", every=40.0), 120.0)
    assert FailingBlocks(within="1 min").verdict(story("xxxx", every=40.0), 120.0) == ""


def test_any_bad_one_among_the_last_is_one_too_many() -> None:
    assert fails(AnyFailed(), "..x")
    assert not fails(AnyFailed(), ".x.")
    assert fails(AnyFailed(last=2), ".x.")
    assert not fails(AnyFailed(last=2), "x..")


def test_all_failed_means_that_there_was_never_a_good_one() -> None:
    assert not fails(AllFailed(), "xx")
    assert fails(AllFailed(), "xxx")
    assert not fails(AllFailed(), ".xxxxxx")


def test_the_last_ones_all_bad_is_a_fault_whatever_was_before() -> None:
    assert not fails(LastFailed(), "xx.xx")
    assert fails(LastFailed(), "...xxx")
    assert not fails(LastFailed(threshold=4), "...xxx")


def test_off_never_has_enough() -> None:
    assert not fails(Off(), "x" * 100)


@pytest.mark.parametrize(
    "make, options",
    [
        (FailingBlocks, {"limit": 0}),
        (FailingBlocks, {"within": 0.0}),
        (FailingBlocks, {"within": "soon"}),
        (AnyFailed, {"last": 0}),
        (AllFailed, {"threshold": 1.5}),
        (LastFailed, {"threshold": True}),
    ],
)
def test_settings_that_cannot_work_are_refused(make: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        make(**options)
