import pytest

from lamina.hosting_commands import exit_status
from lamina.vocabulary import ConfigError


def test_a_command_that_goes_well_has_its_own_status() -> None:
    assert [exit_status("it", lambda status=status: status) for status in (0, 2)] == [0, 2]  # type: ignore[misc]


@pytest.mark.parametrize(
    "error, status, says",
    [
        (ConfigError("write 2"), 1, "it: write 2\n"),
        (FileNotFoundError(2, "No such file", "x"), 1, "it: [Errno 2] No such file: 'x'\n"),
        (KeyboardInterrupt(), 130, "it: interrupted\n"),
    ],
)
def test_what_ends_it_is_said_in_one_line(
    error: BaseException, status: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> int:
        raise error

    assert exit_status("it", run) == status
    assert capsys.readouterr().err == says
