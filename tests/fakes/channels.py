"""Channels that speak to nobody."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from lamina.channels import ChannelError, Completed, Forward, LocalChannel

Answer: TypeAlias = Completed | ChannelError | Callable[[Sequence[str], str], Completed]


class ScriptedChannel:
    """Answers each program as it was told to; ``asked`` holds the commands.

    A program of which it was told nothing is an error of the test.
    """

    def __init__(self, **answers: Answer) -> None:
        self.answers = answers
        self.asked: list[tuple[str, ...]] = []
        self.stdin: list[str] = []

    def run(
        self,
        command: Sequence[str],
        *,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
        timeout: float,
    ) -> Completed:
        assert timeout > 0
        program = next(w for w in command if w != "env" and not w.startswith("--"))
        self.asked.append(tuple(command))
        self.stdin.append(stdin)
        answer = self.answers[program]
        if isinstance(answer, ChannelError):
            raise answer
        return answer if isinstance(answer, Completed) else answer(command, stdin)

    def asked_of(self, program: str) -> list[tuple[str, ...]]:
        return [command for command in self.asked if program in command]

    def put(self, local: Path, remote: str) -> None:
        raise AssertionError("no file is moved")

    def get(self, remote: str, local: Path) -> None:
        raise AssertionError("no file is moved")

    def make_directory(self, remote: str) -> None:
        raise AssertionError("no directory is made")

    def close(self) -> None:
        pass


class FarChannel(ScriptedChannel):
    """A host of another file system: all that lies there lies in a folder here.

    It leads back to any port, and ``tail`` is answered from its files.
    """

    python = "python-there"

    def __init__(self, folder: Path, **answers: Answer) -> None:
        super().__init__(**{"tail": self._tail, **answers})
        self.folder = folder
        self.forwarded: list[int] = []

    def here(self, remote: str) -> Path:
        """Where a file of there lies."""
        assert remote.startswith("/")
        return self.folder / remote[1:]

    def put(self, local: Path, remote: str) -> None:
        LocalChannel().put(local, str(self.here(remote)))

    def get(self, remote: str, local: Path) -> None:
        LocalChannel().get(str(self.here(remote)), local)

    def make_directory(self, remote: str) -> None:
        LocalChannel().make_directory(str(self.here(remote)))

    def place(self, name: str) -> str:
        self.make_directory(f"/home/me/{name}")
        return f"/home/me/{name}"

    def forward(self, port: int) -> Forward:
        self.forwarded.append(port)
        return Forward(("login",), 7000)

    def _tail(self, command: Sequence[str], stdin: str) -> Completed:
        *_, count, remote = command
        try:
            lines = self.here(remote).read_text().splitlines()
        except OSError as error:
            return said(stderr=str(error), status=1)
        return said("".join(f"{line}\n" for line in lines[-int(count) :]))


def said(stdout: str = "", stderr: str = "", status: int = 0) -> Completed:
    return Completed(status, stdout, stderr)
