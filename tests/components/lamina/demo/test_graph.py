from lamina.demo.graph import Unreadable, join_summaries, summarise
from lamina.demo.modules import FunctionFacts, ModuleFacts


def facts(module: str, lines: int, *imports: str, complexity: int = 1) -> ModuleFacts:
    functions = (FunctionFacts("f", 1, complexity),)
    package = module.partition(".")[0]
    return ModuleFacts(module, package, f"/{module}", lines * 10, lines, functions, imports)


A = summarise(
    "a",
    [
        facts("a", 5, "b.x", "a.one", "sys"),
        facts("a.one", 7, "b", "b.y", "nowhere", complexity=9),
        Unreadable("/a/bad", "not UTF-8"),
    ],
)
B = summarise("b", [facts("b", 30, "a")])


def test_a_summary_adds_up_its_modules() -> None:
    assert (A.modules, A.lines, A.size, A.functions, A.complexity) == (2, 12, 120, 2, 10)


def test_an_import_counts_once_a_module_and_never_of_itself() -> None:
    assert A.imports == (("b", 2), ("nowhere", 1), ("sys", 1))


def test_what_could_not_be_read_is_kept_apart() -> None:
    assert join_summaries([A, B]).unreadable == (Unreadable("/a/bad", "not UTF-8"),)


def test_edges_join_known_packages_only() -> None:
    graph = join_summaries([A, B])
    assert graph.edges == (("a", "b", 2), ("b", "a", 1))
    assert graph.missing == (("nowhere", 1),)
    assert graph.most_imported == (("b", 2), ("a", 1), ("sys", 1))


def test_the_order_of_the_summaries_does_not_matter() -> None:
    assert join_summaries([A, B]) == join_summaries([B, A])


def test_totals_are_those_of_the_packages() -> None:
    graph = join_summaries([A, B])
    assert (graph.modules, graph.lines, graph.size, graph.functions) == (3, 42, 420, 3)
    assert graph.worst[0].complexity == 9
