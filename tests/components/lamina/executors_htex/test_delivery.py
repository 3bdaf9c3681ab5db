import logging
from collections.abc import Sequence

import pytest

from lamina.codec import PickleCodec
from lamina.executors import Call, News, Outcome, Started, TaskRequest
from lamina.executors_htex.delivery import Delivery, HandleGone
from lamina.htex_core import VALUE, Deliver, Ended, ManagerInfo, Ran, Unfit, WireOutcome
from lamina.vocabulary import AttemptId, Cause, ExecutorLost

CODEC = PickleCodec()
MANAGER = ManagerInfo("uid", "block", "host", "boot", 1, 2, "3.11", "htex")


class Ledger:
    def __init__(self) -> None:
        self.reports: list[list[News]] = []

    def report(self, news: Sequence[News]) -> None:
        self.reports.append([*news])

    @property
    def news(self) -> list[News]:
        return [item for report in self.reports for item in report]


def task(number: int, name: str = "app") -> TaskRequest:
    return TaskRequest(AttemptId(number), Call(abs, (-number,)), name)


def value(number: int) -> WireOutcome:
    return (number, VALUE, [bytes(part) for part in CODEC.dump(number)], 1.0, 2.0, None)


@pytest.fixture
def gone() -> list[bytes]:
    return []


@pytest.fixture
def delivery(gone: list[bytes]) -> Delivery:
    return Delivery("it", CODEC, None, gone.append)


def test_what_has_gathered_is_one_report_for_each_who_hears(delivery: Delivery) -> None:
    one, two = Ledger(), Ledger()
    to_one, to_two = one.report, two.report  # each the same object for all of its attempts
    for number, report in ((1, to_one), (2, to_two), (3, to_one)):
        delivery.expect(task(number), report)
    delivery.put([Deliver(MANAGER, [value(1), value(2)])])
    delivery.put([Deliver(MANAGER, [value(3)])])
    delivery.stop()
    delivery.run()
    assert [[item.attempt for item in news] for news in one.reports] == [[1, 3]]
    assert [[item.attempt for item in news] for news in two.reports] == [[2]]
    (outcome,) = two.news
    assert isinstance(outcome, Outcome)
    assert outcome.value == 2
    assert outcome.node == "host"


def test_a_start_is_no_end_and_an_end_is_the_last_word(delivery: Delivery) -> None:
    ledger = Ledger()
    delivery.expect(task(1), ledger.report)
    delivery.put([Ran(MANAGER, [[1, 5.0]])])
    delivery.put([Ended([1], "cancelled", "it was cancelled", "yes")])
    delivery.put([Deliver(MANAGER, [value(1)])])
    delivery.stop()
    delivery.run()
    started, ended = ledger.news
    assert started == Started(AttemptId(1), 5.0, "host")
    assert isinstance(ended, Outcome)
    assert ended.failure is not None
    assert ended.failure.cause is Cause.CANCELLED


def test_nobody_hears_of_what_was_not_taken(delivery: Delivery) -> None:
    ledger = Ledger()
    delivery.expect(task(1), ledger.report)
    delivery.forget([task(1)])
    delivery.put([Deliver(MANAGER, [value(1)])])
    delivery.stop()
    delivery.run()
    assert ledger.news == []


def test_whatever_was_lost_with_a_fault_ends(delivery: Delivery) -> None:
    ledger = Ledger()

    def fails(_: Sequence[News]) -> None:
        raise RuntimeError("a report that fails")

    delivery.expect(task(1), fails)
    delivery.expect(task(2), ledger.report)
    delivery.put([Deliver(MANAGER, [value(1)])])
    with pytest.raises(RuntimeError, match="a report that fails"):
        delivery.run()
    delivery.end_all("a thread has died")
    (outcome,) = ledger.news
    assert isinstance(outcome, Outcome)
    assert outcome.failure is not None
    assert isinstance(outcome.failure.error, ExecutorLost)
    assert "a thread has died" in str(outcome.failure.error)


def test_handles_that_are_gone_are_passed_on(delivery: Delivery, gone: list[bytes]) -> None:
    delivery.put([HandleGone(b"digest")])
    delivery.stop()
    delivery.run()
    assert gone == [b"digest"]


def test_the_user_hears_of_an_initializer_that_failed(
    delivery: Delivery, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.CRITICAL):
        delivery.put([Unfit("the initializer has failed")])
        delivery.stop()
        delivery.run()
    assert "the initializer has failed" in caplog.text
