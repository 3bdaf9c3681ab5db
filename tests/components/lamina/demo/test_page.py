import xml.etree.ElementTree as ET

from lamina.demo.graph import Unreadable, join_summaries, summarise
from lamina.demo.modules import FunctionFacts, ModuleFacts
from lamina.demo.outcome import Retried, RunFacts
from lamina.demo.page import page, picture

RUN = RunFacts("/root", 9, 1, 2, 3.0, 2, "htex", (Retried("parse <x>", 1, "killed"),), 0, ())


def facts(package: str, lines: int) -> ModuleFacts:
    functions = (FunctionFacts("<f>", 1, 3),)
    return ModuleFacts(package, package, f"/{package}", 10, lines, functions, ("os",))


def graph_of(count: int):  # type: ignore[no-untyped-def]
    return join_summaries(
        summarise(f"p{n}&", [facts(f"p{n}&", n + 1), Unreadable("/bad", "no <good>")])
        for n in range(count)
    )


def test_the_page_needs_nothing_else() -> None:
    text = page(graph_of(3), RUN)
    for word in ("<script", "src=", "href=", "url(", "http:", "https:", "@import"):
        assert word not in text


def test_names_are_escaped() -> None:
    text = page(graph_of(3), RUN)
    assert "<x>" not in text
    assert "no &lt;good&gt;" in text
    assert "parse &lt;x&gt;" in text


def test_the_picture_has_a_box_for_each_package() -> None:
    drawing = ET.fromstring(picture(graph_of(40).packages))
    assert len(drawing.findall(".//rect")) == 40


def test_small_packages_share_a_box() -> None:
    drawing = ET.fromstring(picture(graph_of(300).packages))
    titles = [title.text or "" for title in drawing.iter("title")]
    assert len(titles) == 251
    assert any("50 smaller packages" in title for title in titles)


def test_a_page_of_nothing_is_a_page() -> None:
    assert "0 modules" in page(graph_of(0), RUN._replace(retried=()))
