from itertools import count

from lamina.conformance import LAUNCHER
from tests.kits import assert_each_clause_can_fail


class Counts:
    def __init__(self) -> None:
        self.calls = count()

    def __call__(self, command: str, tasks_per_node: int, nodes_per_block: int) -> str:
        return f"# {next(self.calls)}\n{command}"


def quotes_badly(command: str, tasks_per_node: int, nodes_per_block: int) -> str:
    return f"bash -c '{command}'"


def always_fails(command: str, tasks_per_node: int, nodes_per_block: int) -> str:
    return "exit 1"


def never_fails(command: str, tasks_per_node: int, nodes_per_block: int) -> str:
    copies = "".join(f"(LAMINA_RANK={n}\n{command}\n)\n" for n in range(tasks_per_node))
    return f"{copies}true"


def exits(command: str, tasks_per_node: int, nodes_per_block: int) -> str:
    return f"({command})\nexit"


def test_each_clause_can_fail() -> None:
    assert_each_clause_can_fail(
        LAUNCHER,
        {
            "launcher.text": Counts,
            "launcher.runs": lambda: quotes_badly,
            "launcher.status.zero": lambda: always_fails,
            "launcher.status.failure": lambda: always_fails,
            "launcher.status.all_fail": lambda: always_fails,
            "launcher.status.some_fail": lambda: never_fails,
            "launcher.goes_on": lambda: exits,
        },
    )
