from lamina.demo.outcome import Ledger, Retried, RunFacts


def test_a_ledger_counts_what_comes_and_goes() -> None:
    ledger = Ledger()
    for ok in (True, False, True):
        ledger.expect()
        ledger.settle(ok)
    assert (ledger.submitted, ledger.done, ledger.failed) == (3, 3, 1)


def test_a_ledger_keeps_the_order_of_what_was_run_again() -> None:
    ledger = Ledger()
    first, second = Retried("a", 1, "lost"), Retried("a", 2, "lost")
    ledger.again(first)
    ledger.again(second)
    assert ledger.retried == (first, second)


def test_the_rate_of_no_time_is_none() -> None:
    facts = RunFacts((), 10, 0, 0, 0.0, 1, "threads", (), 0, ())
    assert facts.rate == 0
    assert ("tasks per second", "5") in facts._replace(seconds=2.0).figures()
