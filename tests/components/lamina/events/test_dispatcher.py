import threading

from lamina.events import Dispatcher, MemorySink
from lamina.vocabulary import Event

DEADLINE = 5.0


class Broken:
    def __init__(self) -> None:
        self.asked = 0
        self.closed = 0

    def take(self, events) -> None:
        self.asked += 1
        raise OSError("disk full")

    def close(self) -> None:
        self.closed += 1
        raise OSError("disk full")


class Slow:
    def __init__(self, gate: threading.Event) -> None:
        self.gate = gate
        self.busy = threading.Event()
        self.batches: list[int] = []

    def take(self, events) -> None:
        self.busy.set()
        self.gate.wait(DEADLINE)
        self.batches.append(len(events))

    def close(self) -> None:
        raise ValueError("will not close")


def test_events_of_all_threads_arrive_and_close_flushes():
    sink = MemorySink()
    emit = Dispatcher([sink])
    threads = [
        threading.Thread(target=lambda: [emit([Event(n, "a.b", {})]) for n in range(100)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert emit.close(DEADLINE)
    assert len(sink.events) == 400
    assert sink.closed
    emit([Event(0, "too.late", {})])
    assert emit.close(DEADLINE)
    assert len(sink.events) == 400


def test_a_sink_that_raises_is_logged_once_and_dropped(caplog):
    broken, sink = Broken(), MemorySink()
    emit = Dispatcher([broken, sink])
    emit([Event(1, "a.b", {})])
    assert sink.wait_for("a.b", DEADLINE)
    emit([Event(2, "c.d", {})])
    assert emit.close(DEADLINE)
    assert (broken.asked, broken.closed, len(sink.events)) == (1, 1, 2)
    assert caplog.text.count("is dropped") == 1


def test_what_comes_while_a_sink_is_busy_is_one_batch(caplog):
    gate = threading.Event()
    slow = Slow(gate)
    emit = Dispatcher([slow])
    emit([Event(0, "a.b", {})])
    assert slow.busy.wait(DEADLINE)
    for n in range(5):
        emit([Event(n, "a.b", {})])
    assert not emit.close(0)
    gate.set()
    assert emit.close(DEADLINE)
    assert slow.batches == [1, 5]
    assert "could not be closed" in caplog.text


def test_without_sinks_there_is_no_thread():
    before = threading.active_count()
    emit = Dispatcher([])
    emit([Event(0, "a.b", {})])
    assert threading.active_count() == before
    assert emit.close()
