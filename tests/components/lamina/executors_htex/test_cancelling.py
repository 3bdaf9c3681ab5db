from collections.abc import Collection

import attrs
import pytest

from lamina.executors_htex.cancelling import Cancelling
from lamina.providers import LocalProvider, ProviderUnavailable
from lamina.vocabulary import JobId

ONE, TWO = JobId("1"), JobId("2")


@attrs.frozen(kw_only=True)
class _Provider(LocalProvider):
    asked: list[list[JobId]] = attrs.field(factory=list)
    silences: list[None] = attrs.field(factory=list)

    def cancel(self, jobs: Collection[JobId]) -> None:
        self.asked.append(list(jobs))
        if self.silences:
            self.silences.pop()
            raise ProviderUnavailable("del", "it hangs")


def test_nothing_is_asked_where_there_is_nothing_to_end() -> None:
    provider = _Provider()
    cancelling = Cancelling(provider)
    cancelling.attempt(0.0)
    assert provider.asked == []
    assert cancelling.due is None


def test_what_was_heard_is_not_asked_again() -> None:
    provider = _Provider()
    cancelling = Cancelling(provider)
    cancelling.add([ONE, TWO])
    cancelling.add([ONE])
    cancelling.attempt(0.0)
    cancelling.attempt(1.0)
    assert provider.asked == [[ONE, TWO]]
    assert cancelling.left == ()


def test_each_silence_doubles_the_pause_up_to_a_minute_and_an_answer_ends_it() -> None:
    provider = _Provider(silences=[None] * 9)
    cancelling = Cancelling(provider)
    cancelling.add([ONE])
    now, pauses = 0.0, []
    for _ in range(9):
        with pytest.raises(ProviderUnavailable):
            cancelling.attempt(now)
        asked = len(provider.asked)
        due = cancelling.due
        assert due is not None
        cancelling.attempt(due - 0.01)  # too early
        assert len(provider.asked) == asked
        pauses.append(due - now)
        now = due
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    cancelling.attempt(now)
    assert cancelling.left == ()
    provider.silences.append(None)
    cancelling.add([TWO])
    with pytest.raises(ProviderUnavailable):
        cancelling.attempt(now)
    assert cancelling.due == now + 1


def test_in_a_hurry_no_pause_is_kept() -> None:
    provider = _Provider(silences=[None])
    cancelling = Cancelling(provider)
    cancelling.add([ONE])
    with pytest.raises(ProviderUnavailable):
        cancelling.attempt(0.0)
    cancelling.attempt(0.0, hurry=True)
    assert cancelling.left == ()
