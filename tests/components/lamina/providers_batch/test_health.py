from lamina.providers_batch.health import LONGEST_PAUSE, Health


def test_going_down_and_coming_up_are_news_once() -> None:
    health = Health()
    assert not health.silent
    assert not health.answered()
    assert health.failed(10.0, "no answer", 30.0, 0.0)
    assert not health.failed(40.0, "no answer at all", 30.0, 0.0)
    assert (health.silent, health.why, health.since) == (True, "no answer at all", 10.0)
    assert health.answered()
    assert not health.answered()
    assert (health.silent, health.not_before) == (False, 0.0)


def test_each_failure_doubles_the_pause_up_to_a_limit() -> None:
    health = Health()
    pauses = []
    for _ in range(8):
        health.failed(100.0, "", 30.0, 0.0)
        pauses.append(health.not_before - 100.0)
    assert pauses == [30, 60, 120, 240, 480, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]
    assert health.why == "no reason given"
    health.answered()
    health.failed(100.0, "", 30.0, 0.0)
    assert health.not_before == 130.0


def test_chance_takes_off_up_to_a_quarter() -> None:
    health = Health()
    health.failed(0.0, "", 40.0, 1.0)
    assert health.not_before == 30.0


def test_a_thousand_failures_do_no_harm() -> None:
    health = Health()
    for _ in range(2000):
        health.failed(0.0, "", 30.0, 0.5)
    assert health.not_before <= LONGEST_PAUSE
