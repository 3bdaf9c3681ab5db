from lamina.providers_kubernetes.listing import LONGEST_PAUSE, Listing


def test_it_is_asked_once_in_an_interval() -> None:
    listing = Listing()
    assert listing.due(100.0, 5.0)
    listing.answered(100.0, {"a": {}})
    assert not listing.due(104.0, 5.0)
    assert listing.due(104.5, 5.0)
    assert listing.pods == {"a": {}}


def test_silence_makes_the_pauses_longer_up_to_a_limit() -> None:
    listing, now, pauses = Listing(), 0.0, []
    for _ in range(12):
        listing.failed(now, "no route", 5.0, chance=0.0)
        assert listing.why == "no route"
        pause = 1.0
        while not listing.due(now + pause, 5.0):
            pause += 1.0
        pauses.append(pause)
        now += pause
    assert pauses[:3] == [5.0, 10.0, 20.0]
    assert pauses[-1] == LONGEST_PAUSE
    listing.answered(now, {})
    assert listing.why == ""
    listing.failed(now, "", 5.0, chance=0.0)
    assert listing.why
    assert listing.due(now + 5.0, 5.0)
