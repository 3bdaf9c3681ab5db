import pytest

from lamina.providers_batch.answers import Invocation


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
