import io

from rich.console import Console

from lamina.demo.graph import Unreadable, join_summaries, summarise
from lamina.demo.modules import FunctionFacts, ModuleFacts
from lamina.demo.outcome import Retried, RunFacts
from lamina.demo.table import show


def shown(run: RunFacts) -> str:
    one = ModuleFacts("a", "a", "/a", 10, 1234, (FunctionFacts("f", 1, 7),), ())
    graph = join_summaries([summarise("a", [one, Unreadable("/[x]/bad.py", "not UTF-8")])])
    stream = io.StringIO()
    show(Console(file=stream, width=110), graph, run, "/out/report.html")
    return stream.getvalue()


def test_the_table_says_what_a_person_asks() -> None:
    again = (Retried("parse a", 1, "the worker died"),)
    text = shown(RunFacts(("/",), 1500, 2, 30, 3.0, 2, "htex", again, 0, ("/a [b].py",)))
    for word in ("1,234", "f (7)", "1,500", "500", "2 (htex)", "the worker died", "not UTF-8"):
        assert word in text
    assert "/[x]/bad.py" in text
    assert "/a [b].py" in text
    assert "/out/report.html" in text


def test_what_did_not_happen_is_not_mentioned() -> None:
    text = shown(RunFacts(("/",), 1, 0, 0, 1.0, 2, "threads", (), 0, ()))
    assert "run again by" not in text
    assert "disagrees about" not in text
