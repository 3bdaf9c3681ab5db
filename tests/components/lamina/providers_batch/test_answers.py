import pytest

from lamina.providers_batch.answers import (
    Deferred,
    Invocation,
    NoAnswer,
    Refused,
    says_only,
    turned_down,
)


@pytest.mark.parametrize(
    "command, program",
    [
        (("squeue", "--me"), "squeue"),
        (("env", "--unset=A", "sbatch", "--parsable"), "sbatch"),
        ((), ""),
    ],
)
def test_a_command_is_called_by_its_program(command: tuple[str, ...], program: str) -> None:
    assert Invocation(command).program == program


@pytest.mark.parametrize(
    "said, comes_to",
    [
        ("no such queue", Refused("no such queue")),
        ("too many jobs", Deferred("too many jobs")),
        ("it is away", NoAnswer("it is away", perhaps_taken=False)),
        ("it timed out", NoAnswer("it timed out", perhaps_taken=True)),
        ("it is away; too many jobs", NoAnswer("it is away; too many jobs")),
    ],
)
def test_what_a_submission_that_failed_comes_to(said: str, comes_to: object) -> None:
    found = turned_down(said, not_now=("away",), perhaps=("timed out",), later=("too many",))
    assert found == comes_to


@pytest.mark.parametrize(
    "said, only",
    [
        ("job 1 is gone\n\njob 2 has ended\n", True),
        ("job 1 is gone\nit is away", False),
        ("", False),
        ("\n", False),
    ],
)
def test_an_answer_says_nothing_but_what_is_known_if_each_line_does(said: str, only: bool) -> None:
    assert says_only(said, ("is gone", "has ended")) is only
