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


def test_each_clause_can_fail() -> None:
    assert_each_clause_can_fail(
        LAUNCHER,
        {
            "launcher.text": Counts,
            "launcher.runs": lambda: quotes_badly,
            "launcher.status.zero": lambda: always_fails,
            "launcher.status.failure": lambda: always_fails,
        },
    )
