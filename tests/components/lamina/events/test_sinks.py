import json
from pathlib import Path

from lamina.events import EventSink, JsonLinesSink, MemorySink
from lamina.vocabulary import Event


def test_each_event_is_a_line_of_json(tmp_path: Path):
    sink: EventSink = JsonLinesSink(tmp_path / "deep" / "events.jsonl")
    sink.take([Event(1.5, "task.state", {"task": 1, "path": tmp_path}), Event(2, "x.y", {})])
    lines = (tmp_path / "deep" / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"task": 1, "path": repr(tmp_path), "at": 1.5, "kind": "task.state"},
        {"at": 2, "kind": "x.y"},
    ]
    sink.close()
    sink.close()


def test_facts_that_json_cannot_hold_within_are_written_as_text(tmp_path: Path):
    circle: list[object] = []
    circle.append(circle)
    sink = JsonLinesSink(tmp_path / "events.jsonl")
    sink.take([Event(1, "a.b", {"pairs": {(1, 2): 3}}), Event(2, "c.d", {"circle": circle})])
    sink.close()
    lines = (tmp_path / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"pairs": "{(1, 2): 3}", "at": 1, "kind": "a.b"},
        {"circle": "[[...]]", "at": 2, "kind": "c.d"},
    ]


def test_a_file_that_exists_is_continued(tmp_path: Path):
    for _ in range(2):
        sink = JsonLinesSink(tmp_path / "events.jsonl")
        sink.take([Event(1, "a.b", {})])
        sink.close()
    assert len((tmp_path / "events.jsonl").read_text().splitlines()) == 2


def test_memory_keeps_the_last_events():
    sink = MemorySink(limit=2)
    sink.take([Event(n, f"n.{n}", {}) for n in range(5)])
    assert [event.at for event in sink.events] == [3, 4]
    assert sink.wait_for("n.4", 1)
    assert not sink.wait_for("n.0", 0)
    sink.close()
    assert sink.closed
