"""The kit of Channel: commands and files of a machine with the tools of POSIX."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lamina.channels import Channel, ChannelError, CommandTimeout
from lamina.conformance.clauses import Kit, clause, expect

__all__ = ["CHANNEL"]

_PATIENCE = 30.0  # seconds


@contextmanager
def _open(channel: Channel) -> Iterator[tuple[Channel, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            yield channel, Path(folder)
        finally:
            channel.close()


def _raises(kind: type[Exception], action: Callable[[], object]) -> None:
    try:
        action()
    except kind:
        return
    expect(False, else_say=f"no {kind.__name__}")


@clause("channel.run")
def _run(channel: Channel) -> None:
    """A command's status, output and errors come back apart."""
    with _open(channel):
        done = channel.run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout=_PATIENCE)
        expect(done == (3, "out\n", "err\n"), else_say=repr(done))


@clause("channel.run.words")
def _words(channel: Channel) -> None:
    """No shell reads the words of a command: spaces, dollars and quotes arrive."""
    with _open(channel):
        words = ["a b", "$HOME", "it's", '"', "*", ""]
        done = channel.run(["printf", "%s\\n", *words], timeout=_PATIENCE)
        expect(done.stdout == "".join(f"{word}\n" for word in words), else_say=repr(done))


@clause("channel.run.input")
def _input(channel: Channel) -> None:
    """The command reads the text that is given, and the end after it."""
    with _open(channel):
        done = channel.run(["cat"], stdin="one\ntwo", timeout=_PATIENCE)
        expect(done.stdout == "one\ntwo", else_say=repr(done))


@clause("channel.run.env")
def _env(channel: Channel) -> None:
    """Variables are added to the environment, which stays as it is otherwise."""
    with _open(channel):
        done = channel.run(
            ["sh", "-c", 'echo "$LAMINA_KIT ${PATH:+path}"'],
            env={"LAMINA_KIT": "a b"},
            timeout=_PATIENCE,
        )
        expect(done.stdout == "a b path\n", else_say=repr(done))


@clause("channel.run.timeout")
def _timeout(channel: Channel) -> None:
    """A command that takes too long is killed, with its children, and CommandTimeout raised."""
    with _open(channel):
        began = time.monotonic()
        command = ["sh", "-c", "sleep 20 & sleep 20; wait"]
        _raises(CommandTimeout, lambda: channel.run(command, timeout=0.2))
        took = time.monotonic() - began
        expect(took < 10, else_say=f"it took {took:.1f} s")


@clause("channel.run.missing")
def _missing(channel: Channel) -> None:
    """A program that does not exist is a ChannelError, or the status 127 of a shell."""
    with _open(channel):
        try:
            done = channel.run(["no-such-program-here"], timeout=_PATIENCE)
        except ChannelError:
            return
        expect(done.status == 127, else_say=repr(done))


@clause("channel.files")
def _files(channel: Channel) -> None:
    """A file that was put can be got, byte for byte."""
    with _open(channel) as (_, folder):
        content = bytes(range(256)) * 300
        (folder / "one").write_bytes(content)
        channel.make_directory(str(folder / "there" / "deep"))
        channel.make_directory(str(folder / "there" / "deep"))
        there = str(folder / "there" / "deep" / "two")
        channel.put(folder / "one", there)
        channel.get(there, folder / "three")
        expect((folder / "three").read_bytes() == content, else_say="other bytes")


@clause("channel.files.missing")
def _no_file(channel: Channel) -> None:
    """What cannot be read is a ChannelError, and leaves nothing behind."""
    with _open(channel) as (_, folder):
        _raises(ChannelError, lambda: channel.get(str(folder / "none"), folder / "new"))
        expect(not (folder / "new").exists(), else_say="a file")
        _raises(ChannelError, lambda: channel.put(folder / "none", str(folder / "new")))
        expect(not (folder / "new").exists(), else_say="a file")


@clause("channel.close.twice")
def _close_twice(channel: Channel) -> None:
    """A second close does nothing."""
    with _open(channel):
        channel.close()


CHANNEL = Kit(
    "channel",
    "Channel",
    1,
    (_run, _words, _input, _env, _timeout, _missing, _files, _no_file, _close_twice),
)
