import math

import pytest

from lamina.retry_policy import Again, Attempt
from lamina.vocabulary import Cause, ConfigError, Resources
from tests.fakes.troubles import failed, trouble


def test_a_trouble_says_what_its_failure_says() -> None:
    failure = failed(Cause.NODE_LOST, node="n1", block="3", began=10.0, ended=12.5)
    told = trouble(failed(), failure)
    assert (told.cause, told.node, told.block) == (Cause.NODE_LOST, "n1", "3")
    assert told.exception is failure.error
    assert told.duration == 2.5


def test_where_nobody_looked_there_is_no_duration() -> None:
    assert trouble(failed(began=10.0)).duration is None


def test_clocks_that_went_backwards_make_no_negative_duration() -> None:
    assert trouble(failed(began=10.0, ended=9.0)).duration == 0


def test_the_attempts_follow_from_the_history() -> None:
    first, last = failed(), failed(Cause.STAGING)
    told = trouble(first, last, resources=Resources(cores=2), memory_limit=5)
    assert [attempt.failure for attempt in told.attempts] == [first, last]
    assert {attempt.executor for attempt in told.attempts} == {"htex"}
    assert {attempt.memory_limit for attempt in told.attempts} == {5}
    assert told.spent == 1, "one decision has been made, which costs 1 unless it says otherwise"


def test_a_trouble_among_some_attempts_is_as_though_there_were_no_others() -> None:
    here = Attempt(failure=failed(), executor="a", memory_limit=1, cost=3.0, chance=0.1)
    there = Attempt(failure=failed(Cause.STAGING), executor="b", memory_limit=2, cost=9.0)
    last = Attempt(failure=failed(), executor="c", memory_limit=3)
    told = trouble(here.failure, there.failure, last.failure, attempts=(here, there, last))
    assert told.spent == 12
    earlier = told.among([here, there])
    assert (earlier.executor, earlier.memory_limit, earlier.cause) == ("b", 2, Cause.STAGING)
    assert earlier.spent == 3, "what it decided about the last of them is not spent yet"
    assert told.among([here, last]).spent == 3
    assert told.among([here]).chance == 0.1


@pytest.mark.parametrize("value", [-1, math.inf, math.nan, True, "5", None])
@pytest.mark.parametrize("name", ["delay", "cost"])
def test_a_delay_or_cost_that_is_no_number_is_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=name):
        Again(**{name: value})  # type: ignore[arg-type]
