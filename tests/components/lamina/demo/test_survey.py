from concurrent.futures import Future

from lamina.demo.graph import Unreadable
from lamina.demo.modules import ModuleFacts, UnreadableModule
from lamina.demo.source import Source
from lamina.demo.survey import settled

A = Source("/a.py", "a", "a", 1, 1)
B = Source("/b.py", "b", "b", 1, 1)
FACTS = ModuleFacts("a", "a", "/a.py", 1, 1, (), ())


def test_one_module_that_fails_does_not_fail_the_rest() -> None:
    good: Future[ModuleFacts] = Future()
    bad: Future[ModuleFacts] = Future()
    whole = settled([good, bad], [A, B])
    bad.set_exception(UnreadableModule("/b.py", "not UTF-8"))
    assert not whole.done()
    good.set_result(FACTS)
    assert whole.result(0) == [FACTS, Unreadable("/b.py", "not UTF-8")]


def test_other_errors_are_named_by_their_type() -> None:
    lost: Future[ModuleFacts] = Future()
    gone: Future[ModuleFacts] = Future()
    whole = settled([lost, gone], [A, B])
    lost.set_exception(OSError("lost"))
    gone.cancel()
    gone.set_running_or_notify_cancel()
    assert whole.result(0) == [
        Unreadable("/a.py", "OSError: lost"),
        Unreadable("/b.py", "cancelled"),
    ]


def test_nothing_is_settled_at_once() -> None:
    assert settled([], []).result(0) == []
