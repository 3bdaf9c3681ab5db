from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lamina.channels import Completed, LocalChannel
from lamina.conformance import CHANNEL
from tests.kits import assert_each_clause_can_fail


class Broken:
    """A local channel with one fault."""

    def __init__(self, fault: str) -> None:
        self.fault, self.inner, self.closed = fault, LocalChannel(), False

    def run(
        self,
        command: Sequence[str],
        *,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
        timeout: float,
    ) -> Completed:
        if self.fault == "never late":
            return Completed(0, "", "")
        if self.fault == "shell":
            command = ["sh", "-c", " ".join(command)]
        if self.fault == "deaf":
            stdin = ""
        if self.fault == "no env":
            env = None
        done = self.inner.run(command, stdin=stdin, env=env, timeout=timeout)
        return done._replace(status=0) if self.fault == "always well" else done

    def put(self, local: Path, remote: str) -> None:
        if self.fault == "empty files":
            Path(remote).write_bytes(b"")
        else:
            self.inner.put(local, remote)

    def get(self, remote: str, local: Path) -> None:
        if self.fault == "silent":
            return
        self.inner.get(remote, local)

    def make_directory(self, remote: str) -> None:
        self.inner.make_directory(remote)

    def close(self) -> None:
        if self.closed and self.fault == "closes once":
            raise ValueError("closed already")
        self.closed = True


def broken(fault: str) -> Any:
    return lambda: Broken(fault)


def test_each_clause_can_fail() -> None:
    assert_each_clause_can_fail(
        CHANNEL,
        {
            "channel.run": broken("always well"),
            "channel.run.words": broken("shell"),
            "channel.run.input": broken("deaf"),
            "channel.run.env": broken("no env"),
            "channel.run.timeout": broken("never late"),
            "channel.run.missing": broken("never late"),
            "channel.files": broken("empty files"),
            "channel.files.missing": broken("silent"),
            "channel.close.twice": broken("closes once"),
        },
    )
